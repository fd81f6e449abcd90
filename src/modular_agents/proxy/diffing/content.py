"""The first block that differs, said so that a person sees at once what changed: a tool added, keys in another order, a clock."""

from collections.abc import Sequence

from modular_agents.proxy.diffing.blocks import Block
from modular_agents.proxy.diffing.forms import unordered
from modular_agents.proxy.diffing.rules import MESSAGES, SYSTEM, TOOLS
from modular_agents.proxy.model.comparison import Reason

AROUND_CHARS, QUOTED_CHARS = 24, 60
"""Of a text that changed: what stands before the first difference, and how much is quoted in all."""


def content(before: Sequence[Block], after: Sequence[Block], at: int) -> Reason:
    """Return the reason that block `at` is: of `before` it is the first that the later request does not begin with."""
    old = before[at]
    part = old.place.part
    if part == TOOLS or (at < len(after) and after[at].place.part == TOOLS):
        return Reason(TOOLS, _tools(before, after), certain=True)
    if at >= len(after) or after[at].place.part != part:
        words = f"{old.place.words} is gone: nothing behind it can be read from the cache" if part == SYSTEM else _shorter(old)
        return Reason(part, words, certain=True)
    return Reason(part, f"{old.place.words} changed: {_quoted(old, after[at])}{_hint(before, after, at)}", certain=True)


def _shorter(old: Block) -> str:
    return f"the conversation was cut or rewritten: {old.place.words} and what follows is gone"


def _tools(before: Sequence[Block], after: Sequence[Block]) -> str:
    old = {block.form: block for block in before if block.place.part == TOOLS}
    new = {block.form: block for block in after if block.place.part == TOOLS}
    gone = [_name(block) for form, block in old.items() if form not in new]
    come = [_name(block) for form, block in new.items() if form not in old]
    if not gone and not come:
        return "the tools stand in another order: the cache begins with them"
    changed = [each for each in come if each in gone]
    said = [
        f"{word} {_listed(names)}"
        for word, names in (
            ("changed:", changed),
            ("added:", [each for each in come if each not in changed]),
            ("removed:", [each for each in gone if each not in changed]),
        )
        if names
    ]
    orders = {unordered(block.form) for block in old.values()} == {unordered(block.form) for block in new.values()}
    return f"the tools changed ({'; '.join(said)}){', only in the order of their keys' if orders else ''}: the cache begins with them"


def _name(block: Block) -> str:
    """Return a tool's name."""
    return block.place.words.partition("(")[2].removesuffix(")")


def _listed(names: Sequence[str]) -> str:
    most = 5
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _quoted(old: Block, new: Block) -> str:
    """Return the two texts around their first difference."""
    texts = [_text(block) for block in (old, new)]
    same = next((at for at, (left, right) in enumerate(zip(*texts, strict=False)) if left != right), min(map(len, texts)))
    start = max(same - AROUND_CHARS, 0)
    return " became ".join(f"“{_cut(text, start)}”" for text in texts)


def _text(block: Block) -> str:
    return block.form.rpartition("\1")[2].removeprefix("text\0").replace("\0", " ")


def _cut(text: str, start: int) -> str:
    piece = " ".join(text[start : start + QUOTED_CHARS].split())
    return f"{'…' if start else ''}{piece}{'…' if start + QUOTED_CHARS < len(text) else ''}"


def _hint(before: Sequence[Block], after: Sequence[Block], at: int) -> str:
    if unordered(_text(before[at])) == unordered(_text(after[at])):
        return " (only the order of its keys)"
    if before[at].place.part != MESSAGES:
        return ""
    kept = {block.form for block in after[at:]}
    left = [block for block in before[at:] if block.form in kept]
    return " (history was rewritten)" if len(before) - at > 1 and not left else ""
