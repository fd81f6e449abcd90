"""Worked cases of a prompt cache, from the captures of real clients: what was read, why it was not, and what that cost."""

import copy
import json
from typing import Any

import pytest
from tests.support.captured import load
from tests.support.turns import Turns

from modular_agents.proxy.dashboard.diffs import view_diff
from modular_agents.proxy.errors import NotFound
from modular_agents.proxy.model.comparison import Comparison

MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
Body = dict[str, Any]


def claude_code() -> Body:
    """The first turn of Claude Code, as it was captured (model claude-opus-4-8)."""
    body: Body = json.loads(load("claude-code-turn").request_body)
    return body


def went_on(body: Body, *blocks: dict[str, Any], number: int = 0) -> Body:
    """The next turn, as Claude Code sends it: the mark leaves the last user message and stands on the new one."""
    after = copy.deepcopy(body)
    for message in after["messages"]:
        if isinstance(message["content"], list):
            for block in message["content"]:
                block.pop("cache_control", None)
    answer = {"role": "assistant", "content": [{"type": "text", "text": f"Answer {number}."}]}
    asked = list(blocks) or [{"type": "text", "text": "Go on."}]
    after["messages"] += [answer, {"role": "user", "content": [*asked[:-1], asked[-1] | MARK]}]
    return after


def anthropic(read: int, written: int, fresh: int = 10, **more: Any) -> Body:  # noqa: ANN401 - fields of a usage object
    return {
        "input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": 50,
    } | more


def chat(sent: int, cached: int) -> Body:
    return {"prompt_tokens": sent, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": cached}}


def last(turns: Turns, call_id: str) -> Comparison:
    return view_diff(turns.reader(), call_id)


def rules(found: Comparison) -> list[tuple[str, bool]]:
    return [(reason.rule, reason.certain) for reason in found.cache.reasons]


def test_claude_code_moves_its_mark_and_keeps_its_cache() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    found = last(turns, turns.turn(went_on(claude_code()), anthropic(21_000, 120)))
    assert (found.cache.verdict, found.cache.reasons, found.cache.breaks_at) == ("kept", (), None)
    assert [mark.place.words for mark in found.cache.marks_before] == ["system block 2", "system block 3", "message 1 (user), block 2"]
    assert [mark.place.words for mark in found.cache.marks_after] == ["system block 2", "system block 3", "message 4 (user)"]
    assert {mark.ttl_s for mark in found.cache.marks_after} == {300}
    assert found.cache.saved_usd == pytest.approx(21_000 * (5 - 0.5) / 1e6)  # opus 4.8: $5 in, $0.50 from the cache
    assert [change.kind for change in found.messages] == ["same", "same", "added", "added"]


def test_a_block_of_the_system_prompt_that_changes_costs_everything_behind_it() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    body = went_on(claude_code())
    body["system"][0]["text"] = body["system"][0]["text"].replace("2.1.197.330", "2.1.197.331")
    found = last(turns, turns.turn(body, anthropic(0, 21_120)))
    assert (found.cache.verdict, rules(found)) == ("lost", [("system", True)])
    assert found.cache.breaks_at is not None
    assert found.cache.breaks_at.words == "system block 1"
    assert "331" in found.cache.reasons[0].words
    assert found.cache.missed_tokens == 21_000
    assert found.cache.missed_usd == pytest.approx(21_000 * (6.25 - 0.5) / 1e6)  # written anew for $6.25 instead of read for $0.50


def test_an_hour_costs_more_to_write() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 1000))
    split = {"cache_creation": {"ephemeral_5m_input_tokens": 250, "ephemeral_1h_input_tokens": 750}}
    body = went_on(claude_code())
    body["tools"] = body["tools"][1:]
    found = last(turns, turns.turn(body, anthropic(0, 1000, **split)))
    assert found.cache.missed_usd == pytest.approx(1000 * (0.25 * 6.25 + 0.75 * 10 - 0.5) / 1e6)


