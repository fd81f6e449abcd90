"""An answer of the stand-in provider before it is delivered: status, header lines in order, and pieces of body.

A piece is what the provider hands to its socket in one go: one SSE event, one NDJSON line, or a whole JSON document.
"""

import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

from tests.support.script import Script

DATE = "Sun, 22 Nov 2026 07:44:52 GMT"
"""One instant for ever: the same request gets the same bytes, so that direct and proxied answers can be compared."""

Headers = tuple[tuple[str, str], ...]

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    529: "unknown",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """`stream` says that pieces are events, each to be sent as it comes."""

    status: int
    headers: Headers
    pieces: tuple[bytes, ...]
    stream: bool = False


def seed_of(*parts: bytes) -> str:
    """Return 24 hex characters that identify a request: ids in the answer are made of them."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]


def compact(value: object) -> bytes:
    """Return JSON as providers write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse(value: object, event: str | None = None) -> bytes:
    """Return one server-sent event."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + (value if isinstance(value, bytes) else compact(value)) + b"\n\n"


def split_text(text: str, count: int) -> list[str]:
    """Cut a text into at most `count` nearly equal pieces; an empty text has none."""
    if not text:
        return []
    count = max(1, min(count, len(text)))
    size, extra = divmod(len(text), count)
    cuts = [i * size + min(i, extra) for i in range(count + 1)]
    return [text[a:b] for a, b in itertools.pairwise(cuts)]


def answer_text(script: Script, asked: str) -> str:
    """Return what the model says: the script's text, filler, or an echo with letters of many widths."""
    if script.fill_bytes:
        return ("0123456789abcdef" * (script.fill_bytes // 16 + 1))[: script.fill_bytes]
    if script.text is not None:
        return script.text
    return f"You said “{asked[:60]}”. Žluťoučký 🐎 中文."


def count_tokens(text: str) -> int:
    """Return a plausible token count: never 0 for something."""
    return max(1, len(text) // 4)


def merged_usage(usage: dict[str, Any], script: Script) -> dict[str, Any]:
    """Return the usage object with the script's own fields over it."""
    return usage | (script.usage or {})


def last_user_text(messages: object) -> str:
    """Return the text of the last user message, in Anthropic's, OpenAI's or Gemini's shape."""
    if isinstance(messages, str):
        return messages
    if not isinstance(messages, list):
        return ""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role", "user") == "user":
            content = message.get("content", message.get("parts", ""))
            if isinstance(content, str):
                return content
            if isinstance(content, list):
                return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict)).strip()
    return ""
