"""Fifty secrets that must leave no trace, made afresh for each run, and the search for them in everything that was written.

Thirty-four stand in heads (their names say that they are secret, their values are plain random text), sixteen in bodies
(their shape says it). None is written in this file: they are put together from pieces and a seed.
"""

import base64
import random
import string
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backports import zstd

_LETTERS = string.ascii_letters + string.digits
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Canary:
    """`place`: `request-header`, `response-header`, `query` or `body`; `core` is the part to look for."""

    place: str
    name: str
    value: str
    core: str


REQUEST_HEADERS = (
    ("Authorization", "Bearer {}"),
    ("proxy-authorization", "Basic {}"),
    ("X-Api-Key", "{}"),
    ("api-key", "{}"),
    ("x-goog-api-key", "{}"),
    ("x-amz-security-token", "{}"),
    ("X-Amz-Signature", "{}"),
    ("cookie", "session={}; theme=dark"),
    ("Helicone-Auth", "Bearer {}"),
    ("x-portkey-api-key", "{}"),
    ("Ocp-Apim-Subscription-Key", "{}"),
    ("X-My-Token", "{}"),
    ("x-client-secret", "{}"),
    ("x-db-password", "{}"),
    ("x-service-credential", "{}"),
    ("x-functions-key", "{}"),
    ("Referer", "https://app.example/chat?page=2&access_token={}"),
    ("X-Original-URL", "/v1/messages?key={}#top"),
    ("X-Forwarded-For-User", "https://me:{}@gateway.example/"),
)
RESPONSE_HEADERS = (
    ("Set-Cookie", "sid={}; HttpOnly"),
    ("x-session-token", "{}"),
    ("Location", "https://files.example/f?X-Amz-Signature={}&page=2"),
    ("Link", '<https://api.example/v1/files?api_key={}>; rel="next"'),
    ("Operation-Location", "https://azure.example/op?sig={}"),
)
QUERY_KEYS = (
    "key",
    "api_key",
    "access_token",
    "token",
    "sig",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "code",
    "meta[token]",
)


def head_canaries(seed: int) -> list[Canary]:
    """Return the secrets that stand in heads."""
    dice = random.Random(seed)
    out = []
    for place, pairs in (("request-header", REQUEST_HEADERS), ("response-header", RESPONSE_HEADERS)):
        for name, form in pairs:
            core = _text(dice, 32)
            out.append(Canary(place, name, form.format(core), core))
    for name in QUERY_KEYS:
        core = _text(dice, 32)
        out.append(Canary("query", name, core, core))
    return out


def body_canaries(seed: int) -> list[Canary]:
    """Return the secrets whose shape is known: they may stand anywhere in a body."""
    dice = random.Random(seed + 1)
    upper = string.ascii_uppercase + "234567"
    shapes = {
        "anthropic key": ("sk-ant-" + "api03-", _text(dice, 93), "AA"),
        "anthropic oauth": ("sk-ant-" + "oat01-", _text(dice, 93), "AA"),
        "openai project key": ("sk-" + "proj-", _text(dice, 120), ""),
        "openai key": ("sk" + "-", _text(dice, 48), ""),
        "openrouter key": ("sk-" + "or-v1-", _text(dice, 64, "0123456789abcdef"), ""),
        "google key": ("AI" + "za", _text(dice, 35), ""),
        "google token": ("ya29" + ".", _text(dice, 80), ""),
        "aws id": ("AK" + "IA", _text(dice, 16, upper), ""),
        "aws temporary id": ("AS" + "IA", _text(dice, 16, upper), ""),
        "groq key": ("gs" + "k_", _text(dice, 52), ""),
        "xai key": ("xa" + "i-", _text(dice, 80), ""),
        "hugging face token": ("h" + "f_", _text(dice, 34, string.ascii_letters), ""),
        "github token": ("gh" + "p_", _text(dice, 36), ""),
        "slack token": ("xox" + "b-" + _text(dice, 12, string.digits) + "-", _text(dice, 24), ""),
    }
    out = [Canary("body", name, before + core + after, core) for name, (before, core, after) in shapes.items()]
    claims = base64.urlsafe_b64encode(f'{{"sub":"{_text(dice, 40)}"}}'.encode()).decode().rstrip("=")
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    out.append(Canary("body", "jwt", f"{header}.{claims}.{_text(dice, 43)}", claims[20:50]))
    lines = [_text(dice, 64) for _ in range(6)]
    pem = "\n".join(["-----BEGIN " + "PRIVATE KEY-----", *lines, "-----END " + "PRIVATE KEY-----"])
    return [*out, Canary("body", "pem", pem, lines[3])]


def traces_of(canaries: Iterable[Canary], data: bytes) -> set[str]:
    """Return the names of canaries found in `data`: plainly, in base64, or inside zstd frames."""
    views = [data, *_unpacked(data)]
    return {canary.name for canary in canaries for form in _forms(canary.core) if any(form in view for view in views)}


def traces_in_folder(canaries: Iterable[Canary], folder: Path, *, leave_out: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """Return {file: names} for every file below `folder` that holds a canary; `leave_out` are patterns of file names."""
    known = list(canaries)
    found: dict[str, set[str]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not any(p.match(pattern) for pattern in leave_out)):
        with suppress(FileNotFoundError):  # a segment that was just committed
            if names := traces_of(known, path.read_bytes()):
                found[path.relative_to(folder).as_posix()] = names
    return found


def _text(dice: random.Random, length: int, letters: str = _LETTERS) -> str:
    return "".join(dice.choices(letters, k=length))


def _forms(core: str) -> Iterator[bytes]:
    """Yield spellings: as it is, lower case (a search index), and the stable middle of its base64 at each alignment."""
    yield core.encode()
    yield core.lower().encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + core.encode())
        yield coded[4 if shift else 0 : -4].rstrip(b"=")


def _unpacked(data: bytes) -> Iterator[bytes]:
    at = -1
    while (at := data.find(_ZSTD_MAGIC, at + 1)) >= 0:
        try:
            yield zstd.ZstdDecompressor().decompress(data[at:])
        except zstd.ZstdError:
            continue