def test_tools_added_reordered_and_with_keys_in_another_order() -> None:
    first = claude_code()
    added, turned, spelled = went_on(first), went_on(first), went_on(first)
    added["tools"].append({"name": "Search", "description": "Find it.", "input_schema": {"type": "object"}})
    turned["tools"].reverse()
    spelled["tools"][0] = dict(reversed(spelled["tools"][0].items()))
    said = []
    for body in (added, turned, spelled):
        turns = Turns()
        turns.turn(first, anthropic(0, 21_000))
        found = last(turns, turns.turn(body, anthropic(0, 21_500)))
        assert rules(found) == [("tools", True)]
        said.append(found.cache.reasons[0].words)
    assert "added: Search" in said[0]
    assert "another order" in said[1]
    assert "only in the order of their keys" in said[2]


def test_a_change_behind_the_last_mark_costs_nothing() -> None:
    turns = Turns()
    first = {"model": "claude-sonnet-4-5", "max_tokens": 9, "system": [{"type": "text", "text": "Long " * 900} | MARK]}
    turns.turn(first | {"messages": [{"role": "user", "content": "One?"}]}, anthropic(0, 2000))
    found = last(turns, turns.turn(first | {"messages": [{"role": "user", "content": "Two?"}]}, anthropic(2000, 0)))
    assert found.cache.verdict == "kept"
    assert found.cache.breaks_at is not None


def test_part_of_it_is_read_where_an_earlier_mark_holds() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    body = went_on(claude_code())
    body["messages"][0]["content"][1]["text"] = "HELLO AGAIN"
    found = last(turns, turns.turn(body, anthropic(15_000, 6_100)))
    assert (found.cache.verdict, rules(found), found.cache.missed_tokens) == ("partly", [("messages", True)], 6_000)
    assert "message 1 (user), block 2 changed" in found.cache.reasons[0].words


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [("tool_choice", {"type": "any"}, True), ("thinking", {"type": "disabled"}, True), ("speed", "fast", True), ("max_tokens", 5, False)],
)
def test_parameters_that_are_part_of_the_prompt(name: str, value: object, rule: bool) -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    found = last(turns, turns.turn(went_on(claude_code()) | {name: value}, anthropic(0, 21_000)))
    assert rules(found) == ([("parameter", True)] if rule else [("unexplained", False)])
    assert [change.name for change in found.params] == [name]


def test_another_model_has_another_cache() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    found = last(turns, turns.turn(went_on(claude_code()) | {"model": "claude-haiku-4-5"}, anthropic(0, 21_000)))
    assert rules(found)[0] == ("model", True)
    assert found.params[0].name == "model"


@pytest.mark.parametrize(("mark", "gap_s", "expired"), [(MARK, 299, False), (MARK, 301, True), (HOUR, 301, False), (HOUR, 3601, True)])
def test_what_is_kept_for_minutes_expires(mark: Body, gap_s: float, expired: bool) -> None:
    turns = Turns()
    first = {"model": "claude-sonnet-4-5", "max_tokens": 9, "system": [{"type": "text", "text": "Long " * 900} | mark]}
    body = first | {"messages": [{"role": "user", "content": "One?"}]}
    turns.turn(body, anthropic(0, 2000), at_s=0)
    found = last(turns, turns.turn(body, anthropic(0, 2000), at_s=gap_s))
    assert rules(found) == [("expired", True) if expired else ("unexplained", False)]
    assert found.same


def test_a_call_that_began_before_the_answer_finds_nothing_yet() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000), at_s=0, first_ms=3000, took_ms=9000)
    early = turns.turn(claude_code(), anthropic(0, 21_000), at_s=1)
    assert rules(last(turns, early)) == [("parallel", True)]


def results(count: int) -> list[dict[str, Any]]:
    return [{"type": "tool_result", "tool_use_id": f"t{at}", "content": f"result {at}"} for at in range(count)]


