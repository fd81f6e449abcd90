"""A tool ran where an answer asked for it and a later request brings its result: read off a trace's calls, stored nowhere.

A result belongs to the newest use of its id that the same conversation has not answered yet. Where clients make ids up, drop them or
write results as plain text, it goes by the tool's name and the order in which uses and results stand. The first request that brings a
result counts: what a retry, an edited turn or a count of tokens brings again ran once. A replay's tools never run, and what an answer
asked for that broke off ran only where a result was seen.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile

import msgspec

from modular_agents.proxy.linking import facts
from modular_agents.proxy.linking.facts import COMPLETED
from modular_agents.proxy.linking.offers import WITHOUT_IDS, unnamed_use
from modular_agents.proxy.model.query import CallDetail, CallRow, EdgeRow, PartView, TraceDetail, TraceRow
from modular_agents.proxy.model.tools import (
    FAILED,
    RETURNED,
    RUNNING,
    UNSEEN,
    ToolResult,
    ToolRun,
    ToolSpan,
    ToolSums,
    ToolTurn,
    ToolUse,
    UserText,
)
from modular_agents.proxy.model.trace import HELPERS

REPLAY = "replay"
TOOL_USE, TOOL_RESULT = "tool_use", "tool_result"
MAX_ATTEMPTS = 16
"""Failed attempts that are stepped over on the way to the answer that a turn goes on from."""
_SAID = re.compile(
    r"^[ \t>*#\[(<]{0,16}(?:tool|function)[ _-](?:call[ _-])?(?:result|output|response)s?\b"
    r"[ \t:]{0,8}(?P<word>from|of|for|name)?[ \t:=]{0,8}[`\"'(\[<*]{0,4}(?P<name>[^\W\d][\w./-]{0,127})",
    re.IGNORECASE | re.MULTILINE,
)
"""`Tool result from NAME: …` at the beginning of a line, and how else frameworks without native tools spell it.
Bounded, so that no text makes it slow."""
_AFTER_NAME = "`\"')]>*: "
_OBJECT = re.compile(r"\{(?=\s*\")")
MAX_WRITTEN_CHARS = 64 * 1024
"""Of a call that a model writes as JSON in its text; longer ones are left out."""
_DECODER = json.JSONDecoder()
_MS = timedelta(milliseconds=1)


@dataclass(slots=True)
class _Run:
    """A tool use while its result is looked for. `key`: how linking names the use."""

    call: CallRow
    number: int
    name: str
    tool_id: str | None
    key: str
    by: CallRow | None = None
    result: ToolResult | None = None
    paired_by: str = ""
    opened: list[str] = field(default_factory=list)


def tool_spans(detail: TraceDetail, turns: Sequence[ToolTurn]) -> tuple[ToolSpan, ...]:
    """Return the tools that a trace's calls set off, in the order of the answers that asked for them."""
    return _Reading(detail, turns).spans()


def tool_sums(spans: Sequence[ToolSpan]) -> dict[str, tuple[ToolSums, ...]]:
    """Return each thread's runs summed by tool, in the order of their first use."""
    grouped: dict[str, dict[str, list[ToolSpan]]] = {}
    for span in spans:
        grouped.setdefault(span.thread_id, {}).setdefault(span.name, []).append(span)
    return {thread: tuple(_sums(name, runs) for name, runs in tools.items()) for thread, tools in grouped.items()}


def turn_of(detail: CallDetail) -> ToolTurn:
    """Return what a call says of tools, as a store reads it."""
    call, messages = detail.call, detail.messages
    last = max((number for number, message in enumerate(messages) if message.role == "assistant"), default=-1)
    first = min(last + 1, detail.new_from)
    entries = [(number, messages[number]) for number in range(first, len(messages))]
    results = tuple(
        ToolResult(part.tool_id, part.name, part.is_error, number, place, number > last)
        for number, message in entries
        for place, part in enumerate(message.parts)
        if part.kind == TOOL_RESULT
    )
    texts = tuple(
        UserText(part.text, number, place)
        for number, message in entries
        if number > last and message.role == "user" and call.parent_id is not None and not any(result.is_new for result in results)
        for place, part in enumerate(message.parts)
        if part.kind == "text"
    )
    uses = (part for answer in detail.answers[:1] for part in answer.parts if part.kind == TOOL_USE)
    return ToolTurn(call.call_id, tuple(ToolUse(part.tool_id, part.name or "") for part in uses), results, texts)


