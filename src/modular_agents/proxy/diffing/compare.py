"""The door: two calls in, a `Comparison` out. What they cost by the token is given by the caller; nothing here knows a price.

A request that goes on from `previous_response_id` sends only what is new: the provider keeps the rest, so the earlier request's
messages and its answer count as the beginning of the later one's.
"""

from dataclasses import replace

from modular_agents.proxy.diffing import entries
from modular_agents.proxy.diffing.blocks import Block, common
from modular_agents.proxy.diffing.breaks import marks, why_missed, why_nothing
from modular_agents.proxy.diffing.costs import Tokens, missed_usd, saved_usd, tokens
from modular_agents.proxy.diffing.rules import rules_for
from modular_agents.proxy.diffing.turns import Turn, make_turn
from modular_agents.proxy.model.comparison import CacheView, Change, Comparison, Rates, Reason
from modular_agents.proxy.model.query import CallDetail, MessageView, RawExchange

TOLERATED = 0.02
"""Share of what lay in the cache that may be missed before it counts as missed: providers round, and count in steps."""


def compare(
    before: CallDetail,
    after: CallDetail,
    rates: Rates | None = None,
    raws: tuple[RawExchange | None, RawExchange | None] = (None, None),
) -> Comparison:
    """Return what tells `after` from `before`. `rates`: of the later call; `raws`: both as they crossed, for what only that tells."""
    old, new = make_turn(before, raws[0]), make_turn(after, raws[1])
    is_chained = before.response_id is not None and new.continues == before.response_id
    if is_chained:
        new = replace(new, blocks=_chained(old, new))
    params = entries.parameters({"model": before.call.model} | old.params, {"model": after.call.model} | new.params)
    tools = entries.tools(before.tools, after.tools)
    system = entries.messages(before.system, after.system, None)
    messages = _after_chain(before, after) if is_chained else entries.messages(before.messages, after.messages, _first(before))
    return Comparison(
        before=before.call,
        after=after.call,
        same=not params and all(change.kind == "same" for change in (*tools, *system, *messages)),
        params=params,
        tools=tools,
        system=system,
        messages=messages,
        cache=_cache(old, new, rates),
    )


def _first(detail: CallDetail) -> MessageView | None:
    return detail.answers[0] if detail.answers else None


def _chained(old: Turn, new: Turn) -> tuple[Block, ...]:
    head = tuple(block for block in new.blocks if block.place.part != "messages")
    kept = tuple(block for block in old.blocks if block.place.part == "messages")
    return (*head, *kept, *(block for block in new.blocks if block.place.part == "messages"))


def _after_chain(before: CallDetail, after: CallDetail) -> tuple[Change, ...]:
    kept = Change("same", "", 0, None, len(before.messages), (), entries.KEPT_BY_PROVIDER)
    return (*((kept,) if before.messages else ()), *entries.messages((), after.messages, None))


def _cache(old: Turn, new: Turn, rates: Rates | None) -> CacheView:
    rules = rules_for(new.detail.call, marks=bool(marks(old.blocks) or marks(new.blocks)))
    counted = tokens(old, new, rules)
    broken = common(list(old.blocks), list(new.blocks))
    place = None if broken is None else new.blocks[broken].place if broken < len(new.blocks) else old.blocks[broken].place
    verdict, words = _verdict(counted)
    reasons: tuple[Reason, ...] = ()
    if new.started_s < old.started_s:
        verdict, words = "unknown", "The call that is compared began before the other: it could read nothing of its cache."
    elif verdict == "nothing":
        reasons = why_nothing(old, rules)
    elif verdict != "kept":
        reasons = why_missed(old, new, rules, counted)
    missed = counted.missed if verdict in {"lost", "partly"} else None
    return CacheView(
        verdict=verdict,
        words=words,
        breaks_at=place,
        reasons=reasons,
        reusable_tokens=counted.reusable,
        read_tokens=counted.read,
        missed_tokens=missed,
        before_break_tokens=_before(new, broken),
        missed_usd=missed_usd(new, missed, rates),
        saved_usd=saved_usd(counted.read, rates),
        marks_before=tuple(marks(old.blocks)),
        marks_after=tuple(marks(new.blocks)),
        source=rules.source,
    )


def _verdict(counted: Tokens) -> tuple[str, str]:
    reusable, read, missed = counted.reusable, counted.read, counted.missed
    if read is None:
        return "unknown", "The provider did not say what it read from its cache."
    if reusable is None:
        return "unknown", f"{read:,} tokens were read from the cache; what lay there is not known."
    if not reusable:
        return (
            ("kept", f"{read:,} tokens were read from the cache, put there by other calls.")
            if read
            else (
                "nothing",
                "The earlier call left nothing in the cache.",
            )
        )
    if (missed or 0) <= TOLERATED * reusable:
        return "kept", f"{read:,} tokens were read from the cache: all that the earlier call left there."
    if not read:
        return "lost", f"Of the {reusable:,} tokens that could have come from the cache none did: they were paid anew."
    return "partly", f"Of the {reusable:,} tokens that could have come from the cache {read:,} did; {missed:,} were paid anew."


def _before(turn: Turn, broken: int | None) -> int | None:
    """Estimate the tokens before the break by the share of characters before it."""
    total = sum(block.chars for block in turn.blocks)
    if broken is None or turn.detail.call.tokens_input is None or not total:
        return None
    return round(turn.detail.call.tokens_input * sum(block.chars for block in turn.blocks[:broken]) / total)
