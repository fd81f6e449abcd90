"""Why could the cache not be used as far as it reached? Candidates in the order in which a cache reads a request; the first breaks it.

What the provider itself reports outranks what we work out. A reason that the two requests prove is certain; one that depends on
what happened inside the provider is not. Nothing here is said of a cache that was read as far as it reached.
"""

from collections.abc import Iterator, Sequence

from modular_agents.proxy.diffing.blocks import Block, common
from modular_agents.proxy.diffing.content import content
from modular_agents.proxy.diffing.costs import Tokens
from modular_agents.proxy.diffing.rules import MESSAGES, PARTS, SYSTEM, TOOLS, Rules
from modular_agents.proxy.diffing.said import said_by_provider
from modular_agents.proxy.diffing.turns import Turn
from modular_agents.proxy.model.comparison import CacheMark, Reason

_RUNS = frozenset({"tool_use", "tool_result"})
"""Kinds of blocks of which a row counts as one position when the provider looks back."""
_NO_ANSWER = frozenset({"failed", "cancelled", "interrupted"})
UNEXPLAINED = Reason(
    "unexplained",
    "both requests begin alike and nothing recorded explains it: the provider had dropped the entry, or the machine asked did not have it",
    certain=False,
)


def why_missed(before: Turn, after: Turn, rules: Rules, tokens: Tokens) -> tuple[Reason, ...]:
    """Return why the later call did not read all that lay in the cache, the first cause first."""
    found = [*said_by_provider(after.raw), *_elsewhere(before, after), *_requests(before, after, rules)]
    if not any(reason.certain for reason in found):
        found += _times(before, after, rules)
    if not found and tokens.missed:
        found.append(UNEXPLAINED)
    return tuple(found)


def why_nothing(before: Turn, rules: Rules) -> tuple[Reason, ...]:
    """Return why the earlier call left nothing in the cache."""
    call = before.detail.call
    least = rules.minimum(call.model)
    if rules.marked and not marks(before.blocks):
        return (Reason("marks", "the earlier request asks for nothing to be kept: it carries no cache mark", certain=True),)
    if call.tokens_input is not None and call.tokens_input < least:
        words = f"the earlier request has {call.tokens_input:,} tokens, and {rules.name} keeps nothing below {least:,} for {call.model}"
        return (Reason("minimum", words, certain=True),)
    if call.status in _NO_ANSWER:
        return (Reason("no-answer", f"the earlier call {_ended(call.status)}: what it would have kept may be missing", certain=False),)
    return ()


def marks(blocks: Sequence[Block]) -> list[CacheMark]:
    """Return the marks of a request."""
    return [block.mark for block in blocks if block.mark is not None]


def _ended(status: str) -> str:
    return "failed" if status == "failed" else f"was {status}"


def _elsewhere(before: Turn, after: Turn) -> Iterator[Reason]:
    old, new = before.detail.call, after.detail.call
    if old.model != new.model:
        yield Reason("model", f"the model changed from {old.model} to {new.model}: each model has a cache of its own", certain=True)
    if old.upstream != new.upstream:
        yield Reason("upstream", f"it went to another provider: {old.upstream} before, {new.upstream} now", certain=True)
    elif before.key and after.key and before.key != after.key:
        words = "it was sent with another key: a cache belongs to an organisation or a workspace"
        yield Reason("key", words, certain=False)


def _requests(before: Turn, after: Turn, rules: Rules) -> list[Reason]:
    """Return what the two requests themselves prove."""
    broken = common(list(before.blocks), list(after.blocks))
    marked = [at for at, block in enumerate(before.blocks) if block.mark is not None]
    wanted = (marked[-1] + 1 if marked else 0) if rules.marked else len(before.blocks)
    ranked: list[tuple[int, Reason]] = []
    for name, part in rules.breaking.items():
        if before.params.get(name) != after.params.get(name) and _first_of(before.blocks, part) < wanted:
            ranked.append((2 * PARTS.index(part), _parameter(name, part)))
    if broken is not None and broken < wanted:
        part = before.blocks[broken].place.part
        ranked.append((2 * PARTS.index(part) + 1, content(before.blocks, after.blocks, broken)))
    reasons = [reason for _, reason in sorted(ranked, key=lambda pair: pair[0])]
    if not reasons and rules.marked and marked:
        reasons += _unreached(marked[-1], before, after, rules)
    return reasons


def _parameter(name: str, part: str) -> Reason:
    if name == "prompt_cache_key":
        return Reason("parameter", "prompt_cache_key changed: requests of one key are sent to the machines that know it", certain=False)
    what = {TOOLS: "the whole prompt", SYSTEM: "the system prompt and the messages", MESSAGES: "the messages"}[part]
    return Reason("parameter", f"the parameter {name} changed: what was kept of {what} cannot be used with another", certain=True)


def _first_of(blocks: Sequence[Block], part: str) -> int:
    rank = PARTS.index(part)
    return next((at for at, block in enumerate(blocks) if PARTS.index(block.place.part) >= rank), len(blocks))


def _unreached(entry: int, before: Turn, after: Turn, rules: Rules) -> Iterator[Reason]:
    """Yield why no mark of the later request finds the entry that the earlier one left at block `entry`."""
    now = [at for at, block in enumerate(after.blocks) if block.mark is not None]
    if not now:
        yield Reason("marks", "this request carries no cache mark: nothing is looked up", certain=True)
        return
    later = [at for at in now if at >= entry]
    place = before.blocks[entry].place.words
    if not later:
        words = f"the last cache mark moved back from {place} to {after.blocks[now[-1]].place.words}: what lies behind it is not looked up"
        yield Reason("marks", words, certain=True)
        return
    far = positions(after.blocks, entry, later[0])
    if rules.lookback is not None and far > rules.lookback:
        words = (
            f"too much was added in one turn: from the mark at {after.blocks[later[0]].place.words} back to the entry at {place} "
            f"are {far} blocks, and {rules.name} looks at {rules.lookback}"
        )
        yield Reason("lookback", words, certain=True)


def positions(blocks: Sequence[Block], entry: int, mark: int) -> int:
    """Return how many positions are looked at from block `mark` back to block `entry`, both counted; a row of tool uses is one."""
    count = 0
    last = ""
    for block in blocks[entry : mark + 1]:
        if block.kind not in _RUNS or block.kind != last:
            count += 1
        last = block.kind
    return count


def _times(before: Turn, after: Turn, rules: Rules) -> Iterator[Reason]:
    gap_s = after.started_s - before.started_s
    if before.readable_s is not None and after.started_s < before.readable_s:
        words = "it began before the earlier call had begun to answer: until then what that one keeps cannot be read"
        yield Reason("parallel", words, certain=True)
        return
    lives = [mark.ttl_s for mark in marks(before.blocks) if mark.ttl_s is not None] if rules.marked else [rules.lifetime_s]
    over = [life for life in lives if life is not None and gap_s > life]
    if over and rules.marked:
        words = f"it began {span(gap_s)} after the earlier call, and what is kept for {span(over[-1])} had expired"
        yield Reason("expired", words, certain=True)
    elif over:
        words = f"it began {span(gap_s)} after the earlier call, and {rules.name} promises no more than {span(over[-1])}"
        yield Reason("expired", words, certain=False)


def span(seconds: float) -> str:
    """Return a time as 45 s, 5 min, 12 min 30 s, 1 h 05 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left:02} min" if minutes_left else f"{hours} h"
    return (f"{minutes} min {rest:02} s" if rest else f"{minutes} min") if minutes else f"{rest} s"