def test_too_many_blocks_in_one_turn_hide_the_entry() -> None:
    """Texts count one by one; a row of tool results is one position."""
    texts = [{"type": "text", "text": f"note {at}"} for at in range(25)]
    said = {}
    for name, blocks in (("texts", texts), ("results", results(25))):
        turns = Turns()
        turns.turn(claude_code(), anthropic(0, 21_000))
        said[name] = last(turns, turns.turn(went_on(claude_code(), *blocks), anthropic(0, 22_000)))
    assert rules(said["texts"]) == [("lookback", True)]
    assert "28 blocks" in said["texts"].cache.reasons[0].words
    assert rules(said["results"]) == [("unexplained", False)]


def test_marks_that_are_gone_or_moved_back() -> None:
    bare, back = went_on(claude_code()), went_on(claude_code())
    for body in (bare, back):
        body["messages"][-1]["content"][-1].pop("cache_control")
    for block in bare["system"]:
        block.pop("cache_control", None)
    said = []
    for body in (bare, back):
        turns = Turns()
        turns.turn(claude_code(), anthropic(0, 21_000))
        said.append(last(turns, turns.turn(body, anthropic(0, 0, 21_050))))
    assert [rules(found) for found in said] == [[("marks", True)], [("marks", True)]]
    assert "carries no cache mark" in said[0].cache.reasons[0].words
    assert "moved back from message 1 (user), block 2 to system block 3" in said[1].cache.reasons[0].words
    assert said[0].cache.missed_usd == pytest.approx(21_000 * (5 - 0.5) / 1e6)  # not written anew: plain input


def test_the_automatic_mark_stands_on_the_last_block() -> None:
    turns = Turns()
    body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Long " * 2000}]} | MARK
    turns.turn(body, anthropic(0, 2000))
    after = body | {"messages": [*body["messages"], {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And?"}]}
    found = last(turns, turns.turn(after, anthropic(2000, 20)))
    assert [mark.place.words for mark in found.cache.marks_after] == ["message 3 (user)"]
    assert found.cache.verdict == "kept"


def test_nothing_lay_there_and_why() -> None:
    bare = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "One?"}]}
    marked = bare | {"messages": [{"role": "user", "content": [{"type": "text", "text": "One?"} | MARK]}]}
    said = []
    for body in (bare, marked):
        turns = Turns()
        turns.turn(body, anthropic(0, 0, 3000))
        said.append(last(turns, turns.turn(body, anthropic(0, 0, 3000))))
    assert [(found.cache.verdict, rules(found)) for found in said] == [("nothing", [("marks", True)]), ("nothing", [("minimum", True)])]
    assert "keeps nothing below 4,096 for claude-haiku-4-5" in said[1].cache.reasons[0].words


def test_what_the_provider_says_comes_first() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    body = went_on(claude_code())
    body["system"][0]["text"] += "!"
    told = {"diagnostics": {"cache_miss_reason": {"type": "system_changed", "cache_missed_input_tokens": 20_900}}}
    found = last(turns, turns.turn(body, anthropic(0, 21_000), more=told))
    assert rules(found) == [("provider", True), ("system", True)]
    assert found.cache.reasons[0].words == "the provider says: system changed (20,900 tokens)"


def test_words_of_a_model_are_not_taken_for_the_providers() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    quoted = {"content": [{"type": "text", "text": '{"cache_miss_reason": {"type": "hoax"}}'}]}
    found = last(turns, turns.turn(went_on(claude_code()), anthropic(0, 21_000), more=quoted))
    assert rules(found) == [("unexplained", False)]


def test_another_key_may_be_another_workspace() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    found = last(turns, turns.turn(went_on(claude_code()), anthropic(0, 21_000), headers=(("X-Api-Key", "[redacted:99999999]"),)))
    assert rules(found)[0] == ("key", False)


def test_a_call_without_usage_is_judged_by_its_request() -> None:
    turns = Turns()
    turns.turn(claude_code(), anthropic(0, 21_000))
    body = went_on(claude_code())
    body["tools"].pop()
    found = last(turns, turns.turn(body, None, status=529))
    assert (found.cache.verdict, rules(found)) == ("unknown", [("tools", True)])
    assert found.cache.missed_usd is None


