"""Every request is judged here before anything else sees it, by its raw head alone; nothing is let through by its path.

1. Host: exactly one, on the allow-list, port included (DNS rebinding).
2. Origin and Sec-Fetch-Site: ours or absent, WebSocket included; no CORS header is ever sent.
3. Token: every route, loopback too: the cookie of a browser or `Authorization: Bearer` of a script.
4. A change (anything but GET and HEAD): `Content-Type: application/json` and `X-Anton: 1`, which no form can send.

`judge` is a pure function of the head; `Guard` is the ASGI shell around it. Routes are matched on the raw path, so
`%2F` stays inside the segment it was written in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modular_agents.proxy.dashboard.access import COOKIE_LIFE_S, Access
from modular_agents.proxy.dashboard.answers import refuse, with_safe_headers
from modular_agents.proxy.dashboard.shapes import ErrorBody

MAX_PATH_BYTES = 2048
"""Ids are at most 200 characters, percent-encoded three bytes to a UTF-8 byte; the rest is short words."""
MAX_QUERY_BYTES = 8192
"""The longest search (1,000 characters) percent-encoded, and every filter beside it."""
READ_METHODS = frozenset({"GET", "HEAD"})
OWN_FETCH_SITES = frozenset({"same-origin", "none"})
"""`none` is a person: an address typed, a bookmark, a link from a terminal. `same-site` is another port of this machine: not ours."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The head of a request. Header names are lower case, as ASGI gives them."""

    method: str
    path: bytes
    """As written, percent-encoding and all."""
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def is_page(self) -> bool:
        """True for what a person's browser shows; the rest is for programs."""
        return not self.path.startswith((b"/api/", b"/ws"))

    def all(self, name: str) -> list[str]:
        """Return every value of a header, in order."""
        wanted = name.encode()
        return [value.decode("latin-1").strip() for header, value in self.headers if header == wanted]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further."""

    status: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Site:
    """The names this dashboard answers to, each exactly as a Host header says it (`localhost:3000`)."""

    hosts: frozenset[str]
    port: int

    @property
    def cookie_name(self) -> str:
        """Cookies are shared by all ports of a host; the name keeps two dashboards apart."""
        return f"anton_{self.port}"


def make_site(port: int, bound: Iterable[str], extra: Iterable[str] = ()) -> Site:
    """Return the site that listens on `port` of the `bound` addresses; `extra` are whole Host values to accept besides."""
    names = {"localhost", "127.0.0.1", "[::1]", *(f"[{host}]" if ":" in host else host for host in bound)}
    hosts = {f"{name}:{port}" for name in names - {"0.0.0.0", "[::]"}}  # noqa: S104 - a wildcard is no name to be called by
    if port == 80:  # noqa: PLR2004 - the scheme's own port is left out of a Host header (RFC 9110, 4.2.1)
        hosts |= {host.removesuffix(":80") for host in hosts}
    return Site(frozenset(host.lower() for host in (*hosts, *extra)), port)


def judge(asked: Asked, site: Site, access: Access) -> Refusal | None:
    """Return why this request must not go on, or None when it may."""
    return (
        judge_place(asked, site)
        or (None if is_known(asked, site, access) else Refusal(401, "This dashboard is private.", _HOW_TO_ENTER))
        or judge_change(asked)
    )


def judge_place(asked: Asked, site: Site) -> Refusal | None:
    """Judge where the request was sent to and which page sent it."""
    if len(asked.path) > MAX_PATH_BYTES or len(asked.query) > MAX_QUERY_BYTES:
        return Refusal(414, "The address is too long.", f"A path has at most {MAX_PATH_BYTES} bytes, a query {MAX_QUERY_BYTES}.")
    hosts = asked.all("host")
    if len(hosts) != 1 or hosts[0].lower() not in site.hosts:
        known = ", ".join(sorted(site.hosts))
        return Refusal(403, "This dashboard does not answer to that host name.", f"It answers to {known}.")
    origins = asked.all("origin")
    if len(origins) > 1 or any(origin.lower() not in {f"http://{hosts[0].lower()}", f"https://{hosts[0].lower()}"} for origin in origins):
        return Refusal(403, "Another page's scripts may not use this dashboard.", "Send requests from its own page, or without Origin.")
    if any(value not in OWN_FETCH_SITES for value in asked.all("sec-fetch-site")):
        return Refusal(403, "Another page led here.", "Copy the address into the address bar of the browser.")
    return None


def judge_change(asked: Asked) -> Refusal | None:
    """Judge whether a change was asked for in a way that only our own page or a script can."""
    if asked.method in READ_METHODS:
        return None
    if asked.all("x-anton") != ["1"]:
        return Refusal(403, "A change needs the header X-Anton: 1.", "Add the header; it proves that no foreign form sent this.")
    kinds = [value.partition(";")[0].strip().lower() for value in asked.all("content-type")]
    if kinds != ["application/json"]:
        return Refusal(415, "A change is sent as JSON.", "Set Content-Type: application/json.")
    return None


def is_known(asked: Asked, site: Site, access: Access) -> bool:
    """Tell whether the request carries our bearer token or a cookie that we signed."""
    bearers = [value.partition(" ") for value in asked.all("authorization")]
    if any(scheme.lower() == "bearer" and access.bearer_is_good(token.strip()) for scheme, _, token in bearers):
        return True
    pairs = (pair.strip().partition("=") for line in asked.all("cookie") for pair in line.split(";"))
    return any(name == site.cookie_name and access.cookie_is_good(value) for name, _, value in pairs)


_HOW_TO_ENTER = (
    "Open the link that `anton proxy start` printed, or get a new one with `anton proxy link`; scripts send Authorization: Bearer."
)
_LINK_IS_SPENT = Refusal(401, "This link has been used before, or is too old.", "Get a new one with `anton proxy link`.")


class Guard:
    """ASGI middleware: judges, answers refusals itself, turns one-time links into cookies, adds the safe headers to every answer."""

    def __init__(self, app: ASGIApp, site: Site, access: Access) -> None:
        self._app = app
        self._site = site
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of type http or websocket; `lifespan` passes through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            await send(with_safe_headers(message))

        raw_path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
        asked = Asked(scope.get("method", "GET"), raw_path, scope["query_string"], tuple(scope["headers"]))
        link = self._link_token(asked)
        refusal = judge_place(asked, self._site) if link is not None else judge(asked, self._site, self._access)
        if refusal is None and link is not None:
            refusal = await self._enter(asked, link, receive, send_safely)
            if refusal is None:
                return
        if refusal is not None:
            body = ErrorBody("caller", refusal.message, refusal.hint)
            as_page = scope["type"] == "http" and asked.is_page and any("text/html" in value for value in asked.all("accept"))
            await refuse(refusal.status, body, scope, receive, send_safely, as_page=as_page)
            return
        await self._app({**scope, "path": raw_path.decode("latin-1")}, receive, send_safely)

    @staticmethod
    def _link_token(asked: Asked) -> str | None:
        """Return the token of a link that a person followed. Only pages have links: an API address with a token in it would be logged."""
        if asked.method != "GET" or b"token=" not in asked.query or not asked.is_page:
            return None
        return dict(parse_qsl(asked.query.decode("latin-1"))).get("token")

    async def _enter(self, asked: Asked, link: str, receive: Receive, send: Send) -> Refusal | None:
        """Trade a link for a cookie and lead on to the same page without the token; the refusal when the link is no good."""
        spent = self._access.spend(link)
        if not spent and not is_known(asked, self._site, self._access):
            return _LINK_IS_SPENT
        rest = urlencode([(name, value) for name, value in parse_qsl(asked.query.decode("latin-1")) if name != "token"])
        path = "/" if asked.path == b"/login" else "/" + asked.path.decode("latin-1").lstrip("/\\")
        headers = [(b"location", f"{path}?{rest}".rstrip("?").encode("latin-1")), (b"content-length", b"0")]
        if spent:
            cookie = f"{self._site.cookie_name}={self._access.make_cookie()}; Max-Age={COOKIE_LIFE_S}; Path=/; HttpOnly; SameSite=Strict"
            headers.append((b"set-cookie", cookie.encode()))
        await receive()
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return None
