"""What an answer may set off: each string it gives to a tool, or names as a sub-task in a plan, may become another agent's prompt.

A plan is an answer that is (or holds) JSON, or a list. Strings too short to mean anything are not offered.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from modular_agents.proxy.linking.text import Said, said
from modular_agents.proxy.model.call import Message

WITHOUT_IDS = frozenset({"gemini.generate", "ollama"})
"""Formats whose clients make up the ids of tool uses, or drop them."""
MAX_OFFERS = 48
"""Strings of one answer that are kept. A plan with more sub-tasks than this is linked by its answers instead."""
MAX_DEPTH = 6
MAX_PLAN_CHARS = 64 * 1024
"""Longer answers are documents, not plans."""
MAX_RESULT_CHARS = 16 * 1024
"""Longer results that look like JSON are taken as text."""
MAX_RESULT_STRINGS = 8
"""Strings of a result in JSON that may be what an agent said."""
_QUOTED_CHARS = 4096
"""Longer strings are files, not commands: nothing quoted in them is a prompt."""
_NAMES = ("subagent_type", "agent", "agent_name", "agent_type", "role", "module", "name", "worker", "assignee")
"""Arguments that name who shall do it, most telling first."""
_FINISHING = frozenset({"complete_task", "final_answer", "final_result", "attempt_completion", "task_complete", "submit_result", "finish"})
"""Tools by which an agent hands in its result: Gemini CLI, smolagents, pydantic-ai, Cline, and names people give."""
_SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.DOTALL)
"""Claude Code has its summary written between these; what stands before them is thrown away."""
_FINAL = "Final Answer:"
"""Ends an answer in ReAct form (LangChain, CrewAI): what stands before it stays with the agent."""
_CODE = ("<code>", "```")
_WRAPS = ("{", "[", "<")
_QUOTED = re.compile(r"\"([^\"\n]{12,})\"|'([^'\n]{12,})'")
_FENCED = re.compile(r"```(?:json|JSON)?\s*\n(.*?)```", re.DOTALL)
_ITEM = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+(\S.{14,})$", re.MULTILINE)
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""No item of a list begins with one of these."""
_MIN_RESULT_CHARS = 16


