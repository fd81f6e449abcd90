"""Conversations in a few words, as `Call` values: who says what when, without a provider, a relay or a clock.

A `World` counts seconds and call ids. A `Talk` is one agent's growing conversation; each `turn` is a call that repeats the
history, adds something and is answered. The digests are the product's own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from modular_agents.proxy.model.call import Call, Message, Part, Status
from modular_agents.proxy.model.exchange import Hints
from modular_agents.proxy.wire.content import digest

SECOND = 1_000_000_000


def message(role: str, parts: Sequence[Part]) -> Message:
    blocks = [{"type": part.kind, "text": part.text, "id": part.tool_id, "name": part.name, "input": part.arguments} for part in parts]
    return Message(role, tuple(parts), json.dumps({"role": role, "content": blocks}).encode(), digest(role, parts))


def text(words: str) -> Part:
    return Part("text", words)


def use(tool_id: str, name: str, **arguments: object) -> Part:
    return Part("tool_use", tool_id=tool_id, name=name, arguments=json.dumps(arguments))


def result(tool_id: str, words: str, *, is_error: bool = False) -> Part:
    return Part("tool_result", words, tool_id=tool_id, is_error=is_error)


def parts_of(said: str | Part | Sequence[Part]) -> list[Part]:
    if isinstance(said, str):
        return [text(said)]
    return [said] if isinstance(said, Part) else list(said)


@dataclass
class World:
    now: float = 0.0
    count: int = 0
    calls: list[Call] = field(default_factory=list)

    def talk(self, system: str = "", **more: Any) -> "Talk":  # noqa: ANN401 - fields of Talk
        return Talk(self, system, **more)


@dataclass
class Talk:
    world: World
    system: str = ""
    tools: int = 0
    connection: str = "c1"
    headers: Mapping[str, str] = field(default_factory=dict)
    hints: Hints = field(default_factory=Hints)
    history: list[Message] = field(default_factory=list)

    def turn(
        self,
        said: str | Part | Sequence[Part],
        answer: str | Part | Sequence[Part] | None,
        *,
        at: float | None = None,
        takes: float = 1.0,
        status: Status = Status.COMPLETED,
        **more: Any,  # noqa: ANN401 - fields of Call
    ) -> Call:
        """Ask and be answered. `at` is the start (default: now); the world's clock moves to the end. No answer: a failure."""
        start = self.world.now if at is None else at
        self.world.count += 1
        history = [*self.history, message("user", parts_of(said))]
        answers = () if answer is None else (message("assistant", parts_of(answer)),)
        call = Call(
            call_id=f"{int(start * 1000):08d}-{self.world.count:03d}",
            status=Status.FAILED if answer is None and status is Status.COMPLETED else status,
            started_ns=int(start * SECOND),
            provider="claude",
            upstream="anthropic",
            format="anthropic.messages",
            operation="chat",
            method="POST",
            path="/v1/messages",
            client="127.0.0.1:5",
            connection_id=self.connection,
            hints=self.hints,
            request_headers=tuple(self.headers.items()),
            model="m",
            system=(message("system", [text(self.system)]),) if self.system else (),
            messages=tuple(history),
            tools=(b"{}",) * self.tools,
            answers=answers,
            ended_ns=int((start + takes) * SECOND),
        )
        call = replace(call, **more)
        self.world.calls.append(call)
        if answers:
            self.history = [*history, *answers]
        self.world.now = max(self.world.now, start + takes) + 0.01
        return call


def running(call: Call) -> Call:
    """The same call before it was answered."""
    return replace(call, status=Status.RUNNING, answers=(), ended_ns=None)


def in_disorder(calls: Sequence[Call], dice: Random) -> list[Call]:
    """Calls in a random order; half of the time each comes twice, running and ended, and others come between."""
    if dice.random() < 0.5:
        return dice.sample(calls, len(calls))
    places: list[tuple[float, Call]] = []
    for call in calls:
        begun = dice.random()
        places += [(begun, running(call)), (begun + dice.random(), call)]
    return [call for _, call in sorted(places, key=lambda place: place[0])]
