"""Credentials of a connection never reach the disk: heads and targets are redacted here, before the journal sees them.

By name first (promises.md, Security), then by the shape of the value, in time linear in the length. What is replaced
becomes `[redacted:xxxxxxxx]`: a keyed fingerprint, equal for equal secrets, so that keys can be told apart. Only the
record is altered; the bytes forwarded stay exact.
"""

import re
from hashlib import blake2s
from itertools import pairwise
from urllib.parse import unquote_to_bytes

SECRET_HEADERS = frozenset({
    b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie", b"set-cookie", b"helicone-auth",
    b"x-portkey-api-key", b"ocp-apim-subscription-key", b"x-amz-signature", b"x-amz-security-token", b"x-amz-credential",
})  # fmt: skip
SECRET_QUERY = frozenset({b"key", b"api_key", b"apikey", b"api-key", b"access_token", b"token", b"sig", b"signature", b"auth"})
SECRET_WORDS = frozenset({
    b"token", b"secret", b"secrets", b"password", b"passwd", b"passphrase", b"credential", b"credentials", b"authorization", b"apikey",
})  # fmt: skip
SECRET_PAIRS = frozenset({(b"api", b"key"), (b"access", b"key"), (b"subscription", b"key"), (b"private", b"key"), (b"auth", b"key")})
"""Two words in a row of a header's name: `x-portkey-api-key`, `aws-access-key-id`."""
HARMLESS = re.compile(rb"rate-?limit|max[-_]token|token[-_](?:count|limit|budget)|count[-_]token")
"""Names that speak of numbers of tokens, not of a token."""
SCHEMES = frozenset({b"bearer", b"basic", b"digest", b"token", b"apikey", b"negotiate", b"dpop", b"aws4-hmac-sha256"})
"""Authentication schemes that stay readable; an unknown first word may be the secret itself."""
SECRET_VALUE = re.compile(
    rb"(?<![A-Za-z0-9])(?:"
    rb"sk-[A-Za-z0-9_-]{8,}|AIza[A-Za-z0-9_-]{16,}|ya29\.[A-Za-z0-9._-]{8,}|A(?:KIA|SIA)[A-Z0-9]{12,}|gsk_[A-Za-z0-9]{8,}|xai-[A-Za-z0-9_-]{8,}"
    rb"|hf_[A-Za-z0-9]{8,}|gh[pousr]_[A-Za-z0-9]{8,}|github_pat_[A-Za-z0-9_]{8,}|xox[a-z]-[A-Za-z0-9-]{8,}"
    rb"|(?<![_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\\ ]*"
    rb")"
)
_WORDS = re.compile(rb"[-_.]")
_PAIRS = re.compile(rb"([&;])")


def is_secret_name(name: bytes) -> bool:
    """Return whether a header of this lower-case name holds a credential."""
    if name in SECRET_HEADERS:
        return True
    if HARMLESS.search(name):
        return False
    words = _WORDS.split(name)
    return not SECRET_WORDS.isdisjoint(words) or any(pair in SECRET_PAIRS for pair in pairwise(words))


class Redactor:
    """Replaces secrets by fingerprints keyed with `key` (1 to 32 bytes)."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key[:32]

    def mark(self, secret: bytes) -> bytes:
        """Return what stands in for a secret."""
        return b"[redacted:%b]" % blake2s(secret, key=self._key, digest_size=4).hexdigest().encode()

    def value(self, name: bytes, value: bytes) -> bytes:
        """Return a header's value as it may be recorded. `name` is lower-case."""
        if not is_secret_name(name):
            return self.text(value)
        scheme, space, credential = value.partition(b" ")
        if space and scheme.lower() in SCHEMES:
            return b"%b %b" % (scheme, self.mark(credential.strip()))
        return self.mark(value)

    def text(self, text: bytes) -> bytes:
        """Return text with everything that looks like a key replaced."""
        return SECRET_VALUE.sub(lambda match: self.mark(match[0]), text)

    def target(self, target: bytes) -> bytes:
        """Return a request target with secret query values replaced. Names may be percent-encoded, pairs parted by `&` or `;`."""
        path, mark, query = target.partition(b"?")
        if not mark:
            return self.text(path)
        return self.text(path) + b"?" + b"".join(self._pair(part) for part in _PAIRS.split(query))

    def _pair(self, pair: bytes) -> bytes:
        name, equals, value = pair.partition(b"=")
        plain = unquote_to_bytes(name).lower()
        if not value:
            return self.text(pair)
        if plain in SECRET_QUERY or plain.startswith(b"x-amz-") or is_secret_name(plain):
            return name + equals + self.mark(value)
        return self.text(pair)