class Offer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A string that an answer hands out: by which tool use (empty: a plan), to whom as far as its neighbours say."""

    tool_id: str
    tool: str
    agent: str
    piece: Said


def forced_tool(params: bytes) -> str:
    """Return the one tool that a request makes the model use; empty when it leaves the choice.

    What the model gives such a tool is its answer in the form that was asked for (structured output), and asks for nothing.
    """
    if b'"tool_choice"' not in params and b'"toolChoice"' not in params and b'"allowedFunctionNames"' not in params:
        return ""
    value = _json(params.decode("utf-8", "replace"))
    config = _at(value, "toolConfig")
    named = _at(config, "functionCallingConfig", "allowedFunctionNames")
    choice = _at(value, "tool_choice")
    for name in (_at(choice, "name"), _at(choice, "function", "name"), _at(config, "toolChoice", "tool", "name")):
        if isinstance(name, str):
            return name
    return named[0] if isinstance(named, list) and len(named) == 1 and isinstance(named[0], str) else ""


def _at(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def offers(answer: Message, *, ids: bool = True, forced: str = "") -> tuple[Offer, ...]:
    """Return what the answer offers, at most `MAX_OFFERS`. Without `ids` tool uses go by name and place (see `unnamed_use`).

    forced: the tool that had to be used: what it was given is a plan.
    """
    found: list[Offer] = []
    counts: dict[str, int] = {}
    for part in answer.parts:
        if part.kind == "tool_use":
            name = part.name or ""
            counts[name] = counts.get(name, 0) + 1
            tool_id = (part.tool_id if ids else None) or unnamed_use(name, counts[name])
            if name and name == forced:
                name = tool_id = ""
            for text, agent in _strings(_json(part.arguments or ""), "", 0):
                _add(found, tool_id, name, agent, text)
        elif part.kind == "text":
            for text, agent in _planned(part.text):
                _add(found, "", "", agent, text)
    return tuple(found)


def unnamed_use(tool: str, nth: int) -> str:
    """Return the id of a tool use where there is none, or clients make them up (Gemini, Ollama): results come by name, in order."""
    return f"{tool}#{nth}"


def handed_text(answer: Message, *, is_summary: bool = False, forced: str = "") -> str | None:
    """Return what an answer may hand on: its text, or what a tool was given that ends the work or had to be used; None when it asks on.

    Of a summary of a conversation, and of an answer in ReAct form, only the part that is marked as such is handed on.
    """
    uses = [part for part in answer.parts if part.kind == "tool_use"]
    if not uses:
        text = "".join([part.text for part in answer.parts if part.kind in {"text", "refusal"}])
        if is_summary and (marked := _SUMMARY.search(text)):
            return marked[1]
        return text.rpartition(_FINAL)[2] if _FINAL in text else text
    if len(uses) == 1 and uses[0].name and uses[0].name == forced:
        return _unwrapped(uses[0].arguments or "")
    if len(uses) > 1 or (uses[0].name or "").lower() not in _FINISHING:
        return None
    return max((text for text, _ in _strings(_json(uses[0].arguments or ""), "", 0)), key=len, default="")


def _unwrapped(arguments: str) -> str:
    """Return what structured output says: all of it, or its one value, around which libraries put an object."""
    value = _json(arguments)
    if isinstance(value, dict) and len(value) == 1:
        only = next(iter(value.values()))
        return only if isinstance(only, str) else msgspec.json.encode(only).decode()
    return arguments


def wrapped(text: str) -> Sequence[str]:
    """Return the longer strings of a text that is JSON, bare or in a tag (as Codex hands answers on); none when it is no JSON."""
    if text[:1] not in _WRAPS or len(text) > MAX_RESULT_CHARS:
        return ()
    value = _embedded(text)
    if value is None:
        return ()
    found = [inner for inner, _ in _strings(value, "", 0) if len(inner) >= _MIN_RESULT_CHARS and " " in inner]
    return found[:MAX_RESULT_STRINGS]


def _add(found: list[Offer], tool_id: str, tool: str, agent: str, text: str) -> None:
    if len(found) < MAX_OFFERS and (" " in text.strip() or not text.isascii()) and (piece := said(text)):
        found.append(Offer(tool_id, tool, agent, piece))


def _planned(text: str) -> Iterator[tuple[str, str]]:
    """Yield (string, agent) of a plan in plain text."""
    if len(text) > MAX_PLAN_CHARS:
        return
    value = _embedded(text)
    if value is not None:
        yield from _strings(value, "", 0)
        return
    if "\n" in text or text[:1] not in _LETTERS:
        for item in _ITEM.finditer(text):
            yield item[1], ""
    if any(mark in text for mark in _CODE):  # an agent that writes code calls others with quoted words
        for double, single in _QUOTED.findall(text):
            yield double or single, ""


def _embedded(text: str) -> object:
    """Return the JSON object or array that an answer is, or holds; None when there is none."""
    if "{" not in text and "[" not in text:
        return None
    if "```" in text:
        for block in _FENCED.findall(text):
            if isinstance(value := _json(block), (dict, list)):
                return value
    for opens, closes in ("{}", "[]"):
        start, end = text.find(opens), text.rfind(closes)
        if 0 <= start < end and isinstance(value := _json(text[start : end + 1]), (dict, list)):
            return value
    return None


def _json(text: str) -> object:
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
    return value


def _strings(value: object, agent: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (string, agent) of every string in a JSON value, and of what a command quotes."""
    if isinstance(value, str):
        yield value, agent
        if len(value) <= _QUOTED_CHARS and ('"' in value or "'" in value):
            for double, single in _QUOTED.findall(value):
                yield double or single, agent
    elif depth < MAX_DEPTH and isinstance(value, dict):
        for key in _NAMES:
            if isinstance(name := value.get(key), str) and name:
                agent = name
                break
        for item in value.values():
            yield from _strings(item, agent, depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, list):
        for item in value:
            yield from _strings(item, agent, depth + 1)
