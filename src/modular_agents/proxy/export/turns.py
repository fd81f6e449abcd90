"""One call as a foldable piece of a page: what was new in its request, what came back, and the facts around it. Reads without a script."""

from collections.abc import Iterator, Mapping

from modular_agents.proxy.export.spelling import duration, line, many, money, pretty, span_ms, text, whole
from modular_agents.proxy.model.query import CallDetail, CallRow, MessageView, PartView

GIST_CHARS, TOOL_CHARS = 300, 110
"""On one line."""
_ROLES = {"user": "user", "assistant": "assistant", "model": "assistant", "tool": "tool", "system": "system", "developer": "system"}


class Turns:
    """The calls of one agent, one after another. What stands in every one of them (system prompt, tools) is shown when it changes."""

    def __init__(self, start: str) -> None:
        self._start = start
        self._system: tuple[str, ...] | None = None
        self._tools: tuple[str, ...] = ()

    def draw(self, detail: CallDetail) -> Iterator[str]:
        """Yield one call."""
        call = detail.call
        wrong = " wrong" if call.error is not None or call.status == "failed" else ""
        yield f'<details class="turn{wrong}" id="call-{text(call.call_id)}"><summary>'
        yield f'<span class="mono dim">+{duration(span_ms(self._start, call.created_at))}</span>'
        yield f'<span class="gist">{line(_gist(call), GIST_CHARS)}</span><span>{text(money(call.cost_usd))}</span>'
        yield f'<span class="what">{text(_figures(call))}</span></summary><div class="inside">'
        yield from self._standing(detail)
        if detail.new_from and detail.new_from < len(detail.messages):
            yield f'<p class="fold">{many(detail.new_from, "earlier message")} sent again, shown above.</p>'
        names = {part.tool_id: part.name or "" for message in detail.messages for part in message.parts if part.kind == "tool_use"}
        for message in detail.messages[detail.new_from :]:
            yield from _message(message, _ROLES.get(message.role, message.role), names)
        for number, answer in enumerate(detail.answers or detail.partial):
            yield from _message(answer, "answer" if not number else f"answer {number + 1}", names, is_answer=True)
        if call.error is not None:
            whose = f" ({detail.error_whose}'s: {detail.error_kind})" if detail.error_whose else ""
            yield f'<p class="error said">{text(call.error + whose)}</p>'
        yield from _facts(detail)
        yield "</div></details>"

    def _standing(self, detail: CallDetail) -> Iterator[str]:
        system = tuple(message.node for message in detail.system)
        if system != self._system and detail.system:
            yield '<details class="fold"><summary>System prompt</summary>'
            for message in detail.system:
                yield from _message(message, "system", {})
            yield "</details>"
        if detail.tools != self._tools and detail.tools:
            yield f'<details class="fold"><summary>{many(len(detail.tools), "tool")} offered</summary>'
            for tool in detail.tools:
                yield f'<div class="part"><pre class="said">{text(pretty(tool))}</pre></div>'
            yield "</details>"
        self._system, self._tools = system, detail.tools


def _message(message: MessageView, heading: str, names: Mapping[str | None, str], *, is_answer: bool = False) -> Iterator[str]:
    yield f'<div class="message{" answer" if is_answer else ""}"><h3>{text(heading)}</h3>'
    for part in message.parts:
        yield _part(part, names)
    yield "</div>"


def _part(part: PartView, names: Mapping[str | None, str]) -> str:
    """Return a part. `names`: of tools, by the ids of their uses."""
    match part.kind:
        case "tool_use" | "server_tool_use":
            inner = f'<pre class="said">{text(pretty(part.arguments or ""))}</pre>'
            asked = f"{text(part.name or 'tool')} {line(part.arguments or '', TOOL_CHARS)}"
            return f'<details class="part tool"><summary>→ {asked}</summary>{inner}</details>'
        case "tool_result" | "server_tool_result":
            wrong, mark = (" wrong", "error from") if part.is_error else ("", "←")
            inner = f'<pre class="said">{text(part.text)}</pre>'
            told = f"{text(part.name or names.get(part.tool_id, ''))} {line(part.text, TOOL_CHARS)}"
            return f'<details class="part tool{wrong}"><summary>{mark} {told}</summary>{inner}</details>'
        case "thinking":
            return f'<details class="part"><summary class="dim">Thinking</summary><p class="said thinking">{text(part.text)}</p></details>'
        case "text" | "refusal":
            return f'<p class="part said">{text(part.text)}</p>'
        case _:
            kind = text(part.kind.replace("_", " "))
            return f'<p class="part dim">[{kind}, {many(len(part.raw), "character")} of JSON] {text(part.text)}</p>'


def _gist(call: CallRow) -> str:
    if call.error:
        return call.error
    if call.tool_names:
        return f"→ {', '.join(call.tool_names)}" + (f" · {call.answer_preview}" if call.answer_preview else "")
    return call.answer_preview or call.prompt_preview or f"{call.method} {call.path}"


def _figures(call: CallRow) -> str:
    words = [call.model or f"{call.method} {call.path}"]
    if call.tokens_input is not None or call.tokens_output is not None:
        cached = f" ({whole(call.tokens_cache_read)} from cache)" if call.tokens_cache_read else ""
        words.append(f"{whole(call.tokens_input)} in{cached}, {whole(call.tokens_output)} out")
    words.append(duration(call.duration_ms) + (f", first token after {duration(call.ttft_ms)}" if call.ttft_ms is not None else ""))
    words += [call.status] if call.status != "completed" else []
    words += [call.kind] if call.kind != "turn" else []
    return " · ".join(words)


def _facts(detail: CallDetail) -> Iterator[str]:
    call = detail.call
    known = (
        ("call", call.call_id),
        ("started", call.created_at),
        ("request", f"{call.method} {call.path} to {call.upstream}" + (", streamed" if call.stream else "")),
        (
            "model",
            f"{call.model or ''}" + (f", answered by {detail.model_response}" if detail.model_response not in {None, call.model} else ""),
        ),
        ("ended", " · ".join(filter(None, (call.status, call.finish_reason, f"HTTP {call.http_status}" if call.http_status else "")))),
        ("cost", f"{money(call.cost_usd)} {detail.cost.why or detail.cost.catalogue or ''}"),
        ("tokens", "" if call.usage_source == "reported" else call.usage_source),
        ("provider's ids", " ".join(filter(None, (detail.request_id, detail.response_id)))),
        ("parameters", "" if detail.params in {"", "{}"} else detail.params),
        ("not understood", f"{detail.unreadable_where}: {detail.unreadable_reason}" if detail.unreadable_reason else ""),
        ("replay of", call.replay_of or ""),
        ("process", f"{detail.caller.pid} {detail.caller.command}" if detail.caller else ""),
        ("record", ", ".join(call.flags)),
    )
    yield '<details class="fold"><summary>Facts</summary><dl class="facts">'
    for name, said in known:
        if said.strip():
            yield f"<dt>{name}</dt><dd>{text(said, 4000)}</dd>"
    yield "</dl></details>"
