"""Clients as the wire sees them: bodies and headers spelled as real ones spell them, sent by hand, with their answer key.

A `House` is one process with one connection pool. A `Voice` is one agent's conversation in one wire format: `ask` sends what its
history holds and appends the answer. What a client's own tooling says of itself comes from `Manner`; stripped, nothing does.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2
from tests.linking.answer_key import HEADER, PROCESS, AnswerKey
from tests.linking.apps import Answer, Mode, Use
from tests.support.script import Script

Native = Callable[["Voice"], tuple[dict[str, str], dict[str, Any]]]
"""Headers and body fields by which a client says who is speaking."""


@dataclass
class House:
    url: str
    mode: Mode
    key: AnswerKey
    name: str

    def __post_init__(self) -> None:
        self.http = httpx2.Client(timeout=30, headers={"user-agent": "field-test/1.0", PROCESS: uuid.uuid4().hex[:8]})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def task(self, name: str = "t") -> "Job":
        return Job(self, f"{self.key.prefix}{self.name}/{name}")


@dataclass
class Job:
    house: House
    name: str
    session: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Voice:
    """One agent. `opened_by` is the key of the call that set it to work. Subclasses know a wire format."""

    job: Job
    name: str
    system: str = ""
    opened_by: str | None = None
    parent: "Voice | None" = None
    native: Native | None = None
    tools: Sequence[str] = ("act",)
    model: str = "m"
    extra: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    history: list[Any] = field(default_factory=list)

    def ask(self, reply: Script, *, brings: Sequence[str] = (), said: str | None = None) -> Answer:
        """Send the history (after the user text `said`, if any); append the answer to it."""
        if said is not None:
            self.history.append(self.user(said))
        status, answer = self.try_once(reply, brings=brings)
        assert status == 200, status
        return answer

    def try_once(self, reply: Script, *, brings: Sequence[str] = ()) -> tuple[int, Answer]:
        """Send the history; a failure appends nothing."""
        house = self.job.house
        key = house.key.call(self.job.name, f"{self.job.name}/{self.name}", opened_by=self.opened_by, brings=brings)
        headers, hints = self._identity(house.mode)
        sent = {HEADER: key, "x-script": reply.header(), **self.auth(), **headers}
        answered = house.http.post(house.url + self.path(), json=self.body() | hints, headers=sent)
        if answered.status_code != 200:
            house.key.failed(key)
            return answered.status_code, Answer(key, "")
        return 200, self.hear(key, answered.json())

    def give(self, results: Mapping[Use, str], reply: Script, *, brings: Sequence[str] = ()) -> Answer:
        """Send tool results back."""
        self.history += self.results(results)
        return self.ask(reply, brings=brings)

    def work(self, said: str, *replies: Script) -> Answer:
        """Take a prompt and work until there are no replies left; every tool answers with its name and input."""
        answer = self.ask(replies[0], said=said)
        for reply in replies[1:]:
            answer = self.give({use: f"{use.name} says: fine ({json.dumps(use.input)})" for use in answer.uses}, reply)
        return answer

    def _identity(self, mode: Mode) -> tuple[dict[str, str], dict[str, Any]]:
        if mode is Mode.STRIPPED:
            return {}, {}
        if mode is Mode.NATIVE and self.native is not None:
            return self.native(self)
        return {"x-trace-id": self.job.name}, {}

    def path(self) -> str:
        raise NotImplementedError

    def auth(self) -> dict[str, str]:
        raise NotImplementedError

    def user(self, text: str) -> Any:  # noqa: ANN401 - each format has its own
        return {"role": "user", "content": text}

    def body(self) -> dict[str, Any]:
        raise NotImplementedError

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        raise NotImplementedError

    def hear(self, key: str, answer: Any) -> Answer:  # noqa: ANN401 - as above
        raise NotImplementedError


class Messages(Voice):
    """Anthropic Messages."""

    def path(self) -> str:
        return "/v1/messages?beta=true"

    def auth(self) -> dict[str, str]:
        return {"x-api-key": "sk-ant-dummy", "anthropic-version": "2023-06-01"}

    def body(self) -> dict[str, Any]:
        system = [{"type": "text", "text": text} for text in self.system.split("\n\n---\n\n") if text]
        tools = [{"name": name, "description": name, "input_schema": {"type": "object"}} for name in self.tools]
        return {"model": self.model, "max_tokens": 8000, "system": system, "messages": self.history, "tools": tools, **self.extra}

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        blocks = [
            {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": text}]} for use, text in results.items()
        ]
        return [{"role": "user", "content": blocks}]

    def hear(self, key: str, answer: Any) -> Answer:  # noqa: ANN401 - as above
        blocks = answer["content"]
        self.history.append({"role": "assistant", "content": blocks})
        uses = tuple(Use(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")
        return Answer(key, "".join(block["text"] for block in blocks if block["type"] == "text"), uses)


class Chat(Voice):
    """Chat Completions."""

    def path(self) -> str:
        return "/v1/chat/completions"

    def auth(self) -> dict[str, str]:
        return {"authorization": "Bearer sk-dummy"}

    def body(self) -> dict[str, Any]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in self.tools]
        return {"model": self.model, "messages": [*system, *self.history], **({"tools": tools} if tools else {}), **self.extra}

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        return [{"role": "tool", "tool_call_id": use.id, "content": text} for use, text in results.items()]

    def hear(self, key: str, answer: Any) -> Answer:  # noqa: ANN401 - as above
        message = answer["choices"][0]["message"]
        calls = message.get("tool_calls") or []
        self.history.append(
            {name: value for name, value in message.items() if value is not None and name in {"role", "content", "tool_calls"}}
        )
        uses = tuple(Use(one["id"], one["function"]["name"], json.loads(one["function"]["arguments"])) for one in calls)
        return Answer(key, message.get("content") or "", uses)


class Responses(Voice):
    """Responses without a server-side history: every turn sends all items again, as Codex and the Agents SDK do."""

    def path(self) -> str:
        return "/v1/responses"

    def auth(self) -> dict[str, str]:
        return {"authorization": "Bearer sk-dummy"}

    def user(self, text: str) -> Any:  # noqa: ANN401 - as above
        return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}

    def body(self) -> dict[str, Any]:
        tools = [{"type": "function", "name": name, "parameters": {"type": "object"}, "strict": False} for name in self.tools]
        system = {"instructions": self.system} if self.system else {}
        return {"model": self.model, "input": self.history, "tools": tools, "store": False, **system, **self.extra}

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        return [{"type": "function_call_output", "call_id": use.id, "output": text} for use, text in results.items()]

    def hear(self, key: str, answer: Any) -> Answer:  # noqa: ANN401 - as above
        self.history += answer["output"]
        calls = [item for item in answer["output"] if item["type"] == "function_call"]
        texts = [part["text"] for item in answer["output"] if item["type"] == "message" for part in item["content"]]
        uses = tuple(Use(item["call_id"], item["name"], json.loads(item["arguments"])) for item in calls)
        return Answer(key, "".join(texts), uses)


class Gemini(Voice):
    """generateContent; function calls have no ids."""

    def path(self) -> str:
        return f"/v1beta/models/{self.model}:generateContent"

    def auth(self) -> dict[str, str]:
        return {"x-goog-api-key": "dummy"}

    def user(self, text: str) -> Any:  # noqa: ANN401 - as above
        return {"role": "user", "parts": [{"text": text}]}

    def body(self) -> dict[str, Any]:
        tools = [{"functionDeclarations": [{"name": name, "parametersJsonSchema": {"type": "object"}} for name in self.tools]}]
        system = {"systemInstruction": {"role": "user", "parts": [{"text": self.system}]}} if self.system else {}
        return {"contents": self.history, **({"tools": tools} if self.tools else {}), **system, **self.extra}

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        parts = [{"functionResponse": {"name": use.name, "response": {"output": text}}} for use, text in results.items()]
        return [{"role": "user", "parts": parts}]

    def hear(self, key: str, answer: Any) -> Answer:  # noqa: ANN401 - as above
        content = answer["candidates"][0]["content"]
        self.history.append(content)
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        uses = tuple(Use(f"{call['name']}#{n}", call["name"], call["args"]) for n, call in enumerate(calls, 1))
        return Answer(key, "".join(part.get("text", "") for part in content["parts"]), uses)
