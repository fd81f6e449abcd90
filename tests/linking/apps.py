"""Agents as people write them over the official SDKs, four dialects behind one face, with their answer key.

An `App` is one process with one client. It runs tasks; a task has agents; an agent has a conversation. `say` sends a user text,
`give` sends tool results back; both script the stand-in's answer by a header, so that prompts stay as people write them.
What native tooling would say of itself goes out in headers, or nothing does (`Mode`).
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import anthropic
import httpx2
import openai
from google import genai
from google.genai import errors, types
from tests.linking.answer_key import HEADER, PROCESS, AnswerKey
from tests.support.script import Script

OnUse = Callable[[str, "Use"], None]


class Mode(StrEnum):
    """What the program says of itself."""

    SAID = "said"
    """X-Trace-ID, as the documentation asks."""
    NATIVE = "native"
    """What the dialect's best-known agent sends: Claude Code, Codex, OpenCode; Gemini has none and says X-Trace-ID."""
    STRIPPED = "stripped"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Use:
    id: str
    name: str
    input: Mapping[str, Any] = field(hash=False, compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    key: str
    text: str
    uses: tuple[Use, ...] = ()


@dataclass
class App:
    """One process of a program. `url` is the proxy's."""

    url: str
    dialect: str
    mode: Mode
    key: AnswerKey
    name: str

    def __post_init__(self) -> None:
        make = {"anthropic": AnthropicAgent, "chat": ChatAgent, "responses": ResponsesAgent, "gemini": GeminiAgent}
        self.agent_type = make[self.dialect]
        self.client, self._http = self.agent_type.connect(self.url)
        self._http.headers[PROCESS] = uuid.uuid4().hex[:8]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def task(self, name: str) -> "Task":
        return Task(self, f"{self.key.prefix}{self.name}/{name}")


@dataclass
class Task:
    app: App
    name: str
    session: str = field(default_factory=lambda: str(uuid.uuid4()))

    def agent(self, name: str, system: str = "", *, opened_by: str | None = None, parent: "Agent | None" = None, tools: int = 1) -> "Agent":
        return self.app.agent_type(self, f"{self.name}/{name}", system, opened_by, parent, tools)


@dataclass
class Agent:
    """A conversation. Subclasses know a dialect."""

    task: Task
    name: str
    system: str
    opened_by: str | None
    parent: "Agent | None"
    tools: int
    model: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:17])
    history: list[Any] = field(default_factory=list)
    on_use: OnUse | None = None
    streams = False

    @staticmethod
    def connect(url: str) -> tuple[Any, httpx2.Client]:
        """Return the SDK's client, and the HTTP client below it."""
        raise NotImplementedError

    def say(self, text: str, reply: Script, *, brings: Sequence[str] = (), on_use: OnUse | None = None) -> Answer:
        """Send a user text. `on_use(key, use)` is called for each tool use, while the answer is still being streamed where it can be."""
        self.history.append(self.user(text))
        self.on_use = on_use
        answer = self._turn(reply, brings)
        self.on_use = None
        for use in answer.uses if on_use and not self.streams else ():
            on_use(answer.key, use)
        return answer

    def example(self, question: str, answer: str) -> None:
        """Put an answer into the history that no model gave."""
        self.history += [self.user(question), {"role": "assistant", "content": answer}]

    def give(self, results: Mapping[Use, str], reply: Script, *, brings: Sequence[str] = ()) -> Answer:
        """Send tool results back."""
        self.history += self.results(results)
        return self._turn(reply, brings)

    def run(self, text: str, *replies: Script) -> Answer:
        """Work until the answer asks for no tool; each tool answers `ok` with its name and input."""
        answer = self.say(text, replies[0])
        for reply in replies[1:]:
            answer = self.give({use: f"ok {use.name} {json.dumps(use.input)}" for use in answer.uses}, reply)
        return answer

    def _turn(self, reply: Script, brings: Sequence[str]) -> Answer:
        task = self.task
        key = task.app.key.call(task.name, self.name, opened_by=self.opened_by, brings=brings)
        return self.send(key, {HEADER: key, "x-script": reply.header(), **self.identity()})

    def identity(self) -> dict[str, str]:
        """What this agent says of itself."""
        mode = self.task.app.mode
        if mode is Mode.STRIPPED:
            return {}
        return {"x-trace-id": self.task.name} if mode is Mode.SAID else self.native()

    def native(self) -> dict[str, str]:
        raise NotImplementedError

    def user(self, text: str) -> Any:  # noqa: ANN401 - each dialect has its own
        return {"role": "user", "content": text}

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        raise NotImplementedError

    def send(self, key: str, headers: dict[str, str]) -> Answer:
        raise NotImplementedError


