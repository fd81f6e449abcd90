"""A long conversation as an agent has it: every turn sends the whole history again, the cache mark moves along."""

from collections.abc import Iterator
from dataclasses import replace

from tests.support.stored import Given, given, message, tool_use

from modular_agents.proxy.model.call import Message

SYSTEM = (message("system", "You are a careful programmer. " * 200),)
TOOLS = tuple(
    b'{"name":"tool_%d","description":"%b","input_schema":{"type":"object"}}' % (number, b"does things " * 20) for number in range(10)
)


def conversation(turns: int, *, new_chars: int = 200, answer_chars: int = 100, marks: bool = True, trace: str = "tr-1") -> Iterator[Given]:
    """Yield the running version of each turn, then its final one."""
    history: list[Message] = []
    parent: Given | None = None
    for turn in range(turns):
        history.append(message("user", _text(f"result {turn}", new_chars)))
        last = history[-1].parts[0].text
        sent = [*history[:-1], message("user", last, cached=True)] if marks else list(history)
        call = given(turn, at_ms=turn * 3000, messages=sent, system=SYSTEM, tools=TOOLS, trace=trace, thread=f"th-{trace}", parent=parent)
        yield call
        said = (
            message("assistant", _text(f"answer {turn}", answer_chars))
            if turn % 3
            else tool_use("bash", {"command": _text(f"run {turn}", answer_chars)})
        )
        yield call.finished(said, after_ms=1500)
        history.append(replace(said, raw=said.raw.replace(b'{"role"', b'{ "role"')))
        parent = call


def _text(start: str, size: int) -> str:
    """Text that no other has, so that nothing is shared by chance."""
    words = [start]
    length = len(start)
    state = _seed(start)
    while length < size:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        words.append(f"w{state >> 40:x}")
        length += len(words[-1]) + 1
    return " ".join(words)


def _seed(text: str) -> int:
    """A number that is the same in every run."""
    return int.from_bytes(text.encode()[:8].ljust(8, b"."), "big")
