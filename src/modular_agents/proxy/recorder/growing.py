"""An exchange between its first frame and its last. It never fails: a frame that makes no sense is passed over and flags a gap.

Its times all come from its worker's monotonic clock, anchored to UTC by the segment in which it began, so that a wall
clock that jumps bends no duration.
"""

from dataclasses import replace

from modular_agents.proxy.journal.frames import FLAG_CAPPED, FLAG_LAST, End, Frame, Kind, RequestHead
from modular_agents.proxy.journal.segment import Anchor
from modular_agents.proxy.model.exchange import Exchange, Headers, Hints, Outcome, RequestSide, ResponseSide, TunnelFrame
from modular_agents.proxy.model.ids import clean_opaque_id
from modular_agents.proxy.recorder.body import Body, Fetch
from modular_agents.proxy.recorder.heads import read_fields, read_response_head

TRUNCATED = "truncated"
GAP = "gap"


class Growing:
    """One exchange being put together, frame by frame."""

    __slots__ = (
        "_anchor", "_answer", "_complete_ns", "_fields", "_head", "_informational", "_request", "_response", "_tunnel", "_up",
        "call_id", "flags", "last_ns", "offset", "segment", "started_ns", "touched_ns",
    )  # fmt: skip

    def __init__(self, head: RequestHead, segment: str, frame: Frame, anchor: Anchor) -> None:
        self.call_id = head.call_id
        self.segment, self.offset = segment, frame.offset
        """Where its first frame stands."""
        self.started_ns = self.last_ns = anchor.utc_ns(frame.time_ns)
        self.touched_ns = 0
        """When, by the recorder's own clock, it was last heard of; kept by the assembler."""
        self.flags: set[str] = set()
        self._head, self._anchor = head, anchor
        self._fields = read_fields(head.head)
        self._request, self._response, self._tunnel = Body(), Body(), Body()
        self._up: list[bool] = []
        self._complete_ns = self.started_ns if frame.flags & FLAG_LAST else None
        self._answer: tuple[int, str, Headers, int] | None = None
        self._informational: list[tuple[int, str]] = []

    @property
    def is_asked(self) -> bool:
        """Whether the request has been read to its end."""
        return self._complete_ns is not None

    @property
    def is_answering(self) -> bool:
        """Whether the answer's head is there."""
        return self._answer is not None

    @property
    def held_bytes(self) -> int:
        """Bytes of bodies kept in memory."""
        return self._request.held_bytes + self._response.held_bytes + self._tunnel.held_bytes

    def let_go(self) -> None:
        """Forget the bytes of the bodies; they are read again from the journal at the end."""
        for body in (self._request, self._response, self._tunnel):
            body.let_go()

    def segments(self) -> set[str]:
        """Return the segments that hold something of it."""
        return {self.segment, *self._request.segments, *self._response.segments, *self._tunnel.segments}

    def take(self, segment: str, frame: Frame) -> None:
        """Take its next frame (any kind but REQUEST_HEAD and END)."""
        self.last_ns = self._anchor.utc_ns(frame.time_ns)
        if frame.flags & FLAG_CAPPED:
            self.flags.add(TRUNCATED)
        match frame.kind:
            case Kind.REQUEST_BODY:
                self._request.add(segment, frame)
                if frame.flags & FLAG_LAST:
                    self._complete_ns = self.last_ns
            case Kind.RESPONSE_BODY:
                self._response.add(segment, frame)
            case Kind.RESPONSE_HEAD:
                self._answer = (*read_response_head(frame.payload), self.last_ns)
            case Kind.INFORMATIONAL:
                self._informational.append((self.last_ns, frame.payload.decode("latin-1")))
            case Kind.TUNNEL_UP | Kind.TUNNEL_DOWN:
                self._tunnel.add(segment, frame)
                self._up.append(frame.kind == Kind.TUNNEL_UP)
            case _:
                self.flags.add(GAP)

    def utc_ns(self, frame: Frame) -> int:
        """Return when a frame was written, by this exchange's own anchor."""
        return self._anchor.utc_ns(frame.time_ns)

    def asked(self, fetch: Fetch) -> Exchange:
        """Return it with its request."""
        return self._exchange(self._read(self._request, fetch), None)

    def answering(self) -> Exchange:
        """Return it with the head of its answer, without bodies."""
        return self._exchange(b"", self._response_side(b"", End("", "", 0, 0)))

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
        return self._exchange(body, self._response_side(answer, end), end, self._tunnel_frames(fetch), outcome, detail, ended_ns)

    def _exchange(
        self,
        body: bytes,
        response: ResponseSide | None,
        end: End | None = None,
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
            hints=Hints(*(clean_opaque_id(text) for text in (head.trace, head.agent, head.parent_call, head.replay_of))),
            started_ns=self.started_ns,
            request=RequestSide(
                method=head.method,
                target=head.target,
                target_received=head.target_received,
                headers=self._fields,
                body=body,
                body_size=max(end.request_size if end else 0, self._request.size_bytes),
                body_sha256=(end.request_sha256 or None) if end else None,
                complete_ns=self._complete_ns,
                chunks=self._request.chunks(self._anchor),
                trailers=read_fields(end.request_trailers) if end else (),
            ),
            response=response,
            informational=tuple(self._informational),
            tunnel=tunnel,
            outcome=outcome,
            outcome_detail=detail,
            ended_ns=ended_ns,
            flags=frozenset(self.flags),
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
        try:
            data = self._tunnel.pieces(fetch)
        except OSError:
            self.flags.add(GAP)
            return ()
        return tuple(map(TunnelFrame, self._tunnel.times(self._anchor), self._up, data))

    def _read(self, body: Body, fetch: Fetch) -> bytes:
        try:
            return b"".join(body.pieces(fetch))
        except OSError:
            self.flags.add(GAP)
            return b""