def text_results(texts: Sequence[UserText]) -> Iterator[tuple[str, UserText, str, bool]]:
    """Yield (tool's name, text, result, whether it is said to be *from* that tool) of every result that stands in user texts."""
    for text in texts:
        found = list(_SAID.finditer(text.text))
        for at, match in enumerate(found):
            end = found[at + 1].start() if at + 1 < len(found) else len(text.text)
            result = text.text[match.end() : end].lstrip(_AFTER_NAME).lstrip("\r\n").rstrip()
            yield match["name"], text, result, match["word"] is not None


def tool_runs(spans: Sequence[ToolSpan], asked: CallDetail, brought: Mapping[str, CallDetail]) -> tuple[ToolRun, ...]:
    """Return the runs that one call's answer set off, and what came of them. `brought`: by id, the calls that brought results."""
    uses = [part for answer in asked.answers[:1] for part in answer.parts if part.kind == TOOL_USE]
    texts = "".join(part.text for answer in asked.answers[:1] for part in answer.parts if part.kind == "text")
    runs = []
    seen: dict[tuple[str | None, str], int] = defaultdict(int)
    for span in spans:
        arguments = uses[span.number].arguments or "" if span.number < len(uses) else _written(texts, span.name)
        by = brought.get(span.result_call_id or "")
        nth = seen[span.result_call_id, span.name] if span.paired_by == "text" else 0
        seen[span.result_call_id, span.name] += span.paired_by == "text"
        runs.append(ToolRun(span, arguments, _result(span, by, nth) if by is not None else ()))
    return tuple(runs)


def runs_between(asked: CallDetail, told: CallDetail) -> tuple[ToolRun, ...]:
    """Return what ran between two turns of a conversation, for whoever sees no more of it. Of `asked` only row and answers are read."""
    row = TraceRow("", "", None, None, "", None, "", "", 2, 0, 1, 0, None, None, None, 0)
    edge = EdgeRow("", "", asked.call.call_id, told.call.call_id, "request", "", 1.0)
    turns = (replace(turn_of(asked), results=(), texts=()), turn_of(told))
    spans = tool_spans(TraceDetail(row, (asked.call, told.call), (edge,), 0), turns)
    mine = [span for span in spans if span.call_id == asked.call.call_id and span.result_call_id == told.call.call_id]
    return tool_runs(mine, asked, {told.call.call_id: told})


def _result(span: ToolSpan, by: CallDetail, nth: int) -> tuple[PartView, ...]:
    if span.result_message is None or span.result_part is None or span.result_message >= len(by.messages):
        return ()
    parts = by.messages[span.result_message].parts[span.result_part :]
    if not parts:
        return ()
    if span.paired_by == "text":
        texts = [
            UserText(part.text, number, place)
            for number, message in enumerate(by.messages)
            for place, part in enumerate(message.parts)
            if number >= span.result_message and part.kind == "text"
        ]
        same = [result for name, _, result, _ in text_results(texts) if name == span.name]
        return (replace(parts[0], text=same[nth], raw=""),) if nth < len(same) else ()
    beside = takewhile(lambda part: part.kind != TOOL_RESULT and part.tool_id == parts[0].tool_id, parts[1:])
    return (parts[0], *beside) if parts[0].tool_id else parts[:1]


def _written(text: str, name: str) -> str:
    """Return the JSON object by which an answer in plain text calls a tool: the smallest that names it; empty when there is none."""
    found = ""
    for match in _OBJECT.finditer(text):
        try:
            value, size = _DECODER.raw_decode(text[match.start() : match.start() + MAX_WRITTEN_CHARS])
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and name in (one for one in value.values() if isinstance(one, str)):
            found = text[match.start() : match.start() + size]
    return found


