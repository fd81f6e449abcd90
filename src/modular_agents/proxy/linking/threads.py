"""A call goes on from the one whose conversation it repeats; the longest repeated history wins.

Rules, strongest first: `retry` (the same request again, after it failed), `response_id` (the provider's id says so),
`continuation` (history and answer repeated), `edited` (the last answer repeated, its history changed), `handoff` (the last tool
use repeated, to another system prompt: one agent takes over from another), `reasked` (the last question repeated, its answer
changed), `header.thread` (the tooling says it is the same conversation).
Every choice rests on earlier calls only: on their facts and on what they go on from.
"""

from collections.abc import Callable, Sequence

from modular_agents.proxy.linking.facts import COMPLETED, Facts
from modular_agents.proxy.linking.kinds import NOISE
from modular_agents.proxy.linking.sight import MINUTE_NS, SLACK_NS, Known, Link, Sight
from modular_agents.proxy.linking.tokens import HISTORY, THREAD, TIP, TRIED, mark, named, turned

Recall = Callable[[Facts], Facts]
"""Reads from a call's messages what tells an edited history."""

REQUEST = "request"
WARMUP = "warmup"
"""An answer nobody reads (Codex opens its socket with one): the turn that names it as previous opens the conversation."""
QUEUE_NS = 5 * 10**9
"""Equal calls that ended within this time are taken up in the order they ended; of older ones the newest is meant."""
RETRY_WINDOW_NS = 2 * MINUTE_NS
"""The same request this long after a failure counts as a retry even if no header says so: SDKs wait up to a minute."""
UNCOUNTED_SLACK_NS = SLACK_NS // 10
"""Such a request may begin this long before the failure has been recorded; of many that are under way at once, none tries another again."""


def predecessor(me: Facts, sight: Sight, found: Sequence[Known], recall: Recall | None) -> tuple[Link | None, Facts]:
    """Return the earlier call of the same thread that leads to `me`, and `me` with whatever had to be recalled for that.

    `found`: whatever left one of `sought(me)`.
    """
    earlier = [other for other in found if agrees(me, other.facts)]
    if earlier:
        if retry := _retried(me, earlier):
            return retry, me
        if me.previous:
            for other in reversed(earlier):
                if other.facts.response == me.previous and other.facts.kind != WARMUP:
                    return Link(other, REQUEST, "response_id", "previous_response_id"), me
    if me.tips and (link := _repeated(me, sight, earlier, me.tips[0])):
        return link, me
    if recall is not None and not me.is_first:
        me = recall(me)
    for tip in me.tips[1:]:
        if link := _repeated(me, sight, sight.before((), (named(TIP, tip),)), tip):
            return link, me
    return _edited(me, sight), me


def sought(me: Facts) -> tuple[list[int], list[int]]:
    """Return the tokens that lead to an earlier call of the same thread: recent ones, and lasting ones."""
    lasting = [named(TIP, me.tips[0])] if me.tips else []
    if me.previous:
        lasting.append(me.previous)
    if me.request and me.attempt:
        return [me.request, turned(me.request, TRIED)], lasting
    return [me.request] if me.request else [], lasting


def agrees(me: Facts, other: Facts) -> bool:
    """Return whether nothing that was said keeps the two apart."""
    return said_alike(me, other) and (not me.thread or not other.thread or me.thread == other.thread)


def said_alike(me: Facts, other: Facts) -> bool:
    """Return whether the two may stand in one trace."""
    return not me.said or not other.said or me.said == other.said


def same(one: str | None, other: str | None) -> bool:
    """Return whether both were said and are equal."""
    return one is not None and one == other


def alike(me: int, other: int) -> float:
    """Return 1 when two things are known and the same, 0 when they are known to differ, 0.5 when nobody knows."""
    return 0.5 if not me or not other else float(me == other)


def nearest(me: Facts, others: Sequence[Known]) -> Sequence[Known]:
    """Of calls that say the same keep those of the same session, of the same process, of the same connection, as far as there are any."""
    near = [other for other in others if same(me.session, other.facts.session)] or others
    near = [other for other in near if me.process and other.facts.process == me.process] or near
    return [other for other in near if other.facts.connection == me.connection] or near


def _retried(me: Facts, earlier: Sequence[Known]) -> Link | None:
    """Follow the same request through its attempts: each failure is tried again by at most one later call."""
    attempts = [other for other in earlier if other.facts.request == me.request] if me.request else []
    if not attempts:
        return None
    first = {other.call_id: other for other in attempts}
    failed: list[Facts] = []
    answered: list[Facts] = []
    for facts in (*(other.facts for other in attempts), me):
        open_failures = [failure for failure in failed if _may_retry(facts, failure)] or _lost(facts, answered)
        if open_failures:
            tried = max(open_failures, key=lambda failure: (failure.attempt == facts.attempt - 1, failure.ended_ns or 0, failure.call_id))
            (failed if tried in failed else answered).remove(tried)
            first[facts.call_id] = first[tried.call_id]
        (answered if facts.status == COMPLETED else failed).append(facts)
    origin = first.get(me.call_id)
    if origin is None:
        return None
    return Link(origin, REQUEST, "retry", f"attempt {me.attempt + 1}" if me.attempt else "the same request after a failure")


