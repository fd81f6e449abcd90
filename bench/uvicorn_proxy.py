"""A plain streaming reverse proxy: ASGI on uvicorn, with an aiohttp client: `python -m bench.uvicorn_proxy PORT UPSTREAM_PORT`."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import uvicorn

HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"host", b"content-length"}
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class ReverseProxy:
    """One aiohttp session, made when the server starts."""

    session: aiohttp.ClientSession

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._relay(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.session = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.session.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _relay(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name not in HOP_BY_HOP]
        query = scope["query_string"].decode("latin-1")
        url = f"http://127.0.0.1:{sys.argv[2]}{scope['raw_path'].decode('latin-1')}{'?' if query else ''}{query}"
        body = b"".join([part async for part in _body(receive)])
        async with self.session.request(scope["method"], url, headers=headers, data=body) as answer:
            kept = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() not in HOP_BY_HOP - {b"content-length"}]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


if __name__ == "__main__":
    uvicorn.run(
        ReverseProxy(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False, loop="uvloop", http="httptools"
    )
