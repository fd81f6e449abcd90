"""Ids are believed in the order of who gave them: the person, the agent's own tooling, nobody.

What the person or the app said to us names the trace and beats everything. What an agent's tooling says of itself
(Claude Code, Codex, OpenCode, gateways' conventions) is read where it already stands in headers and bodies. A session id
is shared by sub-agents: it groups calls into a trace and is never an agent's identity. A *loose* session (a W3C trace id, a
prompt cache key that looks like an id) joins calls that share it, and says nothing of calls that do not.
Sources: captures of the clients named (tests/corpus), W3C Trace Context and Baggage, docs of Helicone, Portkey and LiteLLM.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import msgspec

from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.exchange import Hints
from modular_agents.proxy.model.ids import clean_opaque_id
from modular_agents.proxy.model.quick import quick

CLAUDE_SESSION = "x-claude-code-session-id"
_SESSION_HEADERS = (
    CLAUDE_SESSION,
    "session-id",
    "session_id",
    "x-session-id",
    "x-session-affinity",
    "helicone-session-id",
    "x-portkey-trace-id",
    "x-litellm-session-id",
    "x-litellm-trace-id",
)
"""Headers that name a session, most specific client first."""
_OTHER_HEADERS = (
    "x-task-id",
    "x-claude-code-agent-id",
    "x-claude-code-parent-agent-id",
    "thread-id",
    "x-codex-turn-metadata",
    "x-codex-parent-thread-id",
    "x-openai-subagent",
    "x-parent-session-id",
    "helicone-session-path",
    "helicone-session-name",
    "x-portkey-span-id",
    "x-portkey-parent-span-id",
    "x-stainless-retry-count",
    "traceparent",
    "baggage",
)
_HEADERS = frozenset((*_SESSION_HEADERS, *_OTHER_HEADERS))
_METADATA_NAMES = ("session_id", "trace_id", "conversation_id", "litellm_session_id", "litellm_trace_id")
"""Fields of a body's `metadata` that people use for what X-Trace-ID says."""
_BAGGAGE_NAMES = frozenset({"session.id", "session_id", "sessionid", "gen_ai.conversation.id", "langfuse_session_id"})
"""Members of `baggage` by which OpenTelemetry's agents name a session. Source: OTel semantic conventions, Langfuse docs."""
_USER_ID_SESSION = re.compile(r"_session_([0-9a-f-]{36})$")
"""Claude Code before 2.1 wrote `user_…_account_…_session_<uuid>` where later ones write JSON."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_NO_TRACE = "0" * 32
_ID_LIKE = re.compile(r"(?:.*[^0-9A-Za-z])?[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}")
"""What is no name that somebody chose, and so is not shared by unrelated runs: it ends with a UUID."""
LOOSE = frozenset({"header.traceparent", "body.prompt_cache_key"})
"""Rules of loose sessions."""
_CODEX_ROOT = "root"
"""Name of Codex's first agent, and of its helpers, which `x-openai-subagent` tells apart (`review`, `compact` …)."""
_CODEX_SPAWNED = "collab_spawn"
"""What Codex calls every agent that another one spawned: no name. Its older multi-agent tools leave `agent_name` at the root's."""
REMEMBERED_BYTES = 8 * 1024
"""More than this, of which a schema or a client gone astray may send megabytes, is read anew each time: bounds memory to 2 MB."""
MAIN = "main"
"""Stands for the thread of a session that has no id of its own."""


class _Turn(msgspec.Struct, rename={"thread": "thread_id", "parent_thread": "parent_thread_id"}):
    """Codex's turn metadata, as far as we read it."""

    session_id: str | None = None
    thread: str | None = None
    parent_thread: str | None = None
    agent_name: str | None = None
    request_kind: str | None = None


class _Hinted(msgspec.Struct):
    """The fields of a request body that may say who is speaking."""

    metadata: Any = None
    conversation: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    litellm_session_id: Any = None
    client_metadata: Any = None
    prompt_cache_key: Any = None


_TURN = msgspec.json.Decoder(_Turn)
_HINTED = msgspec.json.Decoder(_Hinted)
_NO_TURN, _NO_HINTS = _Turn(), _Hinted()


