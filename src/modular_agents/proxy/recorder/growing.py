"""An exchange between its first frame and its last. It never fails: a frame that makes no sense is passed over and flags a gap.

Its times all come from its worker's monotonic clock, anchored to UTC by the segment in which it began, so that a wall
clock that jumps bends no duration.
"""

from dataclasses import replace

from modular_agents.proxy.journal.frames import FLAG_CAPPED, FLAG_LAST, End, Frame, Kind, RequestHead
from modular_agents.proxy.journal.segment import Anchor
from modular_agents.proxy.model.exchange import Exchange, Headers, Hints, Outcome, RequestSide, ResponseSide, TunnelFrame
from modular_agents.proxy.model.ids import clean_opaque_id
from modular_agents.proxy.ports import OpenCall
from modular_agents.proxy.recorder.body import Body, Fetch
from modular_agents.proxy.recorder.heads import read_fields, read_response_head

TRUNCATED = "truncated"
GAP = "gap"
# Plain numbers: an attribute of an enum costs ten times a global's.
_REQUEST_BODY, _RESPONSE_BODY, _RESPONSE_HEAD = int(Kind.REQUEST_BODY), int(Kind.RESPONSE_BODY), int(Kind.RESPONSE_HEAD)
_INFORMATIONAL, _TUNNEL_UP, _TUNNEL_DOWN = int(Kind.INFORMATIONAL), int(Kind.TUNNEL_UP), int(Kind.TUNNEL_DOWN)
_NO_END = End("", "", 0, 0)
_NO_HINTS = Hints()


