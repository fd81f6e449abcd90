"""Bodies are redacted by value before anything is made of them, so that no row, index, event or export can hold a secret.

What is searched is the decoded body. A body in which something was found is stored altered, in its own content coding, and
its call carries `redacted`. Three ways a key may hide: as it is (found in the bytes), behind JSON escapes or in pieces of a
stream (found in the strings, see `strings`), and in live text (held back, see `held`). When a secret shows up in a call all
the same, the body it came from is not stored at all. Only the record is altered; the bytes forwarded stay exact.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

import brotli  # type: ignore[import-untyped]
from backports import zstd

from modular_agents.proxy.model.call import Call, Message
from modular_agents.proxy.model.exchange import Chunk, Exchange, Headers
from modular_agents.proxy.model.secret import Secrets, find_secrets
from modular_agents.proxy.recorder.strings import may_hide, redact_strings
from modular_agents.proxy.wire.encodings import codings, decode_body
from modular_agents.proxy.wire.websocket import MessageDecoder, agreed

REDACTED = "redacted"
_KNOWN_BODIES = 8
"""Clean request bodies remembered: the conversations that run at once, roughly."""
_KNOWN_BODY_BYTES = 4 * 1024 * 1024
_SHORT_BODY_BYTES = 16 * 1024
"""Searching so much takes no longer than finding out what of it is known."""
_OVERLAP_BYTES = 256
"""Searched again before what is new: a key at the seam is not overlooked (PEM keys, which are longer, begin anew)."""

_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.compress(data, wbits=16 + zlib.MAX_WBITS),
    "x-gzip": lambda data: zlib.compress(data, wbits=16 + zlib.MAX_WBITS),
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": zstd.compress,
}


class Redactor:
    """Redacts exchanges and calls. One per recorder: it remembers what it has found clean."""

    def __init__(self, key: bytes) -> None:
        self.secrets = Secrets(key)
        self._known: deque[bytes] = deque(maxlen=_KNOWN_BODIES)

    def request(self, exchange: Exchange) -> Exchange:
        """Return the exchange with a request that may be stored; the very same object when it may be as it is."""
        side = exchange.request
        if not side.body:
            return exchange
        body = self._clean_request(side.body) if not codings(side.headers) else self._clean(side.body, side.headers)
        if body is side.body:
            return exchange
        side = replace(side, body=body, chunks=_rescaled(side.chunks, len(side.body), len(body)))
        return replace(exchange, request=side, flags=exchange.flags | {REDACTED})

    def response(self, exchange: Exchange, *, strings: bool = False) -> Exchange:
        """Return the exchange with an answer that may be stored, as above. strings: look for keys that came in pieces, too."""
        side = exchange.response
        if side is None or not side.body:
            return exchange
        body = self._clean(side.body, side.headers, strings=strings)
        return exchange if body is side.body else self._with_answer(exchange, body)

    def ending(self, exchange: Exchange) -> Exchange:
        """Return the exchange with words about its end that may be stored: they can quote what was asked, a path for instance."""
        if not exchange.outcome_detail:
            return exchange
        detail = self._text(exchange.outcome_detail)
        return (
            exchange if detail == exchange.outcome_detail else replace(exchange, outcome_detail=detail, flags=exchange.flags | {REDACTED})
        )

    def tunnel(self, exchange: Exchange) -> Exchange:
        """Return the exchange without the bytes of its WebSocket when a message on it holds a secret, or when they cannot be read."""
        if not exchange.tunnel:
            return exchange
        up, down = map(MessageDecoder, agreed(exchange.response.headers if exchange.response else ()))
        said: tuple[list[bytes], list[bytes]] = ([], [])
        for frame in exchange.tunnel:
            said[frame.up].extend((up if frame.up else down).feed(frame.data))
        readable = up.failure is None and down.failure is None
        if readable and all(self._is_clean_text(b"\n".join(messages)) for messages in said):
            return exchange
        return replace(exchange, tunnel=(), flags=exchange.flags | {REDACTED})

    def _is_clean_text(self, text: bytes) -> bool:
        return not find_secrets(text) and redact_strings(text, self.secrets) is text

    def without_answer(self, exchange: Exchange) -> Exchange:
        """Return the exchange without the bytes of its answer."""
        return self._with_answer(exchange, b"")

    def without_bodies(self, exchange: Exchange) -> Exchange:
        """Return the exchange without any body: for one that could not be searched."""
        request = replace(exchange.request, body=b"", chunks=())
        return self._with_answer(replace(exchange, request=request, tunnel=(), flags=exchange.flags | {REDACTED}), b"")

    def is_clean(self, call: Call) -> bool:
        """Return whether nothing secret shows in what an answer was read to be."""
        shown = [message.raw for message in call.answers]
        if call.error is not None:
            shown.append(call.error.message.encode("utf-8", "surrogatepass"))
        return not any(map(find_secrets, shown))

    def masked(self, call: Call) -> Call:
        """Return the call with its answer's texts redacted one by one: the last resort."""
        error = call.error and replace(call.error, message=self._text(call.error.message))
        return replace(call, answers=tuple(map(self._masked_message, call.answers)), error=error, flags=call.flags | {REDACTED})

    def _masked_message(self, message: Message) -> Message:
        parts = (
            replace(
                part,
                text=self._text(part.text),
                arguments=part.arguments and self._text(part.arguments),
                raw=redact_strings(self.secrets.redact(part.raw), self.secrets),
            )
            for part in message.parts
        )
        return replace(message, parts=tuple(parts), raw=redact_strings(self.secrets.redact(message.raw), self.secrets))

    def _text(self, text: str) -> str:
        return self.secrets.redact(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def _with_answer(self, exchange: Exchange, body: bytes) -> Exchange:
        side = exchange.response
        if side is not None:
            side = replace(side, body=body, chunks=_rescaled(side.chunks, len(side.body), len(body)))
        return replace(exchange, response=side, flags=exchange.flags | {REDACTED})

    def _clean(self, body: bytes, headers: Headers, *, strings: bool = False) -> bytes:
        """Return the body redacted, in its own coding; the very same object when there is nothing to redact."""
        applied = codings(headers)
        plain = decode_body(body, headers)[0] if applied else body
        clean = plain
        found = bool(find_secrets(plain))
        if strings or may_hide(plain) or (found and b"\n" in plain):
            clean = redact_strings(plain, self.secrets)  # first: a key that was replaced in one piece would leave the others behind
        if found or clean is not plain:
            clean = self.secrets.redact(clean)
        if clean is plain:
            return body
        for coding in applied:
            clean = _ENCODERS[coding](clean)
        return clean

    def _clean_request(self, body: bytes) -> bytes:
        """Return a request body redacted. What an agent sends again, turn after turn, is searched once."""
        is_short = len(body) <= _SHORT_BODY_BYTES
        start = 0 if is_short else max(0, max((_common(known, body) for known in self._known), default=0) - _OVERLAP_BYTES)
        new = body[start:]
        if not find_secrets(new) and not may_hide(new):
            if not is_short and len(body) <= _KNOWN_BODY_BYTES:
                self._remember(body, start)
            return body
        clean = self.secrets.redact(body)
        return redact_strings(clean, self.secrets) if may_hide(clean) else clean

    def _remember(self, body: bytes, start: int) -> None:
        """Keep a clean body, in place of the one that it continues."""
        for known in self._known:
            if len(known) - _OVERLAP_BYTES <= start + _OVERLAP_BYTES and body.startswith(known[:start]):
                self._known.remove(known)
                break
        self._known.append(body)


def is_streamed(exchange: Exchange) -> bool:
    """Return whether an answer may bring a text in pieces: events or lines."""
    headers = exchange.response.headers if exchange.response else ()
    return any(name.lower() == "content-type" and ("stream" in value or "ndjson" in value or "jsonl" in value) for name, value in headers)


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes both begin with, by halving: comparing slices is fast, comparing bytes is not."""
    low, high = 0, min(len(one), len(other))
    if one[:64] != other[:64]:
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _rescaled(chunks: Iterable[Chunk], before: int, after: int) -> tuple[Chunk, ...]:
    """Return chunks whose sizes add up to `after` as they did to `before`, at the same times."""
    scaled, seen, given = [], 0, 0
    for chunk in chunks:
        seen += chunk.size
        upto = seen * after // before if before else 0
        scaled.append(Chunk(chunk.at_ns, upto - given))
        given = upto
    return tuple(scaled)
