"""Traffic of agents as journal frames, at given times: whole conversations with their answers, the same in every run.

A kind is a way to talk. All requests have about 4 KB:

    whole    every call a task of its own; the answer in one piece
    talk     conversations of ten turns that begin at 2 KB and end at 6 KB
    tools    loops of an agent that calls tools and gets their results, six turns each
    stream   every call a task of its own; the answer as 50 events
    short    `whole`, answered within the same step: one version is stored
    same     `short`, every call the same bytes: what `python -m bench --cases calls` sends
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from bench.load import HEADERS
from bench.origins import ANSWER_HEADERS
from bench.store import Talker
from modular_agents.proxy.journal.frames import FLAG_LAST, End, Kind, RequestHead, encode
from modular_agents.proxy.journal.writer import JournalWriter
from modular_agents.proxy.model.ids import make_call_id

KINDS = ("whole", "talk", "tools", "stream", "short", "same")
LASTS_NS = 1_000_000_000
"""From the request to the end of the answer."""
DELTAS = 50
TALKS, TURNS, LOOPS = 20, 10, 6
T0_MS = 1_760_000_000_000
Message = dict[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """Frames that a relay appends at once, `at_ns` after the traffic's beginning: (kind, flags, payload) each."""

    at_ns: int
    exchange: int
    frames: tuple[tuple[int, int, bytes], ...]

    def append(self, writer: JournalWriter, start_ns: int) -> None:
        """Append them."""
        data = [encode(kind, self.exchange, start_ns + self.at_ns, payload, flags) for kind, flags, payload in self.frames]
        writer.append(b"".join(data), len(data))


@dataclass(frozen=True, slots=True)
class Turn:
    """One call: what is asked and what is answered."""

    messages: list[Message]
    answer: list[Message]
    system: str
    tools: list[Message]
    stream: bool = False


def traffic(kind: str, calls: int, rate: int, seed: int) -> list[Event]:
    """Return the frames of so many calls that begin at an even rate, in the order of their times."""
    talker = Talker(seed)
    events: list[Event] = []
    turns = TURNS_OF[kind](talker, seed)
    lasts = 0 if kind in {"short", "same"} else LASTS_NS
    for number in range(calls):
        events += frames(next(turns), seed * 1_000_000 + number, number * 1_000_000_000 // rate, lasts)
    return sorted(events, key=attrgetter("at_ns"))


def whole(talker: Talker, _seed: int) -> Iterator[Turn]:
    system = talker.text(1200)
    while True:
        yield Turn([user(talker.text(2600))], [text(talker.text(500))], system, [])


def stream(talker: Talker, _seed: int) -> Iterator[Turn]:
    for turn in whole(talker, 0):
        yield Turn(turn.messages, turn.answer, turn.system, [], stream=True)


def talk(talker: Talker, _seed: int) -> Iterator[Turn]:
    """Many conversations side by side: a turn of each, then the next turn of each."""
    system = talker.text(900)
    while True:
        talks: list[list[Message]] = [[] for _ in range(TALKS)]
        for _ in range(TURNS):
            for said in talks:
                said.append(user(talker.text(1000 if not said else 250)))
                answer = [text(talker.text(180))]
                yield Turn(list(said), answer, system, [])
                said.append({"role": "assistant", "content": answer})


def tools(talker: Talker, seed: int) -> Iterator[Turn]:
    dice = random.Random(seed)
    system, given = talker.text(800), [tool(name, talker.text(120)) for name in ("read_file", "write_file", "run")]
    while True:
        loops: list[list[Message]] = [[user(talker.text(500))] for _ in range(TALKS)]
        for step in range(LOOPS):
            for said in loops:
                key = f"toolu_{dice.getrandbits(80):020x}"
                use: Message = {"type": "tool_use", "id": key, "name": "read_file", "input": {"path": f"src/{talker.text(8)}.py"}}
                last = step == LOOPS - 1
                answer = [text(talker.text(200))] if last else [text(talker.text(60)), use]
                yield Turn(list(said), answer, system, given)
                result: Message = {"type": "tool_result", "tool_use_id": key, "content": talker.text(350)}
                said += [{"role": "assistant", "content": answer}, {"role": "user", "content": [result]}]


def same(_talker: Talker, _seed: int) -> Iterator[Turn]:
    while True:
        yield Turn([user("x" * 3900)], [text("lorem ipsum dolor sit amet " * 16)], "", [])


TURNS_OF = {"whole": whole, "talk": talk, "tools": tools, "stream": stream, "short": whole, "same": same}


def text(said: str) -> Message:
    return {"type": "text", "text": said}


def user(said: str) -> Message:
    return {"role": "user", "content": [text(said)]}


def tool(name: str, says: str) -> Message:
    return {"name": name, "description": says, "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}


def frames(turn: Turn, number: int, at_ns: int, lasts_ns: int) -> Iterator[Event]:
    """Yield what the relay appends of one call."""
    asked: dict[str, object] = {"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": turn.messages}
    asked |= {"system": turn.system} if turn.system else {}
    asked |= {"tools": turn.tools} if turn.tools else {}
    asked |= {"stream": True} if turn.stream else {}
    body = json.dumps(asked).encode()
    yield Event(at_ns, number, ((Kind.REQUEST_HEAD, 0, head_of(number, len(body)).pack()), (Kind.REQUEST_BODY, FLAG_LAST, body)))
    fields = {"Content-Type": "text/event-stream; charset=utf-8" if turn.stream else "application/json", **ANSWER_HEADERS}
    answer_head = ("HTTP/1.1 200 OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())).encode()
    pieces = streamed(turn, number) if turn.stream else [json.dumps(message_of(turn, number)).encode()]
    end = End("complete", "", len(body), sum(map(len, pieces))).pack()
    gap = lasts_ns // len(pieces)
    for place, piece in enumerate(pieces, 1):
        parts = [(int(Kind.RESPONSE_BODY), 0, piece)]
        if place == 1:
            parts.insert(0, (int(Kind.RESPONSE_HEAD), 0, answer_head))
        if place == len(pieces):
            parts.append((int(Kind.END), 0, end))
        yield Event(at_ns + place * gap, number, tuple(parts))


def head_of(number: int, size: int) -> RequestHead:
    lines = {"Host": "127.0.0.1:8000", **HEADERS, "X-Api-Key": "[redacted:1a2b3c4d]", "Content-Length": str(size)}
    return RequestHead(
        call_id=make_call_id(T0_MS, 7, number),
        connection_id=f"be01-{number % 8}",
        client=f"127.0.0.1:{40_000 + number % 8}",
        upstream="anthropic",
        upstream_url="https://api.anthropic.com",
        trace="",
        agent="",
        parent_call="",
        replay_of="",
        method="POST",
        target_received="/v1/messages",
        target="/v1/messages",
        head="".join(f"{name}: {value}\r\n" for name, value in lines.items()),
    )


def message_of(turn: Turn, number: int) -> Message:
    asks = any(block["type"] == "tool_use" for block in turn.answer)
    return {
        "id": f"msg_{number:020}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": turn.answer,
        "stop_reason": "tool_use" if asks else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1021, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 97},
    }


def streamed(turn: Turn, number: int) -> list[bytes]:
    """Return the events of an answer, one per read."""
    said = str(turn.answer[0]["text"])
    message = message_of(turn, number) | {"content": [], "stop_reason": None}
    usage = {"output_tokens": 97}
    step = -(-len(said) // DELTAS)
    cuts = [said[at : at + step] for at in range(0, len(said), step)]
    deltas = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": cut}} for cut in cuts]
    events: list[Message] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode() for event in events]
