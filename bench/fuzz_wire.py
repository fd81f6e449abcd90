"""Feed the readers damaged traffic for some minutes: `python bench/fuzz_wire.py [MINUTES [SEED]]`; prints the number of cases.

Every case is a captured request and answer (tests/corpus/wire), mangled in bytes or in values, spliced with others, now and
then compressed and damaged again, and cut at random. Held to: no exception, sound values, and the split law.
"""

import gzip
import json
import random
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import replace

import brotli  # type: ignore[import-untyped]
from backports import zstd
from tests.property.test_wire_laws import HOSTILE, TARGETS, TYPES, assert_sound
from tests.support.wire_corpus import cuts, exchange, load, names, read_in_pieces

from modular_agents.proxy.model.exchange import Exchange, Outcome, TunnelFrame
from modular_agents.proxy.pricing.price import price
from modular_agents.proxy.wire.memo import Memo
from modular_agents.proxy.wire.reader import read_call
from modular_agents.proxy.wire.tunnel import read_turns

CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
TOKENS = [
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n\n",
    b"\r",
    b"data: ",
    b"event: error\n",
    b"[DONE]",
    b"null",
    b"\\ud83d",
    b"\xff",
    b"\x00",
    b"1e999",
]


class Fuzzer:
    """Makes cases from captures, reproducibly."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        captures = [load(name) for name in names()]
        self.requests = [capture.request.body for capture in captures if capture.request.body]
        self.answers = [capture.response.body for capture in captures if capture.response and capture.response.body]
        self.targets = [capture.request.target for capture in captures] + TARGETS

    def case(self) -> Exchange:
        """One mangled exchange."""
        dice = self.dice
        answer = self.mangled(dice.choice(self.answers))
        coding = dice.choice(["", "", "", *CODINGS])
        if coding:
            answer = CODINGS[coding](answer)
            answer = self.in_bytes(answer) if dice.random() < 0.5 else answer
        made = exchange(
            self.mangled(dice.choice(self.requests)),
            answer,
            target=dice.choice(self.targets),
            content_type=dice.choice(TYPES),
            status=dice.choice([200, 200, 200, 400, 529, 101]),
            outcome=dice.choice([*Outcome, None]),
            response_headers=(("content-encoding", coding),) if coding else (),
        )
        frames = tuple(TunnelFrame(at, up=dice.random() < 0.5, data=self.frame()) for at in range(dice.randrange(4)))
        return replace(made, tunnel=frames)

    def frame(self) -> bytes:
        message = dice_cut(self.dice, self.mangled(dice_json(self.dice, self.answers)))[:120]
        return self.in_bytes(bytes([0x81, len(message)]) + message) if self.dice.random() < 0.3 else bytes([0x81, len(message)]) + message

    def mangled(self, data: bytes) -> bytes:
        dice = self.dice
        if dice.random() < 0.5:
            data = self.in_values(data)
        for _ in range(dice.choice([0, 1, 1, 3])):
            data = self.in_bytes(data)
        return data

    def in_bytes(self, data: bytes) -> bytes:
        dice = self.dice
        at, to = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
        to = min(to, at + dice.choice([1, 8, 200]))
        kind = dice.randrange(6)
        if kind == 0:
            return data[:at] + data[to:]
        if kind == 1:
            return data[:at] + dice.randbytes(to - at) + data[to:]
        if kind == 2:
            return data[:to] + data[at:to] * dice.choice([1, 3, 50]) + data[to:]
        if kind == 3:
            return data[:at] + dice.choice(TOKENS) + data[at:]
        if kind == 4:
            return data[:at] + dice_cut(dice, dice.choice(self.answers)) + data[to:]
        return data[:at]

    def in_values(self, data: bytes) -> bytes:
        out = []
        for line in data.split(b"\n"):
            head, value = (line[:6], line[6:]) if line.startswith(b"data: ") else (b"", line)
            try:
                out.append(head + json.dumps(self.value(json.loads(value))).encode())
            except ValueError:
                out.append(line)
        return b"\n".join(out)

    def value(self, value: object) -> object:
        dice = self.dice
        if dice.random() < 0.04:
            return dice.choice(HOSTILE)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items() if dice.random() < 0.98}
        if isinstance(value, list):
            return [self.value(item) for item in value] * (2 if dice.random() < 0.02 else 1)
        return value


def dice_cut(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[at : at + dice.randrange(300)]


def dice_json(dice: random.Random, answers: list[bytes]) -> bytes:
    lines = [line[6:] for line in dice.choice(answers).split(b"\n") if line.startswith(b"data: ")]
    return dice.choice(lines) if lines else b"{}"


def check(whole: Exchange, memo: Memo, dice: random.Random) -> None:
    call = read_call(whole, memo)
    assert_sound(call)
    price(call)
    for turn in read_turns(whole):
        assert_sound(read_call(turn))
    if whole.response is not None and whole.outcome is not None:
        body = whole.response.body
        pieces = cuts(body, *(dice.randrange(len(body) + 1) for _ in range(dice.choice([1, 5, 40]))))
        if read_in_pieces(whole, pieces)[0] != call:
            raise AssertionError([len(piece) for piece in pieces])


def main(minutes: float, seed: int) -> None:
    fuzzer, memo = Fuzzer(seed), Memo()
    until, count, unreadable = time.monotonic() + 60 * minutes, 0, 0
    while time.monotonic() < until:
        whole = fuzzer.case()
        try:
            check(whole, memo, fuzzer.dice)
        except Exception:
            print(f"case {count} of seed {seed}: {whole!r}")
            raise
        count += 1
        unreadable += read_call(whole).unreadable is not None
    print(f"{count} cases in {minutes} minutes, seed {seed}: all held ({unreadable} unreadable in part)")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()))