class Growing:
    """One exchange being put together, frame by frame."""

    __slots__ = (
        "_anchor", "_answer", "_asked", "_complete_ns", "_fields", "_head", "_hints", "_informational", "_request", "_response", "_tunnel",
        "_up", "call_id", "flags", "held_bytes", "is_answering", "is_asked", "last_ns", "opened", "segment", "started_ns", "touched_ns",
    )  # fmt: skip

    def __init__(self, head: RequestHead, segment: str, frame: Frame, anchor: Anchor) -> None:
        self.call_id = head.call_id
        self.segment = segment
        self.opened = OpenCall(head.call_id, segment, frame.offset)
        """Where its first frame stands."""
        self.started_ns = self.last_ns = anchor.utc_ns(frame.time_ns)
        self.touched_ns = 0
        """When, by the recorder's own clock, it was last heard of; kept by the assembler."""
        self.flags: set[str] = set()
        self._head, self._anchor = head, anchor
        self._fields = read_fields(head.head)
        self._request, self._response = Body(), Body()
        self._tunnel: Body | None = None
        self._up: list[bool] = []
        self._complete_ns = self.started_ns if frame.flags & FLAG_LAST else None
        self._answer: tuple[int, str, Headers, int] | None = None
        self._informational: list[tuple[int, str]] = []
        self._asked: RequestSide | None = None
        """The request as it was given out, while its body is held."""
        hints = (head.trace, head.agent, head.parent_call, head.replay_of)
        self._hints = Hints(*map(clean_opaque_id, hints)) if any(hints) else _NO_HINTS
        self.is_asked = self._complete_ns is not None
        """Whether the request has been read to its end."""
        self.is_answering = False
        """Whether the answer's head is there."""
        self.held_bytes = 0
        """Bytes of bodies kept in memory."""

    @property
    def request_bytes(self) -> int:
        """Bytes of the request's body so far."""
        return self._request.size_bytes

    @property
    def status(self) -> int:
        """The answer's status; 0 while there is none."""
        return self._answer[0] if self._answer else 0

    def let_go(self) -> None:
        """Forget the bytes of the bodies; they are read again from the journal at the end."""
        for body in (self._request, self._response, self._tunnel):
            if body is not None:
                body.let_go()
        self._asked, self.held_bytes = None, 0

    def segments(self) -> set[str]:
        """Return the segments that hold something of it."""
        tunnel = self._tunnel.segments if self._tunnel is not None else ()
        return {self.segment, *self._request.segments, *self._response.segments, *tunnel}

    def take(self, segment: str, frame: Frame) -> None:
        """Take its next frame (any kind but REQUEST_HEAD and END)."""
        self.last_ns = self._anchor.utc_ns(frame.time_ns)
        if frame.flags & FLAG_CAPPED:
            self.flags.add(TRUNCATED)
        kind = frame.kind
        if kind == _RESPONSE_BODY:
            self._add(self._response, segment, frame)
        elif kind == _REQUEST_BODY:
            self._add(self._request, segment, frame)
            if frame.flags & FLAG_LAST:
                self._complete_ns, self.is_asked = self.last_ns, True
        elif kind == _RESPONSE_HEAD:
            self._answer, self.is_answering = (*read_response_head(frame.payload), self.last_ns), True
        elif kind == _INFORMATIONAL:
            self._informational.append((self.last_ns, frame.payload.decode("latin-1")))
        elif kind in {_TUNNEL_UP, _TUNNEL_DOWN}:
            self._tunnel = self._tunnel or Body()
            self._add(self._tunnel, segment, frame)
            self._up.append(kind == _TUNNEL_UP)
        else:
            self.flags.add(GAP)

    def _add(self, body: Body, segment: str, frame: Frame) -> None:
        before = body.held_bytes
        body.add(segment, frame)
        self.held_bytes += body.held_bytes - before

    def utc_ns(self, frame: Frame) -> int:
        """Return when a frame was written, by this exchange's own anchor."""
        return self._anchor.utc_ns(frame.time_ns)

    def asked(self, fetch: Fetch) -> Exchange:
        """Return it with its request."""
        side = self._request_side(self._read(self._request, fetch), None)
        self._asked = side if self._request.held_bytes else None
        return self._exchange(side, None)

    def answering(self) -> Exchange:
        """Return it with the head of its answer, without the answer's body."""
        return self._exchange(self._asked or self._request_side(b"", None), self._response_side(b"", _NO_END))

    def ended(self, end: End, ended_ns: int, fetch: Fetch) -> Exchange:
        """Return it as it ended, bodies and all."""
        if self._up:  # the sizes of a tunnel's END are the tunnel's own
            end = replace(end, request_size=0, response_size=0)
        body, answer = self._read(self._request, fetch), self._read(self._response, fetch)
        if end.request_sha256 or end.response_sha256:
            self.flags.add(TRUNCATED)
        elif end.request_size > len(body) or end.response_size > len(answer):
            self.flags.add(GAP)
        try:
            outcome, detail = Outcome(end.outcome), end.detail
        except ValueError:
            outcome, detail = Outcome.INTERRUPTED, f"ended in a way this version does not know: {end.outcome} {end.detail}"
        return self._exchange(
            self._request_side(body, end), self._response_side(answer, end), self._tunnel_frames(fetch), outcome, detail, ended_ns
        )

    def _exchange(
        self,
        request: RequestSide,
        response: ResponseSide | None,
        tunnel: tuple[TunnelFrame, ...] = (),
        outcome: Outcome | None = None,
        detail: str = "",
        ended_ns: int | None = None,
    ) -> Exchange:
        head = self._head
        return Exchange(
            call_id=head.call_id,
            connection_id=head.connection_id,
            client=head.client,
            upstream=head.upstream,
            upstream_url=head.upstream_url,
            hints=self._hints,
            started_ns=self.started_ns,
            request=request,
            response=response,
            informational=tuple(self._informational),
            tunnel=tunnel,
            outcome=outcome,
            outcome_detail=detail,
            ended_ns=ended_ns,
            flags=frozenset(self.flags),
        )

    def _request_side(self, body: bytes, end: End | None) -> RequestSide:
        asked, size = self._asked, max(end.request_size if end else 0, self._request.size_bytes)
        sha256 = (end.request_sha256 or None) if end else None
        trailers = read_fields(end.request_trailers) if end else ()
        if asked is not None and asked.body is body and asked.body_size == size and sha256 is None and not trailers:
            return asked
        head = self._head
        return RequestSide(
            method=head.method,
            target=head.target,
            target_received=head.target_received,
            headers=self._fields,
            body=body,
            body_size=size,
            body_sha256=sha256,
            complete_ns=self._complete_ns,
            chunks=self._request.chunks(self._anchor),
            trailers=trailers,
        )

    def _response_side(self, body: bytes, end: End) -> ResponseSide | None:
        if self._answer is None:
            return None
        status, reason, headers, head_ns = self._answer
        return ResponseSide(
            status=status,
            reason=reason,
            headers=headers,
            head_ns=head_ns,
            body=body,
            body_size=max(end.response_size, self._response.size_bytes),
            body_sha256=end.response_sha256 or None,
            trailers=read_fields(end.trailers),
            chunks=self._response.chunks(self._anchor) if body else (),
        )

    def _tunnel_frames(self, fetch: Fetch) -> tuple[TunnelFrame, ...]:
        if self._tunnel is None:
            return ()
        try:
            data = self._tunnel.pieces(fetch)
        except OSError:
            self.flags.add(GAP)
            return ()
        return tuple(map(TunnelFrame, self._tunnel.times(self._anchor), self._up, data))

    def _read(self, body: Body, fetch: Fetch) -> bytes:
        try:
            return body.whole(fetch)
        except OSError:
            self.flags.add(GAP)
            return b""
