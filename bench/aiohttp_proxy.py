"""A plain streaming reverse proxy in aiohttp, as one would write it: `python -m bench.aiohttp_proxy PORT UPSTREAM_PORT`."""

import sys

import aiohttp
import uvloop
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length"}


async def relay(request: web.Request) -> web.StreamResponse:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    url = f"http://127.0.0.1:{sys.argv[2]}{request.raw_path}"
    async with request.app["client"].request(request.method, url, headers=headers, data=await request.read()) as answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        response = web.StreamResponse(status=answer.status, headers=kept)
        if answer.content_length is not None:
            response.content_length = answer.content_length
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def application() -> web.Application:
    app = web.Application(client_max_size=1 << 26)
    app["client"] = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
    app.router.add_route("*", "/{path:.*}", relay)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
