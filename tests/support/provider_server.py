"""A real HTTP stand-in for a model provider: it controls every byte it sends and keeps every byte it gets.

    with ProviderServer() as provider:            # a thread with its own loop, on 127.0.0.1, port 0
        ...                                       # client calls to provider.url, with or without a script in the request
        provider.requests[0].head                 # exactly what came

Or on its own: `python -m tests.support.provider_server --port N`. What it shall do is in `tests/support/script.py`.
The same request gets the same bytes each time (ids come from its body), unless `unique_ids`.
"""

import argparse
import asyncio
import base64
import contextlib
import itertools
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from tests.support.codings import encode_pieces
from tests.support.provider_records import Connection, Ledger, Received
from tests.support.provider_routes import BODILESS, answer, read_json
from tests.support.provider_socket import Cut, Gone, PeerSocket, Sender
from tests.support.provider_websocket import serve_websocket
from tests.support.replies import REASONS, Headers, Reply, seed_of
from tests.support.script import Script, find_script

Matcher = Callable[[Received], bool]


class ProviderServer:
    """The stand-in. Thread-safe to look at and to steer from the test's thread."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None, unique_ids: bool = False) -> None:
        self.ledger = Ledger()
        self._host, self.port, self._tls, self._unique_ids = host, port, tls, unique_ids
        self._scenarios: list[tuple[Matcher, Script, list[int]]] = []
        self._attempts: Counter[str] = Counter()
        self._gates: dict[str, asyncio.Event] = {}
        self._serial = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    # steering

    def start(self) -> Self:
        """Listen. `port` and `url` are good afterwards. Raises OSError when the port is taken."""
        self._thread.start()
        self._ready.wait(10)
        if not self.port:
            msg = "the stand-in provider did not start"
            raise OSError(msg)
        return self

    def stop(self) -> None:
        """Close everything, whatever is going on."""
        self._call(self._loop.stop)
        self._thread.join(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    @property
    def requests(self) -> list[Received]:
        """Every request whose head was read, in order."""
        return self.ledger.requests

    @property
    def connections(self) -> list[Connection]:
        """Every connection accepted, in order."""
        return self.ledger.connections

    def on(self, script: Script, *, path: str = "", when: Matcher | None = None, times: int = 1 << 30) -> None:
        """Register a scenario: requests whose target starts with `path` (and match `when`) get `script`, at most `times` times."""
        self._scenarios.append((when or (lambda request: request.target.startswith(path)), script, [times]))

    def release(self, name: str = "stall") -> None:
        """Let go everything that stalls, now or later, under this name."""
        self._call(lambda: self._gate(name).set())

    def hold(self, name: str = "stall") -> None:
        """Make the name stall again."""
        self._call(lambda: self._gate(name).clear())

    def wait_for(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Return when `condition()` holds; it is asked again whenever a record changes."""
        self.ledger.wait_for(condition, timeout_s)

    def wait_requests(self, count: int, timeout_s: float = 30.0) -> list[Received]:
        """Return the requests once there are `count`, each read whole."""
        self.wait_for(lambda: sum(r.complete_at is not None for r in self.requests) >= count, timeout_s)
        return self.requests

    def reset(self) -> None:
        """Forget records, scenarios and attempts; gates close."""
        self.ledger.forget()
        self._scenarios.clear()
        self._attempts.clear()
        self._call(self._gates.clear)

    def drop_connections(self) -> None:
        """Reset every open connection: the provider's process died."""
        self._call(lambda: [peer.reset() for peer in list(self._peers)])

    # the thread

    def _call(self, action: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action)

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        main = self._loop.create_task(self._serve())
        try:
            self._loop.run_forever()
        finally:
            main.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                self._loop.run_until_complete(main)
            self._loop.close()

    async def _serve(self) -> None:
        self._peers: set[PeerSocket] = set()
        accepted: asyncio.Queue[PeerSocket] = asyncio.Queue()
        try:
            listener = await self._loop.create_server(
                lambda: PeerSocket(self.ledger, accepted), self._host, self.port, ssl=self._tls, backlog=4096
            )
            self.port = listener.sockets[0].getsockname()[1]
        except OSError:
            self.port = 0
            raise
        finally:
            self._ready.set()
        talks: set[asyncio.Task[None]] = set()
        try:
            while True:
                peer = await accepted.get()
                self._peers.add(peer)
                talk = self._loop.create_task(self._talk(peer))
                talks.add(talk)
                talk.add_done_callback(talks.discard)
        finally:
            listener.close()
            for talk in list(talks):
                talk.cancel()
            await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, peer: PeerSocket) -> None:
        """Serve one connection until it ends. A fault of the script's is told on stderr, for the test to be mended."""
        try:
            while await self._one(peer):
                pass
            peer.close()
        except Gone:
            peer.close()
        except Cut:
            pass
        except asyncio.CancelledError:
            peer.transport.abort()
            raise
        except (ValueError, KeyError, TypeError) as error:
            print(f"stand-in provider: {error!r}", file=sys.stderr)  # noqa: T201 - a test's own mistake must be seen
            peer.reset()
        finally:
            self._peers.discard(peer)
            self.ledger.touched()

    # one request

    async def _one(self, peer: PeerSocket) -> bool:
        """Read one request, answer it; True when the connection stays."""
        request = _parse_head(await peer.read_until(b"\r\n\r\n"), peer.record)
        self.ledger.add_request(request)
        early = request.header("expect") is not None
        if early:
            early = await self._expectation(peer, request)
        if not early:
            await _read_body(peer, request)
        request.complete_at = time.monotonic()
        self.ledger.touched()
        script = self._script(request, read_json(request.body))
        if (request.header("upgrade") or "").lower() == "websocket" and not script.ws_refuse:
            await serve_websocket(peer, request, script, self.ledger.touched)
            return False
        status = script.ws_refuse or self._status(request, script)
        sender = Sender(peer, script)
        try:
            keep = await self._answer(peer, sender, request, script, status)
        except Cut:
            await asyncio.sleep(0)
            peer.reset() if script.rst else peer.close()
            raise
        finally:
            request.sent_bytes = sender.sent
        request.finished_at = time.monotonic()
        self.ledger.touched()
        return keep and not early

    async def _expectation(self, peer: PeerSocket, request: Received) -> bool:
        """Deal with `Expect: 100-continue`; True when the answer comes without reading the body."""
        script = self._script(request, None, peek=True)
        if script.expect == "continue":
            await peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return script.expect == "final"

    def _script(self, request: Received, document: object, *, peek: bool = False) -> Script:
        for matches, script, left in self._scenarios:
            if left[0] > 0 and matches(request):
                left[0] -= 0 if peek else 1
                return script
        return find_script(request.headers, document)

    def _status(self, request: Received, script: Script) -> int:
        """Return the status of this attempt: `fail` counts how often this very request came."""
        if not script.fail:
            return script.status
        key = seed_of(request.method.encode(), request.target.encode(), request.body)
        attempt = self._attempts[key] % (len(script.fail) + 1)
        self._attempts[key] += 1
        return script.fail[attempt] if attempt < len(script.fail) else script.status

    async def _answer(self, peer: PeerSocket, sender: Sender, request: Received, script: Script, status: int) -> bool:
        if script.raw is not None or script.raw_base64 is not None:
            raw = base64.b64decode(script.raw_base64) if script.raw_base64 else (script.raw or "").encode("latin-1")
            await self._pause(peer, script, -1)
            await sender.send(raw)
            return not script.close
        salt = b"%d" % next(self._serial) if self._unique_ids else b""
        seed = seed_of(request.method.encode(), request.target.encode(), request.body, salt)
        reply = answer(request.method, request.target, request.headers, request.body, script, status, seed)
        request.status = reply.status
        framing = _framing(reply, script, request)
        pieces = _body_pieces(reply, script)
        await asyncio.sleep(script.first_ms / 1000)
        await self._pause(peer, script, -1)
        for code in script.informational:
            await sender.send(
                f"HTTP/1.1 {code} {'Early Hints' if code == 103 else 'Processing'}\r\nlink: </x>; rel=preload\r\n\r\n".encode()
            )
        keep = framing != "close" and not script.close and (request.header("connection") or "").lower() != "close"
        request.sent_head = _head_bytes(reply, script, framing, pieces, keep=keep)
        await sender.send(request.sent_head)
        await self._pause(peer, script, 0)
        if request.method != "HEAD" and framing != "none":
            await self._body(peer, sender, request, script, framing, pieces)
        return keep

    async def _body(self, peer: PeerSocket, sender: Sender, request: Received, script: Script, framing: str, pieces: list[bytes]) -> None:
        for number, piece in enumerate(pieces, 1):
            if script.cut_pieces is not None and number > script.cut_pieces:
                raise Cut
            request.pieces.append((time.monotonic(), len(piece)))
            await sender.send(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            self.ledger.touched()
            await self._pause(peer, script, number)
            if script.gap_ms:
                await asyncio.sleep(script.gap_ms / 1000)
        if script.cut_pieces is not None:
            raise Cut
        if framing == "chunked":
            trailers = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in script.trailers)
            await sender.send(b"0\r\n" + trailers + b"\r\n")

    async def _pause(self, peer: PeerSocket, script: Script, place: int) -> None:
        if script.stall_at != place:
            return
        waits = {asyncio.ensure_future(self._gate(script.stall).wait()), asyncio.ensure_future(peer.over.wait())}
        _, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in left:
            wait.cancel()