def _lost(facts: Facts, answered: Sequence[Facts]) -> list[Facts]:
    """Return the attempt before this one where it was answered, and the answer did not reach whoever asks again."""
    return [one for one in answered if one.attempt == facts.attempt - 1 and _may_retry(facts, one)] if facts.attempt else []


def tried_from(failure: Facts) -> int:
    """Return from when on the same request may be tried again without a count that says so."""
    return max(failure.started_ns, (failure.ended_ns or 0) - UNCOUNTED_SLACK_NS)


def _may_retry(facts: Facts, failure: Facts) -> bool:
    if failure.ended_ns is None:
        return facts.attempt > 0  # the client gave up on it, which has not been seen yet
    if failure.ended_ns > facts.started_ns + (SLACK_NS if facts.attempt else UNCOUNTED_SLACK_NS):
        return False
    return facts.attempt > 0 or facts.started_ns - failure.ended_ns <= RETRY_WINDOW_NS


def _repeated(me: Facts, sight: Sight, found: Sequence[Known], tip: bytes) -> Link | None:
    """Return the call that ended the history `tip`, which `me` repeats."""
    matches = [other for other in found if tip in other.facts.tip and other.ended_before(me) and agrees(me, other.facts)]
    return _continued(me, sight, tip, matches) if matches else None


def _continued(me: Facts, sight: Sight, tip: bytes, matches: Sequence[Known]) -> Link:
    """Choose among calls that were told the same and answered the same."""
    if len(matches) == 1:
        return Link(matches[0], REQUEST, "continuation")
    used = {rival.stand.parent for rival in sight.before((named(HISTORY, tip),))}

    def rank(other: Known) -> tuple[float, ...]:
        facts = other.facts
        return (same(me.session, facts.session), alike(me.process, facts.process), facts.system == me.system, other.call_id not in used)

    best = max(map(rank, matches))
    equal = [other for other in matches if rank(other) == best]
    near = [other for other in equal if other.facts.connection == me.connection] or equal
    latest = max(other.facts.ended_ns or 0 for other in near)
    queue = [other for other in near if latest - (other.facts.ended_ns or 0) <= QUEUE_NS]
    chosen = min(queue, key=lambda other: (other.facts.ended_ns or 0, other.facts.moment))
    if len(equal) == 1:
        return Link(chosen, REQUEST, "continuation")
    if near is not equal and len(near) == 1:
        detail = f"ambiguous: {len(equal)} calls have this history and answer, one came on the same connection"
        return Link(chosen, REQUEST, "continuation", detail, 0.8, is_doubtful=True)
    return Link(
        chosen, REQUEST, "continuation", f"ambiguous: {len(equal)} calls have this history and answer", 1 / len(near), is_doubtful=True
    )


def _edited(me: Facts, sight: Sight) -> Link | None:
    native = mark(THREAD, me.thread) if me.thread and me.kind not in NOISE else 0
    keys = tuple(dict.fromkeys(key for key in (*me.recalled, *me.reasked) if key))
    if not keys and not native:
        return None
    found = sight.before(keys, (native,) if native else ())
    earlier = [other for other in found if other.ended_before(me) and agrees(me, other.facts)]
    mine = [other for other in earlier if other.facts.system == me.system]
    for key in me.recalled:
        if matches := [other for other in mine if key and other.facts.answer == key]:
            return _newest(me, matches, "edited", "its answer comes back, the history before it was changed", 0.9)
    for key in me.recalled:
        if matches := [other for other in earlier if key and other.facts.answer == key and other.facts.handed is None]:
            return _newest(me, matches, "handoff", "its tool use comes back, to another system prompt or with other tools", 0.9)
    for key in me.reasked:
        if matches := [other for other in mine if other.facts.asked == key]:
            return _newest(me, matches, "reasked", "its question comes back, the answer was changed", 0.6)
    speaking = [other for other in earlier if same(me.thread, other.facts.thread) and other.facts.kind not in NOISE]
    return Link(speaking[-1], REQUEST, "header.thread", "the tooling names the same conversation", 0.9) if native and speaking else None


def _newest(me: Facts, matches: Sequence[Known], rule: str, detail: str, confidence: float) -> Link:
    near = nearest(me, matches)
    threads = len({other.thread_id for other in near})
    if threads == 1:
        return Link(near[-1], REQUEST, rule, detail, confidence)
    return Link(near[-1], REQUEST, rule, f"ambiguous: {threads} threads; {detail}", confidence / threads, is_doubtful=True)
