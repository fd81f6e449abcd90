"""Providers that are not the bottleneck: nginx with a fixed answer, and a uvloop server that streams or keeps silent.

The streaming one: `python -m bench.origins PORT`. Target `/stream/<chunks>/<gap ms>/<bytes>`: an SSE answer of that shape.
`/idle`: a head and one event, then silence.
"""

import asyncio
import sys
from pathlib import Path

import uvloop

ANSWER_HEADERS = {
    "request-id": "req_011CSHoEeqs5C35K2UUqR7Fy",
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-tokens-remaining": "400000",
    "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
    "cf-cache-status": "DYNAMIC",
    "x-robots-tag": "none",
}
ANSWER = (
    '{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"'
    + "lorem ipsum dolor sit amet " * 16
    + '"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1021,"output_tokens":97}}'
)

_NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log stderr crit;
events {{ worker_connections 10000; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 64m; client_body_buffer_size 256k;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy; fastcgi_temp_path {folder}/{name}-f;
  uwsgi_temp_path {folder}/{name}-u; scgi_temp_path {folder}/{name}-s;
  {body}
}}
"""


def nginx_answering(folder: Path, port: int) -> list[str]:
    """Return the command of an nginx that answers every request at once."""
    lines = "".join(f'add_header {name} "{value}"; ' for name, value in ANSWER_HEADERS.items())
    answer = ANSWER.replace("'", "")
    return _nginx(
        folder,
        "origin",
        f"server {{ listen 127.0.0.1:{port} backlog=4096; "
        f"location / {{ default_type application/json; {lines} return 200 '{answer}'; }} }}",
    )


def nginx_proxying(folder: Path, port: int, upstream: int) -> list[str]:
    """Return the command of an nginx that relays as a streaming reverse proxy should: keep-alive, nothing buffered, nothing logged."""
    return _nginx(
        folder,
        "proxy",
        f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 5000; keepalive_requests 100000000; }}"
        f" server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://up; proxy_http_version 1.1;"
        ' proxy_set_header Connection ""; proxy_set_header Host api.anthropic.com; proxy_buffering off; proxy_request_buffering off;'
        " proxy_read_timeout 900s; } }",
    )


def _nginx(folder: Path, name: str, body: str) -> list[str]:
    path = folder / f"{name}.conf"
    path.write_text(_NGINX.format(folder=folder, name=name, body=body))
    return ["nginx", "-e", "stderr", "-c", str(path)]


class Streaming(asyncio.Protocol):
    """Answers each request with a stream. Requests are small, so a head's end in a read is a request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        target = data.split(b" ", 2)[1]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
        head += b"request-id: req_011CSHoEeqs5C35K2UUqR7Fy\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.transport.write(head)
        if target.endswith(b"/idle"):
            self.transport.write(_chunk(200))
            return
        chunks, gap_ms, size = (int(part) for part in target.split(b"/")[-3:])
        self.chunk = _chunk(size)
        self.gap_s = gap_ms / 1000
        self.left = chunks
        self._next()

    def _next(self) -> None:
        if self.transport.is_closing():
            return
        if self.left == 0:
            self.transport.write(b"0\r\n\r\n")
            return
        self.left -= 1
        self.transport.write(self.chunk)
        asyncio.get_running_loop().call_later(self.gap_s, self._next)


def _chunk(size: int) -> bytes:
    event = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"'
    event += b"x" * max(0, size - len(event) - 5) + b'"}}\n\n'
    return b"%x\r\n%b\r\n" % (len(event), event)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Streaming, "127.0.0.1", int(sys.argv[1]), backlog=8192)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
