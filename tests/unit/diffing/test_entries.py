"""Lists told apart: what was added, removed, changed, moved, and what only looks changed."""

import json
from typing import Any

from modular_agents.proxy.diffing import entries
from modular_agents.proxy.diffing.forms import block_form, message_form
from modular_agents.proxy.model.comparison import Change
from modular_agents.proxy.model.query import MessageView, PartView


def part(kind: str = "text", text: str = "", raw: dict[str, Any] | str = "", **more: Any) -> PartView:  # noqa: ANN401 - fields of a part
    fields: dict[str, Any] = {"tool_id": None, "name": None, "arguments": None, "is_error": None} | more
    return PartView(kind, text, raw=raw if isinstance(raw, str) else json.dumps(raw), **fields)


def said(role: str, text: str, *, mark: bool = False, plain: bool = False) -> MessageView:
    raw = {"type": "text", "text": text} | ({"cache_control": {"type": "ephemeral"}} if mark else {})
    return MessageView(role, (part("text", text, "" if plain else raw),), "")


def kinds(changes: tuple[Change, ...]) -> list[tuple[str, int | None, int | None, int]]:
    return [(change.kind, change.before_at, change.after_at, change.count) for change in changes]


def test_a_turn_that_goes_on_adds_messages() -> None:
    before = [said("user", "Hello"), said("assistant", "Hi"), said("user", "Sum up")]
    answer = said("assistant", "A sum.")
    after = [*before, answer, said("user", "Shorter")]
    found = entries.messages(before, after, answer)
    assert kinds(found) == [("same", 0, 0, 3), ("added", None, 3, 1), ("added", None, 4, 1)]
    assert [change.note for change in found] == ["", entries.SENT_BACK, ""]


def test_a_message_that_was_rewritten_is_one_change() -> None:
    before = [said("user", "It is ten o'clock. Go."), said("assistant", "Gone.")]
    after = [said("user", "It is noon o'clock. Go."), said("assistant", "Gone.")]
    (changed, same) = entries.messages(before, after, None)
    assert (changed.kind, changed.name, changed.before_at, changed.after_at) == ("changed", "user", 0, 0)
    assert [(edit.kind, edit.text) for edit in changed.edits if edit.kind != "same"] == [("removed", "ten"), ("added", "noon")]
    assert same.kind == "same"


def test_compaction_removes_and_changes() -> None:
    before = [said("user", "Task"), said("assistant", "One"), said("user", "Two"), said("assistant", "Three"), said("user", "Last")]
    after = [said("user", "Summary of all that was said"), said("user", "Last")]
    found = entries.messages(before, after, None)
    assert kinds(found) == [
        ("changed", 0, 0, 1),
        ("removed", 1, None, 1),
        ("removed", 2, None, 1),
        ("removed", 3, None, 1),
        ("same", 4, 1, 1),
    ]


def test_a_cache_mark_that_moves_changes_no_message_and_is_told() -> None:
    before = [said("user", "One"), said("assistant", "Two"), said("user", "Three", mark=True)]
    after = [said("user", "One"), said("assistant", "Two"), said("user", "Three", plain=True), said("user", "Four", mark=True)]
    found = entries.messages(before, after, None)
    assert kinds(found) == [("same", 0, 0, 2), ("same", 2, 2, 1), ("added", None, 3, 1)]
    assert found[1].note == entries.MARK_GONE


def test_a_text_alone_and_as_a_block_are_the_same_and_white_space_counts() -> None:
    assert message_form(said("user", "Hello", plain=True)) == message_form(said("user", "Hello", mark=True))
    assert message_form(said("user", "Hello")) != message_form(said("user", "Hello "))
    assert message_form(said("user", "Hello")) != message_form(said("assistant", "Hello"))


def test_keys_in_another_order_are_a_change_that_says_so() -> None:
    def use(arguments: dict[str, int]) -> MessageView:
        raw = {"type": "tool_use", "id": "t1", "name": "add", "input": arguments}
        return MessageView("assistant", (part("tool_use", raw=raw, tool_id="t1", name="add", arguments=json.dumps(arguments)),), "")

    (changed,) = entries.messages([use({"a": 1, "b": 2})], [use({"b": 2, "a": 1})], None)
    assert (changed.kind, changed.note) == ("changed", entries.KEY_ORDER)


def test_a_picture_that_changed_shows_its_json() -> None:
    def shown(data: str) -> MessageView:
        return MessageView("user", (part("image", raw={"type": "image", "source": {"data": data}}),), "")

    (changed,) = entries.messages([shown("AAAA")], [shown("AAAB")], None)
    assert changed.kind == "changed"
    assert any("AAAB" in edit.text for edit in changed.edits)


def test_tools_added_changed_and_moved() -> None:
    def tool(name: str, about: str = "") -> str:
        return json.dumps({"name": name, "description": about})

    found = entries.tools([tool("read"), tool("write"), tool("run")], [tool("run"), tool("read"), tool("write", "safely"), tool("ask")])
    assert [(change.kind, change.name) for change in found] == [("same", ""), ("moved", "read"), ("changed", "write"), ("added", "ask")]


def test_parameters_that_differ() -> None:
    found = entries.parameters({"model": "a", "top_p": 1, "stop": ["x"]}, {"model": "b", "stop": ["x"], "seed": 7})
    assert [(change.kind, change.name) for change in found] == [("changed", "model"), ("removed", "top_p"), ("added", "seed")]


def test_hostile_json_is_compared_as_text() -> None:
    deep = "[" * 100_000
    assert block_form(part("other", raw=deep)) == deep
    assert block_form(part("other", raw='{"a": NaN}')) != block_form(part("other", raw='{"a": 1}'))
    assert entries.tools([deep], [deep + "x"])[0].kind == "changed"
