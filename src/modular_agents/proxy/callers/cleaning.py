"""A command line becomes text that may be stored: keys go by their shape, as in bodies, and whatever an argument's name calls a secret.

Arguments are no secret to the machine's users, but the database may be copied and shared.
"""

import re
import shlex
from collections.abc import Sequence
from itertools import pairwise

from modular_agents.proxy.model.secret import Secrets

MOST_CHARS = 4096
"""Of a command line: enough to see what was run."""
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SECRET = frozenset(
    {"token", "secret", "password", "passwd", "pwd", "credential", "credentials", "authorization", "apikey", "cookie", "bearer"}
)
_NAMED = re.compile(r"(?P<name>-{0,2}[\w.-]+)(?P<mark>=|:\s*)(?P<value>.+)", re.DOTALL)
"""`--name=value`, `NAME=value`, `Name: value`."""
_LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def clean(arguments: Sequence[bytes], secrets: Secrets) -> str:
    """Return a command line for reading, its secrets replaced by marks."""
    shown: list[str] = []
    hide_next = False
    for raw in arguments:
        text = clean_text(raw, secrets)
        is_flag = text.startswith("-")
        if hide_next and not is_flag:
            text = _mark(raw, secrets)
            hide_next = False
        elif (named := _NAMED.fullmatch(text)) and is_secret(named["name"]):
            text = named["name"] + named["mark"] + _mark(named["value"].encode(), secrets)
        else:
            hide_next = is_flag and is_secret(text)
        shown.append(_LOGIN.sub(lambda login: _mark(login[0].encode(), secrets), text))
    return shlex.join(shown)[:MOST_CHARS]


def clean_text(raw: bytes, secrets: Secrets) -> str:
    """Return text without keys that are known by their shape. Control characters stay: whoever shows it escapes them."""
    return secrets.redact(raw).decode("utf-8", "replace")[:MOST_CHARS]


def is_secret(name: str) -> bool:
    """Return whether a name says that its value is a secret: `--api-key`, `OPENAI_API_KEY`, `X-Auth-Token`; not `--max-tokens`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    pairs = {f"{left}{right}" for left, right in pairwise(words)}
    return not _SECRET.isdisjoint(words) or not {"apikey", "accesskey", "privatekey", "authkey"}.isdisjoint(pairs)


def _mark(value: bytes, secrets: Secrets) -> str:
    return secrets.mark(value).decode()
