"""How anything leaves: JSON of a shape, an error in words, a plain page; each with the headers that keep a browser safe."""

import base64
import hashlib
import html

import msgspec
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from modular_agents.proxy.dashboard.shapes import ErrorBody, ErrorView

_PLAIN_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:15vh auto;padding:0 1rem}"
    "h1{font-size:1.25rem}code,p:last-child{font-family:ui-monospace,monospace;font-size:.875rem}"
)
_PLAIN_STYLE_HASH = base64.b64encode(hashlib.sha256(_PLAIN_STYLE.encode()).digest()).decode()

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src {style}; connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SAFE_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", _POLICY.format(style="'self'").encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)
"""Added to every answer that does not set its own: what is read here must not be framed, sniffed, cached or lead elsewhere."""


def with_safe_headers(message: Message) -> Message:
    """Return an ASGI message with `SAFE_HEADERS` where it starts an answer; any other message as it is."""
    if message["type"] not in {"http.response.start", "websocket.http.response.start", "websocket.accept"}:
        return message
    headers = list(message.get("headers", []))
    present = {bytes(name).lower() for name, _ in headers}
    return {**message, "headers": headers + [pair for pair in SAFE_HEADERS if pair[0] not in present]}


def json_response(body: bytes, status: int = 200) -> Response:
    """Return JSON text that is already encoded."""
    return Response(body, status, media_type="application/json")


def plain_page(title: str, lines: tuple[str, ...], status: int) -> Response:
    """Return a page of words only: it needs nothing else from this server. Texts are escaped."""
    words = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_PLAIN_STYLE}</style><h1>{html.escape(title)}</h1>{words}</html>"
    )
    policy = _POLICY.format(style=f"'sha256-{_PLAIN_STYLE_HASH}'")
    return Response(body, status, {"content-security-policy": policy}, "text/html")


def error_response(status: int, body: ErrorBody) -> Response:
    """Return an error as JSON."""
    return json_response(msgspec.json.encode(ErrorView(body)), status)


async def refuse(status: int, body: ErrorBody, scope: Scope, receive: Receive, send: Send, *, as_page: bool) -> None:
    """Answer with an error: a page for a person's browser, JSON for everything else, before the handshake for a WebSocket."""
    response = plain_page(body.message, (body.hint,), status) if as_page else error_response(status, body)
    if status == 401:  # noqa: PLR2004 - RFC 9110, 11.6.1: 401 names the scheme
        response.headers["www-authenticate"] = "Bearer"
    if scope["type"] == "websocket":
        await receive()
    await response(scope, receive, send)
