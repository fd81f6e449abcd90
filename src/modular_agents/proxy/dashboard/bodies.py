"""A recorded body becomes text for JSON without losing a byte: UTF-8 as it is, anything else as base64.

Long ones are cut for showing only.
"""

import base64
from typing import Literal

from modular_agents.proxy.dashboard.shapes import BodyView, DecodedBody, RawView
from modular_agents.proxy.model.exchange import Headers
from modular_agents.proxy.model.query import RawExchange
from modular_agents.proxy.wire.encodings import codings, decode_body

SHOWN_BYTES = 2 * 1024 * 1024
"""A browser shows this much text without stalling; the download has the rest."""
_UTF8_TAIL_BYTES = 3
"""A character that the cut went through leaves at most this many bytes behind."""


def spell(body: bytes, *, cut: bool) -> tuple[Literal["utf8", "base64"], str]:
    """Return (encoding, data). `cut`: the end may lie within a character, which is then left out."""
    for dropped in range(_UTF8_TAIL_BYTES + 1 if cut else 1):
        try:
            return "utf8", body[: len(body) - dropped].decode()
        except UnicodeDecodeError:
            continue
    return "base64", base64.b64encode(body).decode("ascii")


def view_body(body: bytes, headers: Headers) -> BodyView:
    """Return a recorded body for showing, and what its content coding hides."""
    cut = len(body) > SHOWN_BYTES
    encoding, data = spell(body[:SHOWN_BYTES], cut=cut)
    return BodyView(encoding, data, cut, _decode(body, headers))


def _decode(body: bytes, headers: Headers) -> DecodedBody | None:
    """Return a body without its content coding, or None when there is nothing to remove. The decoder has caps of its own."""
    applied = codings(headers)
    if not applied or not body:
        return None
    plain, failure = decode_body(body, headers)
    if failure is not None and not plain:
        return None
    cut = len(plain) > SHOWN_BYTES
    encoding, data = spell(plain[:SHOWN_BYTES], cut=cut or failure is not None)
    reason = failure or ("only the beginning is shown" if cut else "")
    return DecodedBody(encoding, data, ", ".join(applied), cut or failure is not None, reason)


def view_raw(raw: RawExchange) -> RawView:
    """Return an exchange for showing."""
    return RawView(
        call_id=raw.call_id,
        method=raw.method,
        target=raw.target,
        target_received=raw.target_received,
        upstream_url=raw.upstream_url,
        request_headers=raw.request_headers,
        request_body=view_body(raw.request_body, raw.request_headers),
        request_body_size=raw.request_body_size,
        request_rebuilt=raw.request_rebuilt,
        status=raw.status,
        reason=raw.reason,
        response_headers=raw.response_headers,
        response_body=view_body(raw.response_body, raw.response_headers),
        response_body_size=raw.response_body_size,
        response_trailers=raw.response_trailers,
        chunks=raw.chunks,
        outcome=raw.outcome,
        outcome_detail=raw.outcome_detail,
        flags=raw.flags,
        request_trailers=raw.request_trailers,
    )
