"""What has been streamed so far is put together from its pieces: one part per number, in order of the numbers."""

from collections.abc import Iterable

from modular_agents.proxy.model.event import DeltaRow
from modular_agents.proxy.model.query import MessageView, PartView

_ARGUMENTS = "tool_use"
"""The pieces of a part of this kind are its arguments, not its text."""


def assemble(deltas: Iterable[DeltaRow]) -> tuple[MessageView, ...]:
    """Return the answer so far as one message; none when there is no piece."""
    parts: dict[int, tuple[str, str | None, list[str]]] = {}
    for delta in deltas:
        kind, name, texts = parts.get(delta.part, (delta.kind, None, []))
        texts.append(delta.text)
        parts[delta.part] = (kind, name or delta.name, texts)
    if not parts:
        return ()
    return (MessageView("assistant", tuple(_part(*parts[number]) for number in sorted(parts)), ""),)


def _part(kind: str, name: str | None, texts: list[str]) -> PartView:
    said = "".join(texts)
    is_tool = kind == _ARGUMENTS
    return PartView(kind, "" if is_tool else said, None, name, said if is_tool else None, None, "")
