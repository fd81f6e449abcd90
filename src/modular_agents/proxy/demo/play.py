"""Agents that play the story: plain HTTP clients that know a base URL and nothing of any proxy."""

import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from modular_agents.proxy.demo.dialects import Answer, Wanted, dialect_of, events
from modular_agents.proxy.demo.story import Agent, Story, ToolCall

Json = dict[str, Any]
OVERLOADED = 529
TRIES = 3
TIMEOUT_S = 60.0


class CannotPlay(RuntimeError):
    """An answer came that the story does not have."""


@dataclass(frozen=True, slots=True)
class Player:
    """Plays a story against `base_url`. `tell` is called with (agent, what happens); `speed` divides every pause, 0 leaves them out."""

    story: Story
    base_url: str
    tell: Callable[[str, str], None]
    speed: float = 1.0

    def play(self) -> str:
        """Play to the end; return the orchestrator's summary. Raises `CannotPlay` or OSError."""
        self.tell("you", self.story.task)
        self._speak(self.story.prelude, self.story.task)
        return self._speak(self.story.agents[0], self.story.task)

    def _speak(self, agent: Agent, opening: str) -> str:
        """Let an agent work until it has nothing more to ask for; return its last words."""
        dialect = dialect_of(agent)
        history: list[Json] = [{"role": "user", "content": opening}]
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=TIMEOUT_S)
        try:
            for turn in range(len(agent.replies)):
                answer = self._ask(agent, connection, history)
                history.append(answer.message)
                if not answer.wanted:
                    self.tell(agent.name, answer.text.splitlines()[0])
                    return answer.text
                calls = [self.story.tool_call(agent, turn, number) for number in range(len(answer.wanted))]
                history += dialect.results(self._run_tools(agent, answer.wanted, calls))
        finally:
            connection.close()
        raise CannotPlay(f"{agent.name} was never satisfied")

    def _ask(self, agent: Agent, connection: http.client.HTTPConnection, history: list[Json]) -> Answer:
        """Send one request, again after a pause when the provider is overloaded, and read the answer as it comes."""
        dialect = dialect_of(agent)
        body = json.dumps(dialect.request(agent, history))
        prefix = urlsplit(self.base_url).path
        for attempt in range(TRIES):
            headers = {"content-type": "application/json", "x-stainless-retry-count": str(attempt), **dict(dialect.headers)}
            connection.request("POST", prefix + dialect.path, body, headers)
            response = connection.getresponse()
            if response.status == 200:  # noqa: PLR2004 - OK
                return dialect.fold(events(response) if agent.stream else [json.loads(response.read())])
            response.read()
            if response.status != OVERLOADED:
                raise CannotPlay(f"{agent.name} was answered {response.status}")
            self.tell(agent.name, "the provider is overloaded (529): trying again in a second")
            self._pause(float(response.headers.get("retry-after", "1")))
        raise CannotPlay(f"{agent.name} was refused {TRIES} times")

    def _run_tools(self, agent: Agent, wanted: tuple[Wanted, ...], calls: list[ToolCall]) -> list[tuple[Wanted, str, bool]]:
        """Run tools as the story has them; parts that are handed to other agents run side by side."""
        with ThreadPoolExecutor(max(len(calls), 1)) as pool:
            results = list(pool.map(lambda call: self._run_tool(agent, call), calls))
        return [(wish, text, call.is_error) for wish, text, call in zip(wanted, results, calls, strict=True)]

    def _run_tool(self, agent: Agent, call: ToolCall) -> str:
        first = next(iter(call.arguments.values()))
        self.tell(agent.name, f"{call.name} {first}" + (" - fails" if call.is_error else ""))
        if call.opens is not None:
            return self._speak(self.story.named(call.opens), call.arguments["task"])
        self._pause(call.takes_s)
        return call.result

    def _pause(self, seconds: float) -> None:
        if self.speed:
            time.sleep(seconds / self.speed)
