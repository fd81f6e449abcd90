"""Which provider a request is meant for, from what the request says of itself. Pure; only configured upstreams come out.

Prefix > header shape > path > what this client connection used before > default. The prefixes `/t/<trace>`, `/a/<agent>`
and `/u/<upstream>`, in any order, are taken off. A base URL written with `/v1` where it should not be, or without it
where it should, is mended for paths providers are known to have; every other target goes on raw, byte for byte.
`/-/…` is ours.
"""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from modular_agents.proxy.config import Upstream
from modular_agents.proxy.journal.frames import pack_fields
from modular_agents.proxy.model.ids import clean_opaque_id
from modular_agents.proxy.relay.fields import SHAPE_ANTHROPIC, SHAPE_BEARER, SHAPE_GOOGLE
from modular_agents.proxy.relay.framing import FramingError
from modular_agents.proxy.relay.headers import AnswerTemplate

_PREFIX = re.compile(rb"/([tau])/([^/?#]+)(?=[/?#]|$)")
_EMPTY_PREFIX = re.compile(rb"/([tau])/(?=[/?#]|$)")
"""A prefix that names nothing: nobody can mean it, and a provider must not get it."""
_MAX_PREFIXES = 8
"""There are three kinds; what repeats more often is a loop in somebody's configuration."""
_KNOWN = re.compile(
    rb"/(messages|complete|chat/completions|completions|responses|embeddings|models|moderations|images|audio|files|batches|fine_tuning"
    rb"|realtime|assistants|threads|vector_stores|uploads|conversations|containers|evals|videos|rerank)(?=[/?]|$)"
)
"""Paths of Anthropic's and OpenAI's APIs below `/v1`; only before these a `/v1` is added, or taken off when doubled."""
_ANTHROPIC_PATH = re.compile(rb"/v1/(messages|complete)(?=[/?]|$)")
_GEMINI_PATH = re.compile(
    rb"/v1beta(?=[/?]|$)|/v1/[^?]*:(generateContent|streamGenerateContent|batchGenerateContent|countTokens|embedContent|batchEmbedContents"
    rb"|asyncBatchEmbedContent|predict|predictLongRunning)(?=\?|$)"
)
"""Google's verbs by name: a model of OpenAI's may have colons too (`ft:gpt-4o:org::id`)."""
_MODELS_PATH = re.compile(rb"/v1/models(?=[/?]|$)")
_PRIVATE_PATH = re.compile(rb"/oauth2?(?=/|$)", re.IGNORECASE)
_CACHE = 1024
"""Routes remembered; then afresh. Targets repeat, their prefixes too."""

ANTHROPIC, OPENAI, GEMINI = "anthropic", "openai", "gemini"


class Destination:
    """An upstream with what every request to it needs, made once."""

    __slots__ = ("answers", "host_line", "name", "packed", "prefix", "upstream", "url")

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.name = upstream.name
        self.answers: list[AnswerTemplate] = []
        """Heads of its last answers, the latest first."""
        self.url = upstream.url
        self.packed = pack_fields(self.name.encode(), self.url.encode())
        """The two fields of a REQUEST_HEAD frame."""
        self.prefix = upstream.prefix.encode("latin-1")
        usual = {"http": 80, "https": 443}[upstream.scheme]
        host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
        self.host_line = (host if upstream.port == usual else f"{host}:{upstream.port}").encode("latin-1")


class Route:
    """Where a target goes. `target` is what is sent; `dialect` how the client expects an error to look."""

    __slots__ = ("agent", "destination", "dialect", "private", "target", "trace")

    def __init__(self, destination: Destination, target: bytes, trace: str, agent: str, dialect: str, *, private: bool) -> None:
        self.destination = destination
        self.target = target
        self.trace = trace
        self.agent = agent
        self.dialect = dialect
        self.private = private
        """An OAuth endpoint: its bodies are not recorded."""


