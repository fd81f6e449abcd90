"""Who may look: a long-lived bearer token for scripts, one-time links for people, a signed cookie for their browser.

A link is a file: making one puts an empty file, named by the hash of its token, into a private folder; using it removes
that file, and only the removal that succeeds lets anyone in. So a link works once, across restarts and processes, and a
listing of the folder gives no token away.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LINK_LIFE_S = 7 * 24 * 3600
"""A printed link that nobody used stops working: terminals are logged and scrolled back."""
COOKIE_LIFE_S = 30 * 24 * 3600
"""A browser stays let in for a month, then a new link is needed."""
TOKEN_BYTES = 32
"""256 bits: not to be guessed, so failed tries need no counting."""


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def make_link_token(folder: Path, now_s: float | None = None) -> str:
    """Return a token that `Access.spend` accepts once; also sweeps links that have grown too old.

    Raises OSError when `folder` cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    oldest_s = (time.time() if now_s is None else now_s) - LINK_LIFE_S
    for other in folder.iterdir():
        if other.stat().st_mtime < oldest_s:
            other.unlink(missing_ok=True)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    (folder / _fingerprint(token)).touch(mode=0o600, exist_ok=False)
    return token


@dataclass(frozen=True, slots=True)
class Access:
    """`token` is the bearer token and the key of the cookies; `links` the folder of unused links."""

    token: str
    links: Path
    now_s: Callable[[], float] = time.time
    """Seconds of UTC since 1970."""

    def bearer_is_good(self, given: str) -> bool:
        """Compare a bearer token in constant time."""
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.token.encode())

    def spend(self, link_token: str) -> bool:
        """Use up a one-time link; False when it was never made, was used before, or is too old."""
        path = self.links / _fingerprint(link_token)
        try:
            made_s = path.stat().st_mtime
            path.unlink()
        except OSError:
            return False
        return made_s >= self.now_s() - LINK_LIFE_S

    def make_cookie(self) -> str:
        """Return a cookie value: the time it ends, signed."""
        ends = str(int(self.now_s()) + COOKIE_LIFE_S)
        return f"{ends}.{self._signature(ends)}"

    def cookie_is_good(self, value: str) -> bool:
        """Tell whether `value` was made by `make_cookie` under the same token and has not ended."""
        ends, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), self._signature(ends).encode()):
            return False
        return int(ends) > self.now_s()

    def _signature(self, ends: str) -> str:
        return hmac.new(self.token.encode(), b"cookie " + ends.encode("utf-8", "surrogateescape"), "sha256").hexdigest()
