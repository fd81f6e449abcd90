"""HTTP transports for the SDKs that note what crossed below them: heads as they came, pieces of body, how it ended."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx2

HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"proxy-connection", b"te", b"trailer", b"upgrade"}
"""RFC 9110 7.6.1: belong to one connection, so an intermediary may set its own."""


@dataclass(slots=True)
class Seen:
    """One response as the client's HTTP library got it. `headers` in order and case, without hop-by-hop ones."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    pieces: list[bytes] = field(default_factory=list)
    ending: str = "open"
    """`whole`, `closed` (by the client before the end), or the name of the error."""

    @property
    def body(self) -> bytes:
        """The body's bytes, content coding untouched."""
        return b"".join(self.pieces)

    def facts(self) -> tuple[object, ...]:
        """Return what must be equal direct and through the proxy (how the kernel cut the pieces is not)."""
        return (self.status, self.reason, self.headers, self.body, self.ending)


@dataclass(slots=True)
class Watch:
    """Everything one client saw, in order."""

    seen: list[Seen] = field(default_factory=list)

    def sync_client(self) -> httpx2.Client:
        """Return a client as the SDKs make it, with this watch below it."""
        return httpx2.Client(transport=_Transport(self), timeout=httpx2.Timeout(30.0), follow_redirects=True)

    def async_client(self) -> httpx2.AsyncClient:
        """Return an async client as the SDKs make it, with this watch below it."""
        return httpx2.AsyncClient(transport=_AsyncTransport(self), timeout=httpx2.Timeout(30.0), follow_redirects=True)

    def note(self, response: httpx2.Response) -> Seen:
        """Keep a response's head."""
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in HOP_BY_HOP]
        seen = Seen(response.status_code, bytes(response.extensions.get("reason_phrase", b"")), headers)
        self.seen.append(seen)
        return seen


class _Pieces(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, seen: Seen) -> None:
        self._inner, self._seen = inner, seen

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._inner:
                self._seen.pieces.append(piece)
                yield piece
            self._seen.ending = "whole"
        except httpx2.HTTPError as error:
            self._seen.ending = type(error).__name__
            raise

    def close(self) -> None:
        if self._seen.ending == "open":
            self._seen.ending = "closed"
        self._inner.close()


class _AsyncPieces(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, seen: Seen) -> None:
        self._inner, self._seen = inner, seen

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._inner:
                self._seen.pieces.append(piece)
                yield piece
            self._seen.ending = "whole"
        except httpx2.HTTPError as error:
            self._seen.ending = type(error).__name__
            raise

    async def aclose(self) -> None:
        if self._seen.ending == "open":
            self._seen.ending = "closed"
        await self._inner.aclose()


class _Transport(httpx2.HTTPTransport):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Pieces(response.stream, self._watch.note(response))
        return response


class _AsyncTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _AsyncPieces(response.stream, self._watch.note(response))
        return response