@quick
@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks, as far as anybody said. Every id is cleaned, opaque text.

    trace: given by the person or app, with the rule that found it. trace_name: what they call it.
    session: groups calls, with its rule.
    thread, parent_thread: the tooling's own name for the conversation and for the one that opened it.
    branch, parent_branch: where in a tree of spans or steps the call stands, and where its parent does.
    agent: a name that was given. request_kind: what the tooling calls this request (Codex: `turn`, `prewarm`, `compact` …).
    attempt: the SDK's count of retries before this request. max_tokens: the answer's limit, which tells a probe.
    """

    trace: str | None = None
    trace_rule: str = ""
    trace_name: str | None = None
    session: str | None = None
    session_rule: str = ""
    thread: str | None = None
    parent_thread: str | None = None
    branch: str | None = None
    parent_branch: str | None = None
    agent: str | None = None
    parent_call: str | None = None
    replay_of: str | None = None
    request_kind: str | None = None
    attempt: int = 0
    max_tokens: int | None = None


def identify(call: Call) -> Identity:
    """Read what the call's hints, headers and body say of who is speaking."""
    telling = [(key, value) for name, value in call.request_headers if (key := name.lower()) in _HEADERS]
    size = len(call.params) + sum([len(value) for _, value in telling])
    return (_remembered if size <= REMEMBERED_BYTES else _identity)(call.hints, tuple(telling), call.params)


def _identity(hints: Hints, telling: tuple[tuple[str, str], ...], params: bytes) -> Identity:
    """Read the same, of the headers that tell and of the body's parameters."""
    hinted = _hinted(params)
    if not telling and hinted.client_metadata is None:
        session, rule = _body_session(hinted)
        said = "said" if hints.trace else ""
        return Identity(
            hints.trace, said, None, session, rule, None, None, None, None, hints.agent, hints.parent_call, hints.replay_of, None, 0,
            _limit(hinted),
        )  # fmt: skip
    return _told(hints, dict(telling), hinted)


_remembered = lru_cache(maxsize=256)(_identity)
"""A conversation's turns say it in the same words."""


def _told(hints: Hints, headers: Mapping[str, str], hinted: _Hinted) -> Identity:
    """Read what the headers say, beside our own and the body."""
    turn = _turn(_of_turn(hinted) or headers.get("x-codex-turn-metadata"))
    session, session_rule = _session(headers, hinted, turn)
    trace, trace_rule = hints.trace, "said" if hints.trace else ""
    if trace is None and (trace := _clean(headers.get("x-task-id"))):
        trace_rule = "header.x-task-id"
    branch, parent_branch = _branches(headers, session) if session else (None, None)
    return Identity(
        trace,
        trace_rule,
        _clean(headers.get("helicone-session-name")),
        session,
        session_rule,
        *_threads(headers, turn, session),
        branch,
        parent_branch,
        hints.agent or _agent(headers, turn, branch),
        hints.parent_call,
        hints.replay_of,
        turn.request_kind,
        _count(headers.get("x-stainless-retry-count")),
        _limit(hinted),
    )


def _clean(text: str | None) -> str | None:
    return clean_opaque_id(text) if text else None


