"""A call as it stands beside another: its request in blocks, its parameters, its times, its tokens."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from modular_agents.proxy.diffing.blocks import Block, blocks_of
from modular_agents.proxy.model.query import CallDetail, RawExchange
from modular_agents.proxy.wire.encodings import decode_body

_KEY_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})


@dataclass(frozen=True, slots=True)
class Turn:
    """A call that is compared. `raw`: as it crossed, where that is at hand."""

    detail: CallDetail
    blocks: tuple[Block, ...]
    params: dict[str, object]
    raw: RawExchange | None

    @property
    def started_s(self) -> float:
        """Seconds since 1970."""
        return datetime.fromisoformat(self.detail.call.created_at).timestamp()

    @property
    def readable_s(self) -> float | None:
        """When what this call put into the cache could first be read: with the first piece of its answer; None when it is not known."""
        call = self.detail.call
        took_ms = call.ttft_ms if call.ttft_ms is not None else call.duration_ms
        return None if took_ms is None else self.started_s + took_ms / 1000

    @property
    def key(self) -> str | None:
        """The fingerprint of the key that it was sent with."""
        headers = () if self.raw is None else self.raw.request_headers
        return next((value for name, value in headers if name.lower() in _KEY_HEADERS), None)

    @property
    def continues(self) -> str | None:
        """The answer that the provider is asked to go on from (OpenAI Responses)."""
        if self.raw is None or b"previous_response_id" not in self.raw.request_body:
            return None
        body, _failure = decode_body(self.raw.request_body, self.raw.request_headers)
        found = members(body.decode("utf-8", "replace")).get("previous_response_id")
        return found if isinstance(found, str) else None


def make_turn(detail: CallDetail, raw: RawExchange | None) -> Turn:
    """Return a call made ready to be compared."""
    return Turn(detail, tuple(blocks_of(detail)), members(detail.params), raw)


def members(raw: str) -> dict[str, object]:
    """Return the members of a JSON object; none when it is not one."""
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