class AnthropicAgent(Agent):
    """Messages, streamed; the answer goes back block by block, with a cache mark that moves."""

    streams = True

    @staticmethod
    def connect(url: str) -> tuple[anthropic.Anthropic, httpx2.Client]:
        http = httpx2.Client(timeout=30)
        return anthropic.Anthropic(base_url=url, api_key="sk-ant-dummy", max_retries=3, http_client=http), http

    def native(self) -> dict[str, str]:
        headers = {"x-claude-code-session-id": self.task.session}
        if self.parent is not None:
            headers["x-claude-code-agent-id"] = self.id
            if self.parent.parent is not None:
                headers["x-claude-code-parent-agent-id"] = self.parent.id
        return headers

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        return [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": text} for use, text in results.items()]}
        ]

    def send(self, key: str, headers: dict[str, str]) -> Answer:
        tool = {"name": "act", "description": "Does something.", "input_schema": {"type": "object"}}
        with self.task.app.client.messages.stream(
            model=self.model or "claude-haiku-4-5",
            max_tokens=1000,
            system=[{"type": "text", "text": self.system, "cache_control": {"type": "ephemeral"}}] if self.system else [],
            messages=_marked(self.history),
            tools=[tool] * self.tools,
            extra_headers=headers,
        ) as stream:
            for event in stream:
                if self.on_use and event.type == "content_block_stop" and event.content_block.type == "tool_use":
                    block = event.content_block
                    self.on_use(key, Use(block.id, block.name, block.input))
            said = stream.get_final_message()
        blocks = [block.model_dump(exclude_none=True, include={"type", "text", "id", "name", "input"}) for block in said.content]
        self.history.append({"role": "assistant", "content": blocks})
        uses = tuple(Use(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")
        return Answer(key, "".join(block["text"] for block in blocks if block["type"] == "text"), uses)


def _marked(history: Sequence[Any]) -> list[Any]:
    """Mark the last message for the prompt cache, as clients do each turn."""
    last = history[-1]
    content = [{"type": "text", "text": last["content"]}] if isinstance(last["content"], str) else list(last["content"])
    content[-1] = content[-1] | {"cache_control": {"type": "ephemeral"}}
    return [*history[:-1], last | {"content": content}]


class ChatAgent(Agent):
    """Chat Completions, not streamed."""

    @staticmethod
    def connect(url: str) -> tuple[openai.OpenAI, httpx2.Client]:
        http = httpx2.Client(timeout=30)
        return openai.OpenAI(base_url=f"{url}/v1", api_key="sk-dummy", max_retries=3, http_client=http), http

    def native(self) -> dict[str, str]:
        headers = {"x-session-id": self.id if self.parent else self.task.session}
        if self.parent is not None:
            headers["x-parent-session-id"] = self.parent.id if self.parent.parent else self.task.session
        return headers

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        return [{"role": "tool", "tool_call_id": use.id, "content": text} for use, text in results.items()]

    def send(self, key: str, headers: dict[str, str]) -> Answer:
        tool = {"type": "function", "function": {"name": "act", "parameters": {"type": "object"}}}
        system = [{"role": "system", "content": self.system}] if self.system else []
        said = self.task.app.client.chat.completions.create(
            model=self.model or "gpt-5-mini",
            messages=[*system, *self.history],
            extra_headers=headers,
            **({"tools": [tool] * self.tools} if self.tools else {}),
        )
        message = said.choices[0].message
        self.history.append(message.model_dump(exclude_none=True))
        uses = tuple(Use(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ())
        return Answer(key, message.content or "", uses)


class ResponsesAgent(Agent):
    """Responses with `previous_response_id`: each turn sends only what is new."""

    previous: str | None = None

    @staticmethod
    def connect(url: str) -> tuple[openai.OpenAI, httpx2.Client]:
        http = httpx2.Client(timeout=30)
        return openai.OpenAI(base_url=f"{url}/v1", api_key="sk-dummy", max_retries=3, http_client=http), http

    def native(self) -> dict[str, str]:
        headers = {"session-id": self.task.session, "thread-id": self.id}
        if self.parent is not None:
            headers |= {"x-codex-parent-thread-id": self.parent.id, "x-openai-subagent": "collab_spawn"}
        return headers

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        return [{"type": "function_call_output", "call_id": use.id, "output": text} for use, text in results.items()]

    def send(self, key: str, headers: dict[str, str]) -> Answer:
        tool = {"type": "function", "name": "act", "parameters": {"type": "object"}, "strict": False}
        said = self.task.app.client.responses.create(
            model=self.model or "gpt-5-mini",
            instructions=self.system or None,
            input=self.history,
            tools=[tool] * self.tools,
            extra_headers=headers,
            **({"previous_response_id": self.previous} if self.previous else {}),
        )
        self.previous = said.id
        self.history = []
        uses = tuple(Use(item.call_id, item.name, json.loads(item.arguments)) for item in said.output if item.type == "function_call")
        return Answer(key, said.output_text, uses)


class GeminiAgent(Agent):
    """generateContent, streamed; function calls have no ids."""

    @staticmethod
    def connect(url: str) -> tuple[genai.Client, httpx2.Client]:
        http = httpx2.Client(timeout=30)
        return genai.Client(api_key="dummy", http_options=types.HttpOptions(base_url=url, httpx_client=http)), http

    def native(self) -> dict[str, str]:
        return {"x-trace-id": self.task.name}

    def user(self, text: str) -> Any:  # noqa: ANN401 - as above
        return types.Content(role="user", parts=[types.Part(text=text)])

    def results(self, results: Mapping[Use, str]) -> list[Any]:
        parts = [types.Part.from_function_response(name=use.name, response={"result": text}) for use, text in results.items()]
        return [types.Content(role="user", parts=parts)]

    def example(self, question: str, answer: str) -> None:
        self.history += [self.user(question), types.Content(role="model", parts=[types.Part(text=answer)])]

    def send(self, key: str, headers: dict[str, str]) -> Answer:
        act = types.FunctionDeclaration(name="act", description="Does something.", parameters_json_schema={"type": "object"})
        config = types.GenerateContentConfig(
            system_instruction=self.system or None,
            tools=[types.Tool(function_declarations=[act])] if self.tools else None,
            http_options=types.HttpOptions(headers=headers),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        models, model = self.task.app.client.models, self.model or "gemini-2.5-flash"
        for left in (2, 1, 0):
            try:
                said = models.generate_content(model=model, contents=self.history, config=config)
                break
            except errors.ServerError:  # this SDK does not try again by itself, so people do
                if not left:
                    raise
        content = said.candidates[0].content
        self.history.append(content)
        calls = [part.function_call for part in content.parts if part.function_call]
        uses = tuple(Use(f"{call.name}#{n}", call.name, call.args) for n, call in enumerate(calls, 1))
        return Answer(key, "".join(part.text or "" for part in content.parts), uses)