def _hinted(params: bytes) -> _Hinted:
    try:
        return _HINTED.decode(params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NO_HINTS


def _turn(text: str | None) -> _Turn:
    if text is None:
        return _NO_TURN
    try:
        return _TURN.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _NO_TURN


def _of_turn(hinted: _Hinted) -> str | None:
    """Return what Codex says of one turn in the request's body: on a WebSocket the headers are the socket's, and say `prewarm`."""
    metadata = hinted.client_metadata
    value = metadata.get("x-codex-turn-metadata") if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else None


def _session(headers: Mapping[str, str], hinted: _Hinted, turn: _Turn) -> tuple[str | None, str]:
    for name in _SESSION_HEADERS:
        if name in headers and (session := _clean(headers[name])):
            return session, f"header.{name}"
    if session := _clean(turn.session_id):
        return session, "header.x-codex-turn-metadata"
    if (found := _body_session(hinted))[0] and found[1] not in LOOSE:
        return found
    if session := _baggage(headers.get("baggage", "")):
        return session, "header.baggage"
    traced = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return (traced[1], "header.traceparent") if traced and traced[1] != _NO_TRACE else found


def _metadata_session(metadata: dict[str, Any]) -> tuple[str | None, str]:
    if isinstance(user_id := metadata.get("user_id"), str):
        if found := _USER_ID_SESSION.search(user_id):
            return found[1], "body.metadata.user_id"
        if user_id.startswith("{") and (session := _clean(_turn(user_id).session_id)):
            return session, "body.metadata.user_id"
    for name in _METADATA_NAMES:
        if isinstance(value := metadata.get(name), str) and (session := _clean(value)):
            return session, f"body.metadata.{name}"
    return None, ""


def _body_session(hinted: _Hinted) -> tuple[str | None, str]:
    if hinted == _NO_HINTS:
        return None, ""
    if isinstance(hinted.metadata, dict) and (found := _metadata_session(hinted.metadata))[0]:
        return found
    if isinstance(value := hinted.litellm_session_id, str) and (session := _clean(value)):
        return session, "body.litellm_session_id"
    if isinstance(hinted.client_metadata, dict) and isinstance(value := hinted.client_metadata.get("session_id"), str):
        return _clean(value), "body.client_metadata"
    conversation = hinted.conversation.get("id") if isinstance(hinted.conversation, dict) else hinted.conversation
    if isinstance(conversation, str) and (session := _clean(conversation)):
        return session, "body.conversation"
    if isinstance(key := hinted.prompt_cache_key, str) and _ID_LIKE.fullmatch(key):
        return _clean(key), "body.prompt_cache_key"
    return None, ""


def _baggage(text: str) -> str | None:
    """Return the session that W3C baggage names (`key=value;property, …`)."""
    for member in text.split(","):
        key, _, value = member.partition(";")[0].partition("=")
        if key.strip().lower() in _BAGGAGE_NAMES and (session := _clean(unquote(value.strip()))):
            return session
    return None


def _threads(headers: Mapping[str, str], turn: _Turn, session: str | None) -> tuple[str | None, str | None]:
    """Return the tooling's names for this thread and the one that opened it."""
    if CLAUDE_SESSION in headers and session:
        # Title helpers and probes carry the session too, so only a sub-agent's id names a conversation.
        agent, opener = headers.get("x-claude-code-agent-id"), headers.get("x-claude-code-parent-agent-id")
        return (f"{session}/{agent}" if agent else None), (f"{session}/{opener or MAIN}" if agent else None)
    if own := _clean(headers.get("thread-id") or turn.thread):
        return own, _clean(headers.get("x-codex-parent-thread-id") or turn.parent_thread)
    if "x-session-id" in headers and (parent := headers.get("x-parent-session-id")):
        return session, _clean(parent)
    return None, None


def _branches(headers: Mapping[str, str], session: str) -> tuple[str | None, str | None]:
    """Return where in the session's tree the call stands: Helicone's paths, Portkey's spans."""
    if path := _clean(headers.get("helicone-session-path")):
        steps = path.strip("/").split("/")
        above = "/".join(steps[:-1])
        return f"{session}/{'/'.join(steps)}", f"{session}/{above}" if above else None
    if span := _clean(headers.get("x-portkey-span-id")):
        above = _clean(headers.get("x-portkey-parent-span-id")) or ""
        return f"{session}#{span}", f"{session}#{above}" if above else None
    return None, None


def _agent(headers: Mapping[str, str], turn: _Turn, branch: str | None) -> str | None:
    own = _clean(turn.agent_name.strip("/").rpartition("/")[2]) if turn.agent_name else None
    if own and own != _CODEX_ROOT:
        return own
    kind = headers.get("x-openai-subagent")
    if kind == _CODEX_SPAWNED:
        return None
    if name := _clean(kind) or own:
        return name
    return branch.rpartition("/")[2] if branch and "helicone-session-path" in headers else None


def _count(text: str | None) -> int:
    return int(text) if text and len(text) < 4 and text.isdecimal() else 0  # noqa: PLR2004 - a count of retries has at most three digits


def _limit(hinted: _Hinted) -> int | None:
    for value in (hinted.max_tokens, hinted.max_completion_tokens, hinted.max_output_tokens):
        if isinstance(value, int):
            return value
    return None
