"""What of a version's rows says itself, wherever the call stands: encoded records, its recipe, what its end brings.

Of many calls it is read one kind of work after the other: what each kind works with stays in the processor's caches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

from modular_agents.proxy.model.call import Call, Status
from modular_agents.proxy.model.exchange import Exchange
from modular_agents.proxy.store import crossing, recipe
from modular_agents.proxy.store.rows import AnswerRecord, make_answer

Version = tuple[Call, Exchange]


@dataclass(slots=True)
class Parts:
    """Parts of one version. `crc` is the CRC-32 of its request's body, `asked` and `ended` are encoded records, not packed yet."""

    call: Call
    exchange: Exchange
    crc: int
    asked: bytes | None = None
    """None, and no recipe, where it is likely that the request is stored already."""
    recipe: bytes | None = None
    """None also where the body is better kept whole."""
    answer: AnswerRecord | None = None
    ended: bytes = b""
    """Empty, and no answer, while the call runs."""

    def read_asked(self) -> bytes:
        """Return `asked`, read now together with the recipe if it was not. Raises `UnicodeEncodeError`."""
        if self.asked is None:
            self.asked = crossing.encode_asked(self.exchange, self.crc)
            self.recipe = recipe_of(self.call, self.exchange.request.body)
        return self.asked


def at_most(versions: Sequence[Version], size: int) -> Sequence[Version]:
    """Return as many of the first versions as have bodies of so many bytes together: all, but where bodies are large."""
    for count, (_, exchange) in enumerate(versions):
        size -= len(exchange.request.body) + (len(exchange.response.body) if exchange.response else 0)
        if size < 0:
            return versions[:count]
    return versions


def parts_of(versions: Sequence[Version], is_stored: Callable[[str], bool]) -> list[Parts]:
    """Read versions. `is_stored`: by call id, whether its request is likely to be stored. Raises `UnicodeEncodeError`."""
    parts = [Parts(call, exchange, crc32(exchange.request.body)) for call, exchange in versions]
    new = [part for part in parts if not is_stored(part.call.call_id)]
    for part in new:
        part.asked = crossing.encode_asked(part.exchange, part.crc)
    for part in new:
        part.recipe = recipe_of(part.call, part.exchange.request.body)
    ended = [part for part in parts if part.call.status is not Status.RUNNING]
    for part in ended:
        part.answer = make_answer(part.call)
    for part in ended:
        part.ended = crossing.encode_ended(part.exchange)
    return parts


def recipe_of(call: Call, body: bytes) -> bytes | None:
    """Return what rebuilds the body of a request from its parts, None when there is no body or nothing does."""
    if not body:
        return None
    groups = {
        recipe.MESSAGES: [message.raw for message in call.messages],
        recipe.SYSTEM: [message.raw for message in call.system],
        recipe.TOOLS: call.tools,
    }
    how = recipe.make(body, groups)
    return how.encode() if how else None
