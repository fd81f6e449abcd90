"""Calls made for a store: whole values with the few things a test cares about, and what the recorder would hand on with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from modular_agents.proxy.model.call import Call, CallError, Cost, Message, Part, Status, Usage, UsageSource
from modular_agents.proxy.model.exchange import Chunk, Exchange, Hints, Outcome, RequestSide, ResponseSide
from modular_agents.proxy.model.ids import make_call_id
from modular_agents.proxy.model.link import Indexed
from modular_agents.proxy.model.trace import Edge, EdgeType, Evidence, Placement
from modular_agents.proxy.ports import Store, Transaction

T0 = 1_760_000_000_000_000_000
"""2025-10-09T08:53:20Z, in ns."""
MS = 1_000_000
SECOND = 1000 * MS


def message(role: str, text: str, *, cached: bool = False) -> Message:
    """A message as Anthropic clients send it."""
    block = {"type": "text", "text": text} | ({"cache_control": {"type": "ephemeral"}} if cached else {})
    raw = json.dumps({"role": role, "content": [block]}, ensure_ascii=False).encode()
    part = Part("text", text, raw=json.dumps(block, ensure_ascii=False).encode())
    return Message(role, (part,), raw, blake2b(f"{role}{text}".encode(), digest_size=16).digest())


def tool_use(name: str, arguments: dict[str, object], tool_id: str = "toolu_1") -> Message:
    """An answer that asks for a tool."""
    sent = json.dumps(arguments)
    block = json.dumps({"type": "tool_use", "id": tool_id, "name": name, "input": arguments})
    raw = f'{{"role":"assistant","content":[{block}]}}'.encode()
    part = Part("tool_use", "", tool_id, name, sent, None, block.encode())
    return Message("assistant", (part,), raw, blake2b(raw, digest_size=16).digest())


def body_of(messages: Sequence[Message], system: Sequence[Message], tools: Sequence[bytes], model: str) -> bytes:
    """A request body as a client writes it."""
    fields = [f'"model": {json.dumps(model)}'.encode(), b'"max_tokens": 1024']
    for name, raws in (
        ("system", [entry.raw for entry in system]),
        ("messages", [entry.raw for entry in messages]),
        ("tools", list(tools)),
    ):
        if raws:
            fields.append(b'"%b": [%b]' % (name.encode(), b", ".join(raws)))
    return b"{" + b", ".join(fields) + b"}"


@dataclass(frozen=True)
class Given:
    """What the recorder hands to `Transaction.put_call`."""

    call: Call
    exchange: Exchange
    placement: Placement
    cost: Cost
    indexed: Indexed

    def put(self, transaction: Transaction) -> Given:
        transaction.put_call(self.call, self.exchange, self.placement, self.cost, self.indexed)
        return self

    @property
    def call_id(self) -> str:
        return self.call.call_id

    def finished(
        self,
        answer: str | Message = "Done.",
        *,
        after_ms: int = 250,
        status: Status = Status.COMPLETED,
        usd: float | None = 0.01,
        tokens: tuple[int | None, int | None] = (100, 20),
        error: CallError | None = None,
    ) -> Given:
        """The same call with its end."""
        told = answer if isinstance(answer, Message) else message("assistant", answer)
        ended = self.call.started_ns + after_ms * MS
        source = UsageSource.UNKNOWN if tokens == (None, None) else UsageSource.REPORTED
        call = replace(
            self.call,
            status=status,
            answers=(told,) if answer != "" else (),
            ended_ns=ended,
            first_token_ns=self.call.started_ns + 50 * MS,
            finish_reason="end_turn",
            http_status=200 if error is None else 500,
            request_id=f"req_{self.call_id}",
            response_id=f"msg_{self.call_id}",
            model_response=self.call.model,
            usage=Usage(source, input_total=tokens[0], output_total=tokens[1], raw=b'{"input_tokens": 100}'),
            error=error,
        )
        data = b"event: message\ndata: %b\n\n" % told.raw
        half = len(data) // 2
        response = ResponseSide(
            call.http_status or 200,
            "OK",
            (("Content-Type", "text/event-stream"), ("x-twice", "1"), ("X-Twice", "2")),
            self.call.started_ns + 40 * MS,
            data,
            len(data),
            chunks=(Chunk(self.call.started_ns + 50 * MS, half), Chunk(ended, len(data) - half)),
        )
        request = replace(self.exchange.request, trailers=(("X-Sum", "1"),))
        exchange = replace(self.exchange, request=request, response=response, outcome=Outcome.COMPLETE, ended_ns=ended)
        cost = Cost(usd, call.model, "test prices 1") if usd is not None else Cost(None, why="no price for this model")
        return replace(self, call=call, exchange=exchange, cost=cost)


def given(
    number: int,
    *,
    messages: Sequence[Message] = (),
    system: Sequence[Message] = (),
    tools: Sequence[bytes] = (),
    trace: str = "tr-1",
    thread: str = "th-1",
    agent: str | None = None,
    parent: Given | None = None,
    edge: EdgeType = EdgeType.REQUEST,
    model: str = "claude-sonnet-4-5",
    provider: str = "claude",
    at_ms: int | None = None,
    body: bytes | None = None,
    tokens: tuple[int, ...] = (),
    facts: bytes = b"",
    task: str | None = None,
) -> Given:
    """A running call, the `number`-th; it starts `number` seconds after `T0` unless told."""
    started = T0 + (number * SECOND if at_ms is None else at_ms * MS)
    call_id = make_call_id(started // MS, 7, number)
    messages = tuple(messages) or (message("user", f"question {number}"),)
    sent = body_of(messages, system, tools, model) if body is None else body
    path = "/v1/messages"
    headers = (("Host", "127.0.0.1"), ("content-type", "application/json"), ("X-Api-Key", "[redacted 1a2b3c4d]"))
    call = Call(
        call_id,
        Status.RUNNING,
        started,
        provider,
        "anthropic",
        "anthropic.messages",
        "chat",
        "POST",
        path,
        "127.0.0.1:5000",
        f"conn-{thread}",
        Hints(trace, agent),
        headers,
        stream=True,
        model=model,
        system=tuple(system),
        messages=messages,
        tools=tuple(tools),
        params=b'{"max_tokens": 1024}',
    )
    return Given(call, _asked(call, sent), _placement(call, parent, edge, trace, thread, agent, task), Cost(None), Indexed(tokens, facts))


def _asked(call: Call, sent: bytes) -> Exchange:
    arrived = call.started_ns + MS
    chunks = (Chunk(arrived, len(sent)),)
    request = RequestSide("POST", call.path, call.path, call.request_headers, sent, len(sent), complete_ns=arrived, chunks=chunks)
    url = "https://api.anthropic.com"
    return Exchange(call.call_id, call.connection_id, call.client, "anthropic", url, call.hints, call.started_ns, request)


def _placement(call: Call, parent: Given | None, edge: EdgeType, trace: str, thread: str, agent: str | None, task: str | None) -> Placement:
    same_thread = parent is not None and parent.placement.thread_id == thread
    return Placement(
        trace,
        thread,
        Evidence("said.trace"),
        agent_name=agent,
        parent_id=parent.call_id if parent else None,
        edges=(Edge(parent.call_id, call.call_id, edge, Evidence("continuation", "by tip", 0.75)),) if parent else (),
        task_description=task,
        root_id=parent.placement.root_id if parent and same_thread else call.call_id,
        opener_id=None if parent is None else parent.placement.opener_id if same_thread else parent.call_id,
    )


def put_all(store: Store, *calls: Given) -> None:
    """Write calls in one batch."""
    with store.batch() as transaction:
        for call in calls:
            call.put(transaction)
