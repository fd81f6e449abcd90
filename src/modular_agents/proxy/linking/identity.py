"""Ids are believed in the order of who gave them: the person, the agent's own tooling, nobody.

What the person or the app said to us names the trace and beats everything. What an agent's tooling says of itself
(Claude Code, Codex, OpenCode, gateways' conventions) is read where it already stands in headers and bodies. A session id
is shared by sub-agents: it groups calls into a trace and is never an agent's identity.
Sources: captures of the clients named (tests/corpus), W3C Trace Context, docs of Helicone, Portkey and LiteLLM.
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.ids import clean_opaque_id

_SESSION_HEADERS = (
    "x-claude-code-session-id",
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
_METADATA_NAMES = ("session_id", "trace_id", "conversation_id", "litellm_session_id", "litellm_trace_id")
"""Fields of a body's `metadata` that people use for what X-Trace-ID says."""
_USER_ID_SESSION = re.compile(r"_session_([0-9a-f-]{36})$")
"""Claude Code before 2.1 wrote `user_…_account_…_session_<uuid>` where later ones write JSON."""


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


_CODEX_ROOT = "root"
"""Name of Codex's first agent, and of its helpers, which `x-openai-subagent` tells apart (`review`, `compact` …)."""
_CODEX_SPAWNED = "collab_spawn"
"""What Codex calls every agent that another one spawned: no name. Its older multi-agent tools leave `agent_name` at the root's."""
MAIN = "main"
"""Stands for the thread of a session that has no id of its own."""
_TURN = msgspec.json.Decoder(_Turn)
_HINTED = msgspec.json.Decoder(_Hinted)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks, as far as anybody said. Every id is cleaned, opaque text.

    trace: given by the person or app, with the rule that found it. session: groups calls, with its rule.
    thread, parent_thread: the tooling's own name for the conversation and for the one that opened it.
    agent: a name that was given. request_kind: what the tooling calls this request (Codex: `turn`, `prewarm`, `compact` …).
    attempt: the SDK's count of retries before this request. max_tokens: the answer's limit, which tells a probe.
    """

    trace: str | None = None
    trace_rule: str = ""
    session: str | None = None
    session_rule: str = ""
    thread: str | None = None
    parent_thread: str | None = None
    agent: str | None = None
    agent_rule: str = ""
    parent_call: str | None = None
    replay_of: str | None = None
    request_kind: str | None = None
    attempt: int = 0
    max_tokens: int | None = None


def identify(call: Call) -> Identity:
    """Read what the call's hints, headers and body say of who is speaking."""
    headers = {name.lower(): value for name, value in call.request_headers}
    hinted = _hinted(call.params)
    turn = _turn(_told(hinted, "x-codex-turn-metadata") or headers.get("x-codex-turn-metadata"))
    session, session_rule = _session(headers, hinted, turn)
    trace, trace_rule = call.hints.trace, "said"
    if trace is None and (task := headers.get("x-task-id")):
        trace, trace_rule = clean_opaque_id(task), "header.x-task-id"
    thread, parent_thread = _threads(headers, turn, session)
    agent, agent_rule = _agent(call, headers, turn)
    return Identity(
        trace=trace,
        trace_rule=trace_rule if trace else "",
        session=session,
        session_rule=session_rule,
        thread=thread,
        parent_thread=parent_thread,
        agent=agent,
        agent_rule=agent_rule,
        parent_call=call.hints.parent_call,
        replay_of=call.hints.replay_of,
        request_kind=turn.request_kind,
        attempt=_count(headers.get("x-stainless-retry-count")),
        max_tokens=_limit(hinted),
    )


def _hinted(params: bytes) -> _Hinted:
    try:
        return _HINTED.decode(params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Hinted()


def _turn(text: str | None) -> _Turn:
    if text is None:
        return _Turn()
    try:
        return _TURN.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _Turn()


def _told(hinted: _Hinted, name: str) -> str | None:
    """Return what Codex says of one turn in the request's body: on a WebSocket the headers are the socket's, and say `prewarm`."""
    metadata = hinted.client_metadata
    value = metadata.get(name) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else None


def _session(headers: dict[str, str], hinted: _Hinted, turn: _Turn) -> tuple[str | None, str]:
    for name in _SESSION_HEADERS:
        if (value := headers.get(name)) and (session := clean_opaque_id(value)):
            return session, f"header.{name}"
    if turn.session_id and (session := clean_opaque_id(turn.session_id)):
        return session, "header.x-codex-turn-metadata"
    return _body_session(hinted)


def _body_session(hinted: _Hinted) -> tuple[str | None, str]:
    metadata = hinted.metadata if isinstance(hinted.metadata, dict) else {}
    if isinstance(user_id := metadata.get("user_id"), str):
        if found := _USER_ID_SESSION.search(user_id):
            return found[1], "body.metadata.user_id"
        if user_id.startswith("{") and (value := _turn(user_id).session_id):
            return clean_opaque_id(value), "body.metadata.user_id"
    for name in _METADATA_NAMES:
        if isinstance(value := metadata.get(name), str) and (session := clean_opaque_id(value)):
            return session, f"body.metadata.{name}"
    if isinstance(value := hinted.litellm_session_id, str):
        return clean_opaque_id(value), "body.litellm_session_id"
    if isinstance(hinted.client_metadata, dict) and isinstance(value := hinted.client_metadata.get("session_id"), str):
        return clean_opaque_id(value), "body.client_metadata"
    conversation = hinted.conversation.get("id") if isinstance(hinted.conversation, dict) else hinted.conversation
    if isinstance(conversation, str):
        return clean_opaque_id(conversation), "body.conversation"
    return None, ""


def _threads(headers: dict[str, str], turn: _Turn, session: str | None) -> tuple[str | None, str | None]:
    """Return the tooling's names for this thread and the one that opened it."""
    if "x-claude-code-session-id" in headers and session:
        # Title helpers and probes carry the session too, so only a sub-agent's id names a conversation.
        agent, opener = headers.get("x-claude-code-agent-id"), headers.get("x-claude-code-parent-agent-id")
        return (f"{session}/{agent}" if agent else None), (f"{session}/{opener or MAIN}" if agent else None)
    thread = headers.get("thread-id") or turn.thread
    if thread and (own := clean_opaque_id(thread)):
        parent = headers.get("x-codex-parent-thread-id") or turn.parent_thread
        return own, clean_opaque_id(parent) if parent else None
    if "x-session-id" in headers and (parent := headers.get("x-parent-session-id")):
        return session, clean_opaque_id(parent)
    return None, None


def _agent(call: Call, headers: dict[str, str], turn: _Turn) -> tuple[str | None, str]:
    if call.hints.agent:
        return call.hints.agent, "said"
    own = clean_opaque_id(turn.agent_name.strip("/").rpartition("/")[2]) if turn.agent_name else None
    if own and own != _CODEX_ROOT:
        return own, "header.x-codex-turn-metadata"
    if (value := headers.get("x-openai-subagent")) and value != _CODEX_SPAWNED and (name := clean_opaque_id(value)):
        return name, "header.x-openai-subagent"
    return (None, "") if value == _CODEX_SPAWNED else (own, "header.x-codex-turn-metadata" if own else "")


def _count(text: str | None) -> int:
    return int(text) if text and len(text) < 4 and text.isdecimal() else 0  # noqa: PLR2004 - a count of retries has at most three digits


def _limit(hinted: _Hinted) -> int | None:
    for value in (hinted.max_tokens, hinted.max_completion_tokens, hinted.max_output_tokens):
        if isinstance(value, int):
            return value
    return None
