"""An exchange becomes a call: `request` when the question is whole, `feed` for each piece of the answer, `finish` at the end.

Two laws. *Split*: however the answer's bytes are cut into pieces, the call is the same, and the same as `read_call` makes of
the whole exchange. *Garbage*: any bytes give a call; what cannot be understood is said in `unreadable`, never raised.
"""

from dataclasses import replace

from modular_agents.proxy.model.call import Call, Delta, Status, Unreadable, Usage
from modular_agents.proxy.model.exchange import Exchange, Headers, ResponseSide
from modular_agents.proxy.wire.detect import detect, provider_of, target_of
from modular_agents.proxy.wire.encodings import ContentDecoder, codings, decode_body
from modular_agents.proxy.wire.estimate import estimate
from modular_agents.proxy.wire.formats import anthropic_messages, openai_chat, other
from modular_agents.proxy.wire.framing import Body
from modular_agents.proxy.wire.outcome import judge
from modular_agents.proxy.wire.reading import Answered, Asked, Format

FORMATS: dict[str, Format] = {fmt.name: fmt for fmt in (anthropic_messages.FORMAT, openai_chat.FORMAT, other.FORMAT)}
_REQUEST_IDS = ("request-id", "x-request-id", "apim-request-id", "x-amzn-requestid", "cf-ray")
"""Response headers that carry the provider's id of a request, the most telling first."""
_FIRST_ERROR = 400
_ESTIMATED = {"chat", "completion"}
"""Operations whose tokens are estimated when the provider does not count them."""


class CallReader:
    """Reads one exchange. Give it the exchange as it started; call `request` once, `feed` any number of times, `finish` once.

    Call `response` when the response head is known, before the first `feed`: its headers name the content coding. Without it
    `feed` gives no deltas, and `finish` reads the body the exchange holds.
    """

    def __init__(self, exchange_start: Exchange) -> None:
        self._target = target_of(exchange_start)
        self._route = detect(self._target)
        self._format = FORMATS[self._route.format]
        self._call = self._begin(exchange_start)
        self._asked = Asked()
        self._fold = self._format.fold(self._asked)
        self._decoder: ContentDecoder | None = None
        self._body: Body | None = None
        self._fed = 0
        self._first_token_ns: int | None = None

    def request(self, exchange: Exchange) -> Call:
        """Return the running call. The request must be complete, or as complete as it will get."""
        body, failure = decode_body(exchange.request.body, exchange.request.headers)
        asked = self._ask(body) if failure is None else Asked(unreadable=failure)
        self._asked = asked
        self._fold = self._format.fold(asked)
        self._call = replace(
            self._call,
            stream=asked.stream,
            model=asked.model,
            system=asked.system,
            messages=asked.messages,
            tools=asked.tools,
            params=asked.params,
            previous_response_id=asked.previous_response_id,
            service_tier=asked.service_tier,
            unreadable=None if asked.unreadable is None else Unreadable("request", asked.unreadable),
            flags=exchange.flags,
        )
        return self._call

    def response(self, head: ResponseSide) -> None:
        """Take the response head."""
        if self._body is None:
            self._decoder = ContentDecoder(codings(head.headers))
            self._body = Body(self._fold, _header(head.headers, "content-type") or "")

    def feed(self, data: bytes, at_ns: int) -> list[Delta]:
        """Take body bytes as they crossed the wire and return what they add to the answer."""
        if self._body is None or self._decoder is None:
            return []
        self._fed += len(data)
        pieces = self._body.feed(self._decoder.feed(data))
        if pieces and self._first_token_ns is None:
            self._first_token_ns = at_ns
        return [Delta(self._call.call_id, at_ns, piece.part, piece.kind, piece.text, piece.name) for piece in pieces]

    def finish(self, exchange: Exchange) -> Call:
        """Return the final call; running still, when the exchange has no outcome yet."""
        if exchange.response is None:
            return self._final(exchange, Answered(), b"", is_stream=False)
        if self._fed != len(exchange.response.body):
            self._read_again(exchange.response)
        elif self._body is None:
            self.response(exchange.response)
        body = self._body
        if body is None:  # pragma: no cover - `response` has just set it
            return self._call
        body.end()
        return self._final(exchange, self._fold.answered(), body.text, is_stream=body.is_stream)

    def _read_again(self, response: ResponseSide) -> None:
        """Read the body the exchange holds: it was not fed, or only in part."""
        self._fold = self._format.fold(self._asked)
        self._body = None
        self._fed, self._first_token_ns = 0, None
        self.response(response)
        at = 0
        for chunk in response.chunks:
            self.feed(response.body[at : at + chunk.size], chunk.at_ns)
            at += chunk.size
        self.feed(response.body[at:], response.head_ns)

    def _begin(self, exchange: Exchange) -> Call:
        return Call(
            call_id=exchange.call_id,
            status=Status.RUNNING,
            started_ns=exchange.started_ns,
            provider=provider_of(exchange.upstream),
            upstream=exchange.upstream,
            format=self._route.format,
            operation=self._route.operation,
            method=exchange.request.method,
            path=exchange.request.target,
            client=exchange.client,
            connection_id=exchange.connection_id,
            hints=exchange.hints,
            request_headers=exchange.request.headers,
            flags=exchange.flags,
        )

    def _ask(self, body: bytes) -> Asked:
        if not body:
            return Asked()
        try:
            body.decode()
        except UnicodeDecodeError as error:
            return Asked() if self._route.format == "raw" else Asked(unreadable=f"not UTF-8 text at byte {error.start}")
        return self._format.read_request(body, self._target)

    def _final(self, exchange: Exchange, answered: Answered, body: bytes, *, is_stream: bool) -> Call:
        response = exchange.response
        status, error = judge(exchange, answered, body, needs_end=is_stream and self._route.format != "raw")
        return replace(
            self._call,
            status=status,
            stream=self._call.stream or is_stream,
            model_response=answered.model,
            answers=answered.answers,
            finish_reason=answered.finish_reason,
            usage=self._usage(answered),
            error=error,
            unreadable=self._call.unreadable or self._unreadable(response, answered),
            http_status=None if response is None else response.status,
            request_id=None if response is None else _request_id(response.headers),
            response_id=answered.response_id,
            service_tier=answered.service_tier or self._call.service_tier,
            ended_ns=exchange.ended_ns,
            first_token_ns=self._first_token_ns,
            flags=exchange.flags,
        )

    def _usage(self, answered: Answered) -> Usage:
        known = answered.usage
        if known.input_total is not None or known.output_total is not None or not answered.answers:
            return known
        if self._route.operation not in _ESTIMATED:
            return known
        return estimate((*self._call.system, *self._call.messages), self._call.tools, answered.answers)

    def _unreadable(self, response: ResponseSide | None, answered: Answered) -> Unreadable | None:
        if response is None or not response.body:
            return None
        reason = self._decoder.failure if self._decoder else None
        if reason is None and response.status < _FIRST_ERROR:
            reason = answered.unreadable
        return None if reason is None else Unreadable("response", reason)


def read_call(exchange: Exchange) -> Call:
    """Return the call an exchange is, in one go."""
    reader = CallReader(exchange)
    reader.request(exchange)
    return reader.finish(exchange)


def _header(headers: Headers, wanted: str) -> str | None:
    return next((value for name, value in headers if name.lower() == wanted), None)


def _request_id(headers: Headers) -> str | None:
    return next((found for name in _REQUEST_IDS if (found := _header(headers, name)) is not None), None)
