"""Load: wrk for whole calls, a uvloop client for streams. Every figure is per call or per chunk that really passed."""

import asyncio
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Content-Type": "application/json",
    "User-Agent": "Anthropic/Python 1.17.0",
    "X-Stainless-Lang": "python",
    "X-Stainless-Package-Version": "1.17.0",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-Runtime-Version": "3.11.7",
    "X-Stainless-Async": "false",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "600",
    "X-Api-Key": "sk-ant-dummy-0123456789",
    "anthropic-version": "2023-06-01",
}
"""What the Anthropic SDK sends, so that heads cost what they cost."""
_UNITS = {"us": 1.0, "ms": 1000.0, "s": 1e6}


@dataclass(frozen=True, slots=True)
class Calls:
    """What a run of wrk did. Times in µs."""

    count: int
    seconds: float
    p50_us: float
    p99_us: float
    errors: int


def body(size: int) -> str:
    """Return a request body of about `size` bytes."""
    start = '{"model":"claude-sonnet-4-5","max_tokens":1024,"messages":[{"role":"user","content":"'
    return start + "x" * (size - len(start) - 5) + '"}]}'


def write_script(folder: Path, size: int, *, varying: bool = False) -> Path:
    """Write wrk's script. `varying`: every request has another length and id, as in a conversation."""
    path = folder / f"post-{size}{'-varying' if varying else ''}.lua"
    lines = ['wrk.method = "POST"', f"wrk.body = '{body(size)}'"]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in HEADERS.items()]
    if varying:
        lines += [
            "local n, base = 0, wrk.body",
            "request = function()",
            "  n = n + 1",
            '  wrk.headers["x-client-request-id"] = string.format("01a20238-932c-7243-a18f-%012d", n)',
            '  return wrk.format(nil, nil, nil, base .. string.rep(" ", n % 997))',
            "end",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def call_for(seconds: int, port: int, connections: int, script: Path, cpu: int) -> Calls:
    """Let wrk call `/v1/messages` for a while."""
    out = subprocess.run(
        ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(script),
         f"http://127.0.0.1:{port}/v1/messages"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    found = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", out)
    if found is None:
        raise RuntimeError(out)
    errors = sum(int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", out))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return Calls(int(found[1]), float(found[2]), _percentile(out, "50"), _percentile(out, "99"), errors + (int(bad[1]) if bad else 0))


def _percentile(out: str, which: str) -> float:
    found = re.search(rf"^\s+{which}%\s+([\d.]+)(us|ms|s)", out, re.MULTILINE)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")


@dataclass(slots=True)
class Streams:
    """What a run of streams did. `chunks` counts reads of the client that brought bytes."""

    streams: int = 0
    chunks: int = 0
    first_us: list[float] = field(default_factory=list)
    """Time to the first byte of each answer, in µs."""
    broken: int = 0


class _Reader(asyncio.Protocol):
    def __init__(self, request: bytes, rounds: int, result: Streams, done: "asyncio.Future[None]") -> None:
        self.request = request
        self.rounds = rounds
        self.result = result
        self.done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.asked = time.perf_counter()
        self.waiting = True
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if self.waiting:
            self.waiting = False
            self.result.first_us.append((time.perf_counter() - self.asked) * 1e6)
        self.result.chunks += 1
        if data.endswith(b"0\r\n\r\n"):
            self.result.streams += 1
            self.rounds -= 1
            if self.rounds:
                self._ask()
            else:
                self.transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.result.broken += self.rounds
        if not self.done.done():
            self.done.set_result(None)


def post(text: str, target: str = "/v1/messages") -> bytes:
    """Return a request with the SDK's headers."""
    payload = text.encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    return f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


def stream_request(target: str) -> bytes:
    """Return a request for a stream, with the SDK's headers."""
    return post(body(1000), target)


def stream_for(port: int, connections: int, rounds: int, target: str) -> Streams:
    """Read `rounds` streams on each of some connections at once."""

    async def main() -> Streams:
        loop, result, waits = asyncio.get_running_loop(), Streams(), []
        request = stream_request(target)
        for _ in range(connections):
            done: asyncio.Future[None] = loop.create_future()
            waits.append(done)
            await loop.create_connection(lambda done=done: _Reader(request, rounds, result, done), "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.gather(*waits)
        return result

    return uvloop.run(main())
