"""Many clients at once, each with requests of its own in every framing: everybody gets their own bytes, and the record says the same.

What several connections bring in one turn of the loop goes to the journal together (`relay/turn.py`); here it is mixed with answers
that come late or are cut, clients that leave, and requests sent ahead.
"""

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop
from tests.support.relay_thread import RelayThread

SIZES = (0, 10, 500, 4_000, 4_000, 60_000, 300_000)
END_OF_HEAD = b"\r\n\r\n"
CUTS = (asyncio.IncompleteReadError, ConnectionError)


async def read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Return a body. Raises IncompleteReadError or ConnectionError where it is cut."""
    lower = head.lower()
    if b"\r\ntransfer-encoding:" not in lower:
        return await reader.readexactly(int(lower.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]))
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        piece = await reader.readexactly(int(line, 16))
        await reader.readexactly(2)
        if not piece:
            return body
        body += piece


class Echo:
    """A provider that answers each request with its body, whole or in chunks, at once or late, and sometimes not to the end."""

    def __init__(self) -> None:
        self.port = 0
        self._dice = random.Random(7)
        self._ready = threading.Event()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Echo":  # noqa: PYI034 - there is but one
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _run(self) -> None:
        server = self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(*CUTS, asyncio.CancelledError):
            while await self._answer(reader, writer):
                await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        dice = self._dice
        body = await read_body(reader, await reader.readuntil(END_OF_HEAD))
        chance = dice.random()
        if chance < 0.1:
            await asyncio.sleep(dice.random() * 0.02)
        if chance < 0.03:
            return False
        head = b"HTTP/1.1 200 OK\r\nX-Id: %b\r\n" % body[:16]
        if chance < 0.6:
            writer.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
            return True
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
        at = 0
        while at < len(body):
            piece = body[at : at + dice.choice((17, 1_000, 70_000))]
            at += len(piece)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if dice.random() < 0.3:
                await asyncio.sleep(0)
            if dice.random() < 0.005:
                return False
        writer.write(b"0\r\n\r\n")
        return True


@dataclass
class Client:
    """One of the crowd."""

    number: int
    port: int
    told: Counter[str] = field(default_factory=Counter)
    made: int = 0

    async def run(self, requests: int) -> Counter[str]:
        """Make so many requests, on as many connections as that takes."""
        dice = random.Random(self.number)
        while self.made < requests:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                while self.made < requests and await self._talk(dice, reader, writer):
                    pass
            except CUTS:
                self.told["cut"] += 1
            finally:
                writer.close()
        return self.told

    async def _talk(self, dice: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send some requests ahead and read their answers; return whether the connection goes on."""
        bodies = [self._body(dice) for _ in range(dice.choice((1, 1, 1, 2, 5)))]
        for body in bodies:
            framing = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" if dice.random() < 0.3 else b"Content-Length: %d\r\n\r\n%b"
            writer.write(b"POST /v1/x HTTP/1.1\r\nHost: x\r\n" + framing % (len(body), body))
        if dice.random() < 0.05:
            await asyncio.sleep(dice.random() * 0.01)
            writer.transport.abort()
            self.told["left"] += 1
            return False
        half = dice.random() < 0.03
        if half:
            writer.write_eof()
        for at, body in enumerate(bodies):
            try:
                head = await reader.readuntil(END_OF_HEAD)
            except asyncio.IncompleteReadError:
                assert at, "a request without any answer: only one behind an answer that was cut has none"
                raise
            got = await read_body(reader, head)
            if b"\r\nx-anton-error:" in head:
                self.told["502"] += 1
                if b"\r\nConnection: close" in head:
                    return False
            else:
                assert b"\r\nX-Id: %b\r\n" % body[:16] in head, "somebody else's head"
                assert got == body, "somebody else's body"
                self.told["own"] += 1
        return not half

    def _body(self, dice: random.Random) -> bytes:
        self.made += 1
        return b"%04d-%011d" % (self.number, self.made) + bytes([65 + self.made % 26]) * dice.choice(SIZES)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as running:
        yield running


@pytest.mark.parametrize(("clients", "requests"), [(24, 40), pytest.param(64, 1_000, marks=pytest.mark.soak)])
def test_everybody_in_a_crowd_gets_their_own_bytes(echo: Echo, tmp_path: Path, clients: int, requests: int) -> None:
    async def crowd(port: int) -> Counter[str]:
        told: Counter[str] = Counter()
        for one in await asyncio.gather(*(Client(number, port).run(requests) for number in range(clients))):
            told += one
        return told

    with RelayThread({"openai": f"http://127.0.0.1:{echo.port}"}, tmp_path) as relay:
        told = uvloop.run(crowd(relay.port))
        counters = relay.worker.counters
        exchanges = relay.ended(counters.requests_total)
        assert all(exchange.end is not None for exchange in exchanges)
        whole = [exchange for exchange in exchanges if exchange.end is not None and exchange.end.outcome == "complete"]
        assert [exchange.request.call_id for exchange in whole if exchange.request_body != exchange.response_body] == []
        assert len(whole) >= told["own"] > clients * requests // 2, told
        assert (counters.requests_open, counters.errors_proxy_total, counters.journal_dropped_frames_total) == (0, 0, 0)
    print(dict(told), len(exchanges))  # noqa: T201 - the figures are the result
