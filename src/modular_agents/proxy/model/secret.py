"""What a secret looks like, in one place, found in time linear in the text whatever the text is.

Law: after a place was looked at in vain, the search goes on behind the run of characters that was looked at; nothing is
read twice for the same shape. A secret stands at a word's beginning (a JSON or percent escape before it is no word) and is
replaced by a mark that tells keys apart and gives nothing away. Shapes: the providers' own pages on key formats;
RFC 7519 (JWT), RFC 7468 (PEM).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2s

MARK = b"[redacted:"
"""Every mark begins so."""
KEY_BYTES = 32
"""Longest key that BLAKE2s takes; a longer one is cut."""

Span = tuple[int, int]

_PLAIN_RUN = re.compile(rb"[A-Za-z0-9]*")
_RUN = re.compile(rb"[A-Za-z0-9_-]*")
_DOTTED_RUN = re.compile(rb"[A-Za-z0-9._-]*")
_TO_LAST_DIGIT = re.compile(rb"[A-Za-z0-9._-]*[0-9]")
_PEM_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_PEM_RUN = re.compile(rb"[A-Za-z0-9+/=\\\s]*")
_PEM_END = re.compile(rb"-----END [A-Z0-9 ]{0,60}-----")
PEM_BYTES = 64 * 1024
"""What is longer is no private key: RSA 16384 in PEM has 13 KB."""
JWT, PEM = b"eyJ", b"-----BEGIN "
_JWT_PART = 8
"""Least characters of a token's header and of its claims."""
_ESCAPES = b"nrtbf"


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of key: `literal`, then at least `least` characters of a `run`, a digit among them when `digit`."""

    literal: bytes
    least: int
    run: re.Pattern[bytes] = _PLAIN_RUN
    digit: bool = False


SHAPES = (
    Shape(b"sk-", 20, _RUN, digit=True),  # OpenAI, Anthropic (sk-ant-), OpenRouter (sk-or-v1-), DeepSeek …
    Shape(b"AIza", 30, _RUN),  # Google API key
    Shape(b"ya29.", 20, _DOTTED_RUN),  # Google OAuth access token
    Shape(b"AKIA", 16),  # AWS access key id
    Shape(b"ASIA", 16),  # AWS temporary access key id
    Shape(b"gsk_", 30),  # Groq
    Shape(b"xai-", 30),  # xAI
    Shape(b"hf_", 30),  # Hugging Face
    *(Shape(literal, 30) for literal in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")),  # GitHub
    Shape(b"github_pat_", 30, _RUN),
    *(Shape(literal, 10, _RUN) for literal in (b"xoxb-", b"xoxp-", b"xoxa-", b"xoxr-", b"xoxs-", b"xoxe-")),  # Slack
)
LITERALS = (*(shape.literal for shape in SHAPES), JWT, PEM)
"""What secrets begin with."""
_ANY_LITERAL = re.compile(b"|".join(map(re.escape, LITERALS)))
_SHORT_BYTES = 512
"""In a short text one search for any of them is quicker than one for each; in a long one it is the other way round."""
_LEAST_RUN = min(2 * _JWT_PART + 2, *(len(shape.literal) + shape.least for shape in SHAPES))
"""Every secret but a PEM key is a run of at least so many characters of `_RUN_CHARS`."""
_RUN_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
_AS_RUNS = bytes(ord("x") if char in _RUN_CHARS else ord(" ") for char in range(256))
_LONG_RUN = b"x" * _LEAST_RUN
_ANY_PEM = re.compile(re.escape(PEM))
"""A pattern that is one literal is searched for twice as fast as `in` does."""


class Secrets:
    """Finds secrets and puts marks in their place, keyed with `key`: equal secrets, equal marks."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key[:KEY_BYTES]

    def mark(self, secret: bytes) -> bytes:
        """Return what stands in for a secret."""
        return b"%b%b]" % (MARK, blake2s(secret, key=self._key, digest_size=4).hexdigest().encode())

    def redact(self, text: bytes) -> bytes:
        """Return `text` with every secret in it replaced; the very same object when there is none."""
        spans = find_secrets(text)
        if not spans:
            return text
        parts, at = [], 0
        for start, stop in spans:
            parts += [text[at:start], self.mark(text[start:stop])]
            at = stop
        return b"".join((*parts, text[at:]))


