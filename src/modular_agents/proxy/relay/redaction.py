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
SECRET_QUERY = frozenset({b"key", b"sig", b"signature", b"code", b"assertion"})
"""Names of parameters that hold a credential as a whole word: an API key, a signed URL, what OAuth exchanges for a token."""
SECRET_WORDS = frozenset({
    b"token", b"secret", b"secrets", b"password", b"passwd", b"passphrase", b"passcode", b"pwd", b"credential", b"credentials",
    b"authorization", b"authentication", b"auth", b"apikey", b"hapikey", b"jwt", b"cookie", b"cookie2",
})  # fmt: skip
HARMLESS_KEYS = frozenset({
    b"idempotency", b"websocket", b"cache", b"surrogate", b"public", b"sort", b"partition", b"routing", b"trace",
})  # fmt: skip
"""Words before `key` that make it no credential; with any other before it (`x-functions-key`) it is taken for one."""
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
_WORDS = re.compile(rb"[^a-z0-9]+")
_SEPARATORS = re.compile(rb"([&;?#])")
_PARAMETER = re.compile(rb"(?<![^?&;,#\s<\"'])([A-Za-z0-9_.%\[\]-]{1,64}=)([^?&;#\s<>\"']+)")
"""`name=value` inside a header: in the URL of a `Location` or `Link`, among the parts of a list."""
_USER = re.compile(rb"(?<=://)[^/?#@\s]{1,256}(?=@)")
"""Name and password before a URL's host."""
_PROTOCOL_KEY = re.compile(rb"(api-key\.)([^\s,]+)")
"""A browser's way to send a key with a WebSocket (OpenAI's Realtime API): `Sec-WebSocket-Protocol: openai-insecure-api-key.KEY`."""


def is_secret_name(name: bytes) -> bool:
    """Return whether a header of this lower-case name holds a credential."""
    if name in SECRET_HEADERS:
        return True
    if HARMLESS.search(name):
        return False
    words = _WORDS.split(name)
    return not SECRET_WORDS.isdisjoint(words) or any(
        key in {b"key", b"keys"} and word not in HARMLESS_KEYS for word, key in pairwise(words)
    )


def is_secret_parameter(name: bytes) -> bool:
    """Return whether a parameter of a URL holds a credential; its name may be percent-encoded, or in brackets."""
    plain = unquote_to_bytes(name).lower()
    return plain.startswith((b"x-amz-", b"x-goog-")) or not SECRET_QUERY.isdisjoint(_WORDS.split(plain)) or is_secret_name(plain)


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
            return self.text(self._parameters(name, value))
        scheme, space, credential = value.partition(b" ")
        if space and scheme.lower() in SCHEMES:
            return b"%b %b" % (scheme, self.mark(credential.strip()))
        return self.mark(value)

    def text(self, text: bytes) -> bytes:
        """Return text with everything that looks like a key replaced."""
        return SECRET_VALUE.sub(lambda match: self.mark(match[0]), text)

    def target(self, target: bytes, *, private: bool = False) -> bytes:
        """Return a request target with secret query values replaced, each of them when it is `private` (OAuth's).

        Pairs may be parted by `&` or `;`; a URL inside a value is looked into.
        """
        path, mark, query = target.partition(b"?")
        path, sharp, rest = path.partition(b"#")
        if not mark and not sharp:
            return self.text(path)
        parts = _SEPARATORS.split(rest + mark + query)
        return self.text(path) + sharp + b"".join(self._pair(part, private=private) for part in parts)

    def _parameters(self, name: bytes, value: bytes) -> bytes:
        if b"=" in value:
            value = _PARAMETER.sub(lambda match: match[1] + self.mark(match[2]) if is_secret_parameter(match[1][:-1]) else match[0], value)
        if b"://" in value:
            value = _USER.sub(lambda match: self.mark(match[0]), value)
        if name == b"sec-websocket-protocol":
            value = _PROTOCOL_KEY.sub(lambda match: match[1] + self.mark(match[2]), value)
        return value

    def _pair(self, pair: bytes, *, private: bool) -> bytes:
        name, equals, value = pair.partition(b"=")
        if not value:
            return self.text(pair)
        if private or is_secret_parameter(name) or (b"%3D" in value.upper() and self._hides(value)):
            return name + equals + self.mark(value)
        return self.text(pair)

    @staticmethod
    def _hides(value: bytes) -> bool:
        """Return whether a percent-encoded URL holds a secret parameter of its own."""
        return any(is_secret_parameter(match[1][:-1]) for match in _PARAMETER.finditer(unquote_to_bytes(value)))
