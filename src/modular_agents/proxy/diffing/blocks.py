"""A request as a prompt cache reads it: one row of blocks, tools first, then the system prompt, then the messages.

Source of the order: platform.claude.com/docs/en/build-with-claude/prompt-caching (tools, system, messages). Other providers
name no other; with OpenAI the system prompt is the first message, so that the order is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from modular_agents.proxy.diffing.forms import block_form, json_form, mark_of
from modular_agents.proxy.diffing.reading import tool_name
from modular_agents.proxy.model.comparison import CacheMark, Place
from modular_agents.proxy.model.query import CallDetail, MessageView

_MEDIA = frozenset({"image", "audio", "document"})
_SECONDS = {"s": 1, "m": 60, "h": 3600}
USUAL_TTL_S = 300
"""What `{"type": "ephemeral"}` asks for when it names no time: Anthropic, as above."""


@dataclass(frozen=True, slots=True)
class Block:
    """`form`: equal for two blocks that are the same to the model. `mark`: the prompt up to here is to be kept."""

    place: Place
    kind: str
    form: str
    chars: int
    mark: CacheMark | None


def blocks_of(detail: CallDetail) -> list[Block]:
    """Return the blocks of a request in the order of the cache."""
    found = [
        _block(Place("tools", at, 0, f"tool {at + 1} ({tool_name(raw)})"), "tool", json_form(raw), raw)
        for at, raw in enumerate(detail.tools)
    ]
    for at, message in enumerate(detail.system):
        found += _blocks(message, "system", at, f"system block {at + 1}")
    for at, message in enumerate(detail.messages):
        found += _blocks(message, "messages", at, f"message {at + 1} ({message.role})")
    mark = mark_of(detail.params)
    if found and found[-1].mark is None and mark is not None:  # at the top of the request: it stands on the last block
        last = found[-1]
        found[-1] = Block(last.place, last.kind, last.form, last.chars, CacheMark(last.place, ttl_s(mark)))
    return found


def _blocks(message: MessageView, part: str, at: int, words: str) -> Iterator[Block]:
    shown = [each for each in message.parts if not (each.kind in _MEDIA and each.tool_id)]  # what a tool result holds is a part of it
    for block, each in enumerate(shown):
        place = Place(part, at, block, words if len(shown) == 1 else f"{words}, block {block + 1}")
        form = block_form(each) if block else f"{message.role}\1{block_form(each)}"
        yield _block(place, each.kind, form, each.raw or each.text)


def _block(place: Place, kind: str, form: str, raw: str) -> Block:
    mark = mark_of(raw)
    return Block(place, kind, form, len(form), None if mark is None else CacheMark(place, ttl_s(mark)))


def ttl_s(mark: dict[str, object]) -> int | None:
    """Return the seconds a mark asks for; None where its format names no time."""
    named = mark.get("ttl")
    if isinstance(named, str) and named[:-1].isdigit() and named[-1] in _SECONDS:
        return int(named[:-1]) * _SECONDS[named[-1]]
    return USUAL_TTL_S if mark.get("type") == "ephemeral" else None


def common(before: list[Block], after: list[Block]) -> int | None:
    """Return the index in `after` of the first block that breaks what `before` began with; None when all of it comes first again.

    Where `after` ends too early, its length. The last message is the only place where a request may grow unharmed.
    """
    for at, block in enumerate(before):
        if at == len(after) or after[at].form != block.form or after[at].place.part != block.place.part:
            return at
    return None