CHAT = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": "Be brief. " * 900}, {"role": "user", "content": "HELLO_CAPTURE"}],
}


def chat_turns(more: Body, usage: Body, *, gap_s: float = 10, sent: int = 2000) -> Comparison:
    turns = Turns("chat")
    turns.turn(CHAT, chat(sent, 0), at_s=0)
    messages = [*CHAT["messages"], {"role": "assistant", "content": "Answer 0."}, {"role": "user", "content": "Go on."}]
    return last(turns, turns.turn(CHAT | {"messages": messages} | more, usage, at_s=gap_s))


def test_openai_keeps_the_beginning_by_itself_in_steps() -> None:
    found = chat_turns({}, chat(2030, 1920))
    assert (found.cache.verdict, found.cache.reusable_tokens, found.cache.reasons) == ("kept", 1920, ())
    assert found.cache.saved_usd == pytest.approx(1920 * (0.15 - 0.075) / 1e6)


def test_openai_misses_for_time_key_or_nothing_known() -> None:
    assert rules(chat_turns({}, chat(2030, 0))) == [("unexplained", False)]
    assert rules(chat_turns({}, chat(2030, 0), gap_s=900)) == [("expired", False)]
    assert rules(chat_turns({"prompt_cache_key": "b"}, chat(2030, 0))) == [("parameter", False)]
    assert rules(chat_turns({"response_format": {"type": "json_object"}}, chat(2030, 0))) == [("parameter", True)]


def test_openai_keeps_nothing_short() -> None:
    found = chat_turns({}, chat(1020, 0), sent=1000)
    assert (found.cache.verdict, rules(found)) == ("nothing", [("minimum", True)])


def test_a_chained_response_begins_with_what_the_provider_kept() -> None:
    turns = Turns("responses")
    body = json.loads(load("codex-turn").request_body)
    usage = {"input_tokens": 9000, "output_tokens": 20, "input_tokens_details": {"cached_tokens": 0}}
    turns.turn(body, usage)
    after = body | {"previous_response_id": "resp_0", "input": [{"role": "user", "content": "And then?"}]}
    usage = {"input_tokens": 9100, "output_tokens": 20, "input_tokens_details": {"cached_tokens": 8960}}
    found = last(turns, turns.turn(after, usage))
    assert (found.cache.verdict, found.cache.breaks_at) == ("kept", None)
    assert [change.kind for change in found.messages] == ["same", "added"]
    assert "previous_response_id" in found.messages[0].note


def test_gemini_keeps_the_beginning_too() -> None:
    turns = Turns("gemini")
    body = {"contents": [{"role": "user", "parts": [{"text": "Long " * 3000}]}]}
    turns.turn(body, {"promptTokenCount": 3000, "candidatesTokenCount": 5, "totalTokenCount": 3005})
    after = {"contents": [*body["contents"], {"role": "model", "parts": [{"text": "Yes"}]}, {"role": "user", "parts": [{"text": "?"}]}]}
    told = {"promptTokenCount": 3010, "cachedContentTokenCount": 2990, "candidatesTokenCount": 5, "totalTokenCount": 3015}
    assert last(turns, turns.turn(after, told)).cache.verdict == "kept"


def test_any_two_calls_can_be_compared_and_a_first_turn_needs_another() -> None:
    turns = Turns()
    first = turns.turn(claude_code(), anthropic(0, 21_000))
    second = turns.turn(went_on(claude_code()), anthropic(21_000, 120))
    back = view_diff(turns.reader(), first, second)
    assert (back.cache.verdict, back.same) == ("unknown", False)
    assert view_diff(turns.reader(), first, first).same
    with pytest.raises(NotFound, match="begins its conversation"):
        view_diff(turns.reader(), first)
    with pytest.raises(NotFound, match="no call"):
        view_diff(turns.reader(), "nowhere")
