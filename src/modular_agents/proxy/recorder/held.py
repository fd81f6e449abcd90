"""Live text is shown a moment late where it could be the beginning of a secret: a key that comes in pieces is never shown in pieces.

What may still grow into a secret is held back until it is one (then its mark is shown) or cannot be one any more. What is
still held at a call's end is not needed: the final call brings the whole text.
"""

import re
import string

from modular_agents.proxy.model.secret import LITERALS, PEM, Secrets, find_secrets, starts_word

HOLD_BYTES = 64 * 1024
"""More is never held: a run of key characters this long is replaced as it stands, and what follows in it is left out."""
_CONTEXT_BYTES = 8
"""Text shown before, kept to tell whether a word begins: the longest escape that may precede a key has 6."""
_BEGINNINGS = frozenset(literal[:size] for literal in LITERALS for size in range(1, len(literal)))
_LONGEST = max(map(len, LITERALS)) - 1
_RUN_CHARS = (string.ascii_letters + string.digits + "._-").encode()
_LITERAL = re.compile(b"|".join(map(re.escape, LITERALS)))
_PEM_TEXT = re.compile(rb"[A-Za-z0-9+/=\\\s-]*")


class HeldText:
    """The text of one part of one answer, on its way to the page."""

    __slots__ = ("_context", "_held", "_secrets", "_swallows")

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._context = self._held = b""
        self._swallows = False

    def feed(self, text: str) -> str:
        """Return what may be shown now of the text so far."""
        data = self._held + text.encode("utf-8", "surrogatepass")
        if self._swallows:
            data = data.lstrip(_RUN_CHARS)
            self._swallows = not data
        cut = _safe_end(self._context + data) - len(self._context)
        shown, self._held = data[:cut], data[cut:]
        out = self._redacted(shown)
        if len(self._held) > HOLD_BYTES:
            out, self._held, self._swallows = out + self._secrets.mark(self._held), b"", True
        self._context = (self._context + shown)[-_CONTEXT_BYTES:]
        return out.decode("utf-8", "surrogatepass")

    def _redacted(self, shown: bytes) -> bytes:
        whole, at, parts = self._context + shown, len(self._context), list[bytes]()
        for start, stop in find_secrets(whole):
            if start >= at:
                parts += [whole[at:start], self._secrets.mark(whole[start:stop])]
                at = stop
        return b"".join((*parts, whole[at:]))


def _safe_end(text: bytes) -> int:
    """Return where that begins which may be the beginning of a secret; the end, when nothing does."""
    end, run = len(text), len(text.rstrip(_RUN_CHARS))
    pem = text.rfind(PEM)
    if pem >= 0 and _PEM_TEXT.fullmatch(text, pem + len(PEM)):
        end = pem
    at = run - 1
    while (match := _LITERAL.search(text, at + 1)) is not None and match.start() < end:
        at = match.start()
        if starts_word(text, at):
            return at
    for at in range(max(run, len(text) - _LONGEST), end):
        if text[at:] in _BEGINNINGS and starts_word(text, at):
            return at
    return end
