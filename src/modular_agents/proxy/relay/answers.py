"""Answers of our own: small, in the shape the client's SDK understands, marked `x-anton-error`, saying what to do.

`x-anton-error` is `client`, `upstream` or `proxy`: whose fault it is. None of them is ever sent once a byte of the
provider's own answer has gone out.
"""

from dataclasses import dataclass

from modular_agents.proxy.relay.routing import ANTHROPIC, GEMINI

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    508: "Loop Detected",
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    504: "timeout_error",
}
_GEMINI = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 502: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\"} | {code: f"\\u{code:04x}" for code in (*range(32), 127)}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `code` names the case for programs: `upstream_unreachable`, `bad_request` and so on."""

    status: int
    whose: str
    code: str
    message: str

    def body(self, dialect: str) -> bytes:
        """Return the JSON body in a provider's error shape."""
        message = quoted(f"anton proxy: {self.message}")
        if dialect == ANTHROPIC:
            kind = quoted(_TYPES.get(self.status, "api_error"))
            text = f'{{"type":"error","error":{{"type":{kind},"message":{message}}}}}'
        elif dialect == GEMINI:
            text = f'{{"error":{{"code":{self.status},"message":{message},"status":{quoted(_GEMINI.get(self.status, "INTERNAL"))}}}}}'
        else:
            kind = quoted(_TYPES.get(self.status, "api_error"))
            text = f'{{"error":{{"message":{message},"type":{kind},"param":null,"code":{quoted(self.code)}}}}}'
        return text.encode("utf-8", "replace")

    def head(self, length: int, *, close: bool) -> bytes:
        """Return status line and headers, without the empty line."""
        return render_head(
            self.status, "application/json", length, close=close, extra=f"x-anton-error: {self.whose}\r\nx-anton-code: {self.code}\r\n"
        )


def render_head(status: int, content_type: str, length: int, *, close: bool, extra: str = "") -> bytes:
    """Return the head of an answer of ours, without the empty line."""
    connection = "Connection: close\r\n" if close else ""
    return (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
        f"Cache-Control: no-store\r\n{extra}{connection}"
    ).encode("latin-1")


def quoted(text: str) -> str:
    """Return text as a JSON string. The relay may not import json, for it parses nothing."""
    return f'"{text.translate(_ESCAPES)}"'