def find_secrets(text: bytes) -> list[Span]:
    """Return where secrets stand, in order, none overlapping."""
    if not _may_hold(text):
        return []
    found: list[Span] = []
    for shape in SHAPES:
        if shape.literal in text:
            found += _find_tokens(text, shape)
    if JWT in text:
        found += _find_jwts(text)
    if PEM in text:
        found += _find_pems(text)
    return _merged(found) if len(found) > 1 else found


def _may_hold(text: bytes) -> bool:
    """Return whether a secret may be in a text: looked for in its long runs alone, which are a small part of most texts."""
    if _ANY_PEM.search(text):
        return True
    runs = text.translate(_AS_RUNS)
    at = runs.find(_LONG_RUN)
    if at < 0:
        return False
    long: list[bytes] = []
    while at >= 0:
        end = runs.find(b" ", at + _LEAST_RUN)
        if end < 0:
            end = len(text)
        long.append(text[at:end])
        at = runs.find(_LONG_RUN, end)
    words = b" ".join(set(long))
    if len(words) < _SHORT_BYTES:
        return _ANY_LITERAL.search(words) is not None
    return any(literal in words for literal in LITERALS)


def starts_word(text: bytes, at: int) -> bool:
    r"""Return whether a word begins at `at`: it does behind a JSON escape (`\n`, `\u0022`) and behind `%20`."""
    if at == 0 or not text[at - 1 : at].isalnum():
        return True
    if text[at - 1] in _ESCAPES and text[at - 2 : at - 1] == b"\\":
        return True
    return text[at - 3 : at - 2] == b"%" or text[at - 6 : at - 4] == b"\\u"


def _find_tokens(text: bytes, shape: Shape) -> Iterator[Span]:
    literal, size = shape.literal, len(shape.literal)
    stop = digits = -1
    at = text.find(literal)
    while at >= 0:
        begin = at + size
        if begin >= stop:
            stop = _end(shape.run, text, begin)
            last = _TO_LAST_DIGIT.match(text, begin, stop) if shape.digit else None
            digits = last.end() if last else -1
        if stop - begin >= shape.least and (not shape.digit or digits > begin) and starts_word(text, at):
            yield at, stop
            at = text.find(literal, stop)
        else:
            at = text.find(literal, at + 1)


def _find_jwts(text: bytes) -> Iterator[Span]:
    """Find header, claims and (often) signature, each base64url, with dots between."""
    first = second = stop = -1
    at = text.find(JWT)
    while at >= 0:
        if at >= first:
            first = _end(_RUN, text, at)
            second = stop = _end(_RUN, text, first + 1) if text[first : first + 1] == b"." else first
            if text[second : second + 1] == b".":
                stop = _end(_RUN, text, second + 1)
        if first - at >= _JWT_PART and second - first > _JWT_PART and starts_word(text, at):
            yield at, stop
            at = text.find(JWT, stop)
        else:
            at = text.find(JWT, at + 1)


def _find_pems(text: bytes) -> Iterator[Span]:
    """Find private keys to their END line; without one (cut, or not in the same string), as far as a key's characters go."""
    end = -1
    at = text.find(PEM)
    while at >= 0:
        begin = _PEM_BEGIN.match(text, at)
        if begin is None:
            at = text.find(PEM, at + 1)
            continue
        if 0 <= end < at or end == -1:
            end = text.find(b"-----END ", at)
            end = len(text) if end < 0 else end
        close = _PEM_END.match(text, end) if end - at <= PEM_BYTES and b'"' not in text[at:end] else None
        stop = close.end() if close else _end(_PEM_RUN, text, begin.end())
        yield at, stop
        at = text.find(PEM, stop)


def _end(run: re.Pattern[bytes], text: bytes, at: int) -> int:
    match = run.match(text, at)
    return match.end() if match else at


def _merged(spans: list[Span]) -> list[Span]:
    """Return spans in order; those that touch or overlap become one."""
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