def _parse_head(head: bytes, connection: Connection) -> Received:
    lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, version = [*lines[0].split(" "), "", "", ""][:3]
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:]))
    return Received(connection, method, target, version, headers, head, time.monotonic())


async def _read_body(peer: PeerSocket, request: Received) -> None:
    """Read the body by its framing, keeping the raw bytes too."""
    if "chunked" in (request.header("transfer-encoding") or "").lower():
        raw, body = bytearray(), bytearray()
        while True:
            line = await peer.read_until(b"\r\n")
            raw += line
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            chunk = await peer.read_exactly(size + 2)
            raw += chunk
            body += chunk[:-2]
        trailers: list[tuple[str, str]] = []
        while (line := await peer.read_until(b"\r\n")) != b"\r\n":
            raw += line
            name, _, value = line.decode("latin-1").strip().partition(":")
            trailers.append((name, value.strip()))
        request.wire_body, request.body, request.trailers = bytes(raw + line), bytes(body), tuple(trailers)
    elif length := request.header("content-length"):
        request.wire_body = request.body = await peer.read_exactly(int(length))


def _framing(reply: Reply, script: Script, request: Received) -> str:
    if reply.status in BODILESS:
        return "none"
    if script.framing != "auto":
        return script.framing
    if request.version == "HTTP/1.0":
        return "close"
    return "chunked" if reply.stream or script.trailers else "length"


def _body_pieces(reply: Reply, script: Script) -> list[bytes]:
    pieces: Iterator[bytes] = iter(reply.pieces)
    coded = encode_pieces(script.encoding, pieces) if script.encoding else pieces
    return [piece for piece in coded if piece]


def _head_bytes(reply: Reply, script: Script, framing: str, pieces: list[bytes], *, keep: bool) -> bytes:
    reason = script.reason if script.reason is not None else REASONS.get(reply.status, "Status")
    headers: Headers = reply.headers
    if script.encoding:
        headers += (("Content-Encoding", script.encoding),)
    if script.trailers:
        headers += (("Trailer", ", ".join(name for name, _ in script.trailers)),)
    if framing == "chunked":
        headers += (("Transfer-Encoding", "chunked"),)
    elif framing == "length":
        headers += (("Content-Length", str(sum(map(len, pieces)))),)
    headers += (("Connection", "keep-alive" if keep else "close"),)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/{script.http} {reply.status} {reason}\r\n{lines}\r\n".encode("latin-1")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in model provider for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    with ProviderServer(host=args.host, port=args.port, unique_ids=True) as provider:
        print(f"listening on {provider.url}", flush=True)  # noqa: T201 - how its starter learns the port
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