class NoRoute(FramingError):
    """The prefix names an upstream that is not configured. `str` says which there are."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 404, "unknown_upstream")


class EmptyPrefix(FramingError):
    """A prefix names nothing, as `/t//v1/messages` does: most often a variable that was empty when a base URL was put together."""

    def __init__(self, kind: str) -> None:
        message = f"the path has /{kind}/ without a name behind it: write /{kind}/NAME, or leave it out"
        super().__init__(message, 400, "empty_prefix")


class Router:
    """Finds routes, remembering them. Raises ValueError when the default upstream is not among `upstreams`."""

    __slots__ = ("_by_name", "_default", "_routes")

    def __init__(self, upstreams: Sequence[Upstream], default: str) -> None:
        self._by_name = {upstream.name: Destination(upstream) for upstream in upstreams}
        if default not in self._by_name:
            msg = f"the default upstream {default!r} is not configured"
            raise ValueError(msg)
        self._default = self._by_name[default]
        self._routes: dict[tuple[bytes, int, Destination | None], Route] = {}

    def find(self, target: bytes, shape: int, before: Destination | None) -> Route:
        """Return the route of a raw target. `before` is what this client connection used last. Raises NoRoute."""
        key = (target, shape, before)
        route = self._routes.get(key)
        if route is None:
            route = self._find(target, shape, before)
            if len(self._routes) >= _CACHE:
                self._routes.clear()
            self._routes[key] = route
        return route

    def _find(self, target: bytes, shape: int, before: Destination | None) -> Route:
        rest, said = _take_prefixes(target)
        mended = _mend(rest)
        dialect = _dialect(mended, shape)
        named = said.get(b"u")
        if named is not None:
            destination = self._named(_text(named))
        else:
            destination = self._by_shape(shape) or self._by_path(mended, shape) or before or self._default
        path = mended if destination.upstream.mend else rest
        return Route(
            destination,
            destination.prefix + path,
            clean_opaque_id(_text(said.get(b"t", b""))) or "",
            clean_opaque_id(_text(said.get(b"a", b""))) or "",
            dialect,
            private=bool(_PRIVATE_PATH.search(path.partition(b"?")[0])),
        )

    def _named(self, name: str) -> Destination:
        destination = self._by_name.get(name)
        if destination is None:
            msg = (
                f"no upstream is called {name[:60]!r}; configured are {', '.join(sorted(self._by_name))}. Add one with --upstream NAME=URL"
            )
            raise NoRoute(msg)
        return destination

    def _by_shape(self, shape: int) -> Destination | None:
        if shape & SHAPE_ANTHROPIC:
            return self._by_name.get(ANTHROPIC)
        if shape & SHAPE_GOOGLE:
            return self._by_name.get(GEMINI)
        return None

    def _by_path(self, path: bytes, shape: int) -> Destination | None:
        if _ANTHROPIC_PATH.match(path):
            return self._by_name.get(ANTHROPIC)
        if _GEMINI_PATH.match(path):
            return self._by_name.get(GEMINI)
        if path.startswith(b"/api/"):
            return self._by_name.get("ollama")
        if path.startswith(b"/v1/") and (shape & SHAPE_BEARER or not _MODELS_PATH.match(path)):
            return self._by_name.get(OPENAI)
        return None


def _take_prefixes(target: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the target without our prefixes, and what they said (the last of a kind counts). Raises EmptyPrefix."""
    said: dict[bytes, bytes] = {}
    for _ in range(_MAX_PREFIXES):
        match = _PREFIX.match(target)
        if match is None:
            break
        said[match[1]] = match[2]
        target = target[match.end() :]
    empty = _EMPTY_PREFIX.match(target)
    if empty is not None:
        raise EmptyPrefix(empty[1].decode())
    return (target if target.startswith(b"/") else b"/" + target), said


def _mend(path: bytes) -> bytes:
    """Return the path with exactly one `/v1` before what providers are known to serve there."""
    if path.startswith(b"/v1/v1/") and _KNOWN.match(path, 6):
        return path[3:]
    return b"/v1" + path if _KNOWN.match(path) else path


def _dialect(path: bytes, shape: int) -> str:
    if _ANTHROPIC_PATH.match(path) or shape & SHAPE_ANTHROPIC:
        return ANTHROPIC
    return GEMINI if _GEMINI_PATH.match(path) or shape & SHAPE_GOOGLE else OPENAI


def _text(raw: bytes) -> str:
    return unquote(raw.decode("latin-1"), errors="replace")
