"""A plan: everything about a request that its head decides, made once and kept for the next request with the same head.

An SDK's calls differ in their head by the digits of `Content-Length` and by nothing else (captures: wire-facts.md), so a
head is looked up without those digits. What is found has passed every check when it was made; a head that differs in
any other byte is a different head.
"""

from modular_agents.proxy.journal.frames import pack_fields
from modular_agents.proxy.model.ids import clean_opaque_id
from modular_agents.proxy.relay.fields import AGENT, PARENT, REPLAY, TRACE
from modular_agents.proxy.relay.framing import CRLF, FramingError
from modular_agents.proxy.relay.headers import Heads, Request
from modular_agents.proxy.relay.redaction import Redactor
from modular_agents.proxy.relay.routing import Destination, Route, Router
from modular_agents.proxy.relay.template import LONGEST, MAX_DIGITS, Template

PLANS = 512
"""Plans kept, then afresh: a few per client program."""
_MARK = b"ength: "


class Plan:
    """What a head decides. Heads are kept in two parts, with the digits of Content-Length between them."""

    __slots__ = (
        "bare", "chunked", "destination", "dialect", "facts", "keep_alive", "minor", "out_after", "out_before", "private", "request",
        "shown_after", "shown_before", "template",
    )  # fmt: skip

    def __init__(self, request: Request, route: Route, redactor: Redactor) -> None:
        self.request = request
        self.destination = route.destination
        self.dialect = route.dialect
        self.private = route.private
        self.keep_alive = request.keep_alive
        self.minor = request.minor
        self.chunked = request.chunked
        self.bare = request.method == b"HEAD"
        line = request.length_line.line if request.length_line is not None else b""
        self.out_before, self.out_after = _around(request.render(route.target, route.destination.host_line), line)
        lines = request.shown(request.raw).partition(CRLF)[2]
        before, after = _around(CRLF + lines, line)
        self.shown_before, self.shown_after = _utf8(before[2:]), _utf8(after)
        self.template = _template(request)
        """Recognises the next head of the same client; None when it should be read anew."""
        self.facts = b"".join((route.destination.packed, _hints(request, route, redactor), _targets(request, route, redactor)))
        """The fields of REQUEST_HEAD between the client's address and the header lines."""


class Plans:
    """Makes plans and remembers them. One per worker."""

    __slots__ = ("_heads", "_known", "_redactor", "_router")

    def __init__(self, heads: Heads, router: Router, redactor: Redactor) -> None:
        self._heads = heads
        self._router = router
        self._redactor = redactor
        self._known: dict[tuple[Destination | None, bytes, bytes], Plan] = {}

    def find(self, data: bytes, end: int, before: Destination | None) -> tuple[Plan, bytes] | None:
        """Return the plan for the head `data[:end]`, if it is known, and the digits of its Content-Length."""
        at = data.find(_MARK, 0, end) + len(_MARK)
        if at < len(_MARK):
            plan, digits = self._known.get((before, data[:end], b"")), b""
        else:
            stop = data.find(b"\r", at, end)
            stop = end if stop < 0 else stop
            digits = data[at:stop]
            if not digits.isdigit() or stop - at > MAX_DIGITS:
                return None
            plan = self._known.get((before, data[:at], data[stop:end]))
        return None if plan is None else (plan, digits)

    def make(self, request: Request, before: Destination | None) -> tuple[Plan, bytes]:
        """Make a plan for a checked request, and keep it if it will serve again. Raises NoRoute."""
        route = self._router.find(request.target, request.shape, before)
        plan = Plan(request, route, self._redactor)
        head = request.raw
        hole = _hole(request)
        if request.length_line is None:
            if _MARK not in head:
                self._keep((before, head, b""), plan)
            return plan, b""
        if hole is not None and head.find(_MARK) + len(_MARK) == hole[0]:
            self._keep((before, head[: hole[0]], head[hole[1] :]), plan)
        return plan, request.length_line.value

    def read(self, head: bytes) -> Request:
        """Read a head that no plan is known for. Raises FramingError."""
        return self._heads.request(head)

    def _keep(self, key: tuple[Destination | None, bytes, bytes], plan: Plan) -> None:
        if len(key[1]) + len(key[2]) <= LONGEST:
            if len(self._known) >= PLANS:
                self._known.clear()
            self._known[key] = plan


def _hole(request: Request) -> tuple[int, int] | None:
    """Return where in its head the digits of Content-Length stand; None without one, or with white space behind them."""
    line = request.length_line
    if line is None or not line.line.endswith(line.value):
        return None
    stop = (request.raw + CRLF).find(CRLF + line.line + CRLF) + 2 + len(line.line)
    return stop - len(line.value), stop


def _template(request: Request) -> Template | None:
    if len(request.raw) > LONGEST:
        return None
    if request.length_line is None:
        return Template(request.raw, [])
    hole = _hole(request)
    return None if hole is None else Template(request.raw, [(*hole, True)])


def _around(head: bytes, line: bytes) -> tuple[bytes, bytes]:
    """Return what stands before and after the number that ends `line`, its white space included."""
    if not line:
        return head, b""
    number = line.partition(b":")[2].strip(b" \t")
    before, found, after = head.partition(CRLF + line + CRLF)
    if not found:
        msg = "the Content-Length line got lost"
        raise FramingError(msg)
    kept, _, space = line.rpartition(number)
    return before + CRLF + kept, space + CRLF + after


def _targets(request: Request, route: Route, redactor: Redactor) -> bytes:
    came, goes = (redactor.target(target, private=route.private) for target in (request.target, route.target))
    return pack_fields(request.method, _utf8(came), _utf8(goes))


def _hints(request: Request, route: Route, redactor: Redactor) -> bytes:
    trace, agent, parent, replay_of = (_clean(request.said.get(kind, b"")) for kind in (TRACE, AGENT, PARENT, REPLAY))
    said = (route.trace or trace, route.agent or agent, parent, replay_of)
    return pack_fields(*(redactor.text(text.encode("utf-8", "replace")) for text in said))


def _clean(raw: bytes) -> str:
    return (clean_opaque_id(raw.decode("utf-8", "replace")) or "") if raw else ""


def _utf8(raw: bytes) -> bytes:
    """Return latin-1 bytes as the UTF-8 that frames hold."""
    return raw if raw.isascii() else raw.decode("latin-1").encode()