class _Reading:
    """One trace being read, call by call in the order of time."""

    def __init__(self, detail: TraceDetail, turns: Sequence[ToolTurn]) -> None:
        self._detail = detail
        self._turns = {turn.call_id: turn for turn in turns}
        self._calls = {call.call_id: call for call in detail.calls}
        self._came = _came_from(detail.edges)
        self._asked: dict[str, list[_Run]] = {}
        self._by_id: dict[tuple[str, str], list[_Run]] = defaultdict(list)
        """By thread and id."""
        self._last: dict[str, str] = {}
        """The last turn of each thread."""

    def spans(self) -> tuple[ToolSpan, ...]:
        for call in self._detail.calls:
            if call.kind in HELPERS or call.kind == REPLAY:
                continue
            turn = self._turns.get(call.call_id)
            if turn is not None:
                self._bring(call, turn)
                self._ask(call, turn)
            self._last[call.thread_id] = call.call_id
        self._open()
        runs = (run for call in self._detail.calls for run in self._asked.get(call.call_id, ()))
        return tuple(self._span(run) for run in runs if run.by is not None or run.call.status == COMPLETED)

    def _ask(self, call: CallRow, turn: ToolTurn) -> None:
        counts: dict[str, int] = defaultdict(int)
        has_ids = call.format not in WITHOUT_IDS
        runs = []
        for number, use in enumerate(turn.uses):
            counts[use.name] += 1
            key = (use.tool_id if has_ids else None) or unnamed_use(use.name, counts[use.name])
            runs.append(_Run(call, number, use.name, use.tool_id, key))
            if use.tool_id:
                self._by_id[call.thread_id, use.tool_id].append(runs[-1])
        if runs:
            self._asked[call.call_id] = runs

    def _bring(self, call: CallRow, turn: ToolTurn) -> None:
        """Pair what a request brings, newest first: where an id is used again and again, the newest result is of the newest use."""
        has_ids = call.format not in WITHOUT_IDS
        unnamed = []
        for result in reversed(turn.results):
            if result.tool_id and has_ids:
                self._by_use(call, result)
            elif result.is_new:
                unnamed.append(result)
        asker = self._asker(call) if unnamed or turn.texts else None
        if asker is None:
            return
        open_runs = [run for run in self._asked.get(asker.call_id, ()) if run.by is None]
        for result in reversed(unnamed):
            self._by_name(call, result, open_runs)
        self._by_text(call, asker, turn.texts)

    def _by_use(self, call: CallRow, result: ToolResult) -> None:
        for thread in (call.thread_id, self._thread_before(call)):
            runs = self._by_id.get((thread, result.tool_id or ""))
            if runs:
                if runs[-1].by is None and _is_before(runs[-1].call, call):
                    _pair(runs[-1], call, result, "id")
                return

    def _by_name(self, call: CallRow, result: ToolResult, open_runs: list[_Run]) -> None:
        """Pair with the first use of that id and name, else of that name, else, where no name is given, with the first of all."""
        same = [run for run in open_runs if result.name in {None, "", run.name}]
        run = next((run for run in same if run.tool_id and run.tool_id == result.tool_id), same[0] if same else None)
        if run is not None:
            open_runs.remove(run)
            _pair(run, call, result, "id" if run.tool_id and run.tool_id == result.tool_id else "name")

    def _by_text(self, call: CallRow, asker: CallRow, texts: Sequence[UserText]) -> None:
        """Pair results written as text; where the answer asked in plain text too, each of them is a run by itself."""
        runs = self._asked.get(asker.call_id, [])
        is_native = any(run.paired_by != "text" or run.by is None for run in runs)
        if runs and not is_native:
            return  # another request brought them before
        for name, text, _, is_sure in text_results(texts):
            result = ToolResult(None, name, None, text.message, text.part, is_new=True)
            if is_native:
                run = next((run for run in runs if run.by is None and run.name == name), None)
            elif is_sure:
                run = _Run(asker, len(runs), name, None, "")
                runs.append(run)
            else:
                run = None
            if run is not None:
                _pair(run, call, result, "text")
        if runs:
            self._asked[asker.call_id] = runs

    def _asker(self, call: CallRow) -> CallRow | None:
        """Return the call whose answer a turn goes on from: failed attempts at the same turn are stepped over."""
        at: CallRow | None = call
        for _ in range(MAX_ATTEMPTS):
            at = self._calls.get(self._came.get(at.call_id, "")) if at is not None else None
            if at is None or at.kind == REPLAY:
                return None
            if at.status == COMPLETED:
                return at
        return None

    def _thread_before(self, call: CallRow) -> str:
        """Return the other thread that a call goes on from, where one agent took over from another."""
        before = self._calls.get(self._came.get(call.call_id, ""))
        return before.thread_id if before is not None and before.thread_id != call.thread_id else ""

    def _open(self) -> None:
        """Note which thread was opened by which use: as linking found it, else by the only use there is, unless a plan opened it."""
        for edge in self._detail.edges:
            runs, child = self._asked.get(edge.from_call_id), self._calls.get(edge.to_call_id)
            if edge.edge_type != "delegation" or not runs or child is None:
                continue
            turn = self._turns.get(child.call_id)
            use = _use_of(turn.facts) if turn is not None and turn.facts else ""
            run = next((run for run in runs if use and run.key == use), runs[0] if len(runs) == 1 and edge.evidence != "plan" else None)
            if run is not None and child.thread_id not in run.opened:
                run.opened.append(child.thread_id)

    def _span(self, run: _Run) -> ToolSpan:
        call, by = run.call, run.by
        start = call.ended_at or call.created_at
        if by is not None:
            start = min(start, by.created_at)
        result = run.result
        return ToolSpan(
            span_id=f"{call.call_id}.{run.number}",
            call_id=call.call_id,
            number=run.number,
            thread_id=call.thread_id,
            name=run.name,
            tool_id=run.tool_id,
            state=self._state(run),
            started_at=start,
            ended_at=by.created_at if by is not None else None,
            duration_ms=_ms_between(start, by.created_at) if by is not None else None,
            result_call_id=by.call_id if by is not None else None,
            result_message=result.message if result is not None else None,
            result_part=result.part if result is not None else None,
            paired_by=run.paired_by,
            opened=tuple(run.opened),
        )

    def _state(self, run: _Run) -> str:
        if run.result is not None:
            return FAILED if run.result.is_error else RETURNED
        is_last = self._last.get(run.call.thread_id) == run.call.call_id
        return RUNNING if is_last and self._detail.trace.status == "running" else UNSEEN


def _came_from(edges: Sequence[EdgeRow]) -> Mapping[str, str]:
    """Return by call which call it goes on from."""
    return {edge.to_call_id: edge.from_call_id for edge in edges if edge.edge_type == "request"}


def _pair(run: _Run, call: CallRow, result: ToolResult, how: str) -> None:
    run.by, run.result, run.paired_by = call, result, how


def _is_before(one: CallRow, other: CallRow) -> bool:
    return (one.created_at, one.call_id) < (other.created_at, other.call_id)


def _use_of(data: bytes) -> str:
    """Return the tool use that opened a call's thread; nothing where linking knows none."""
    try:
        return facts.decode(data)[1].use
    except msgspec.DecodeError:
        return ""


def _ms_between(start: str, end: str) -> float:
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)) / _MS)


def _sums(name: str, runs: Sequence[ToolSpan]) -> ToolSums:
    states = [run.state for run in runs]
    took = sum(run.duration_ms for run in runs if run.duration_ms is not None)
    return ToolSums(name, len(runs), states.count(FAILED), states.count(UNSEEN), states.count(RUNNING), took)
