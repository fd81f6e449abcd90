"""An exchange becomes a call: `request` when the question is whole, `feed` for each piece of the answer, `finish` at the end.

Two laws. *Split*: however the answer's bytes are cut into pieces, the call is the same, and the same as `read_call` makes of
the whole exchange. *Garbage*: any bytes give a call; what cannot be understood is said in `unreadable`, never raised.
"""

from urllib.parse import unquote

from modular_agents.proxy.model.call import Call, CallError, Delta, Status, Unreadable, Usage
from modular_agents.proxy.model.exchange import Exchange, Headers, ResponseSide
from modular_agents.proxy.wire.bedrock import format_of, head_usage
from modular_agents.proxy.wire.detect import detect, provider_of, told_by_body
from modular_agents.proxy.wire.encodings import ContentDecoder, codings, decode_body
from modular_agents.proxy.wire.estimate import estimate
from modular_agents.proxy.wire.formats import anthropic, chat, completions, converse, embeddings, gemini, invoke, ollama, other, responses
from modular_agents.proxy.wire.framing import Body
from modular_agents.proxy.wire.memo import Memo
from modular_agents.proxy.wire.outcome import judge
from modular_agents.proxy.wire.reading import NO_USAGE, NOT_ANSWERED, Answered, Asked, Asking, Fold, Format, Piece

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (anthropic, chat, responses, gemini, ollama, embeddings, completions, converse, invoke, other)
}
_REQUEST_IDS = {name: rank for rank, name in enumerate(("request-id", "x-request-id", "apim-request-id", "x-amzn-requestid", "cf-ray"))}
"""Response headers that carry the provider's id of a request, by how telling they are."""
_REQUEST_ID_SIZES = frozenset(map(len, _REQUEST_IDS))
_FIRST_ERROR = 400
_SWITCHED = 101
"""The connection became a WebSocket: this call is the handshake, its turns are calls of their own (see `tunnel`)."""
_ESTIMATED = {"chat", "completion"}
"""Operations whose tokens are estimated when the provider does not count them."""


class CallReader:
    """Reads one exchange. Give it the exchange as it started; call `request` once, `feed` any number of times, `finish` once.

    Call `response` when the response head is known, before the first `feed`: its headers name the content coding. Without it
    `feed` gives no deltas, and `finish` reads the body the exchange holds. A `memo` shared by the readers of one recorder
    spares reading the history of a conversation again with every turn.
    """

    def __init__(self, exchange_start: Exchange, memo: Memo | None = None) -> None:
        self._start = exchange_start
        self._memo = memo
        self._path = exchange_start.request.target.partition("?")[0]
        self._route = detect(exchange_start.request.method, self._path)
        self._format = FORMATS[self._route.format]
        self._is_bedrock = "/model/" in self._path
        self._asked = Asked()
        self._fold: Fold | None = None
        self._decoder: ContentDecoder | None = None
        self._body: Body | None = None
        self._fed = 0
        self._first_token_ns: int | None = None

    def request(self, exchange: Exchange) -> Call:
        """Return the running call. The request must be complete, or as complete as it will get."""
        self.ask(exchange)
        return self.running(exchange)

    def ask(self, exchange: Exchange) -> None:
        """Read the request, where nobody looks at the running call."""
        body, failure = decode_body(exchange.request.body, exchange.request.headers)
        if self._route.format == invoke.FORMAT.name:
            self._route = told_by_body(self._route, format_of(body))
            self._format = FORMATS[self._route.format]
        self._asked = self._ask(body) if failure is None else Asked(unreadable=failure)

    def running(self, exchange: Exchange) -> Call:
        """Return the running call of a request that has been read."""
        return self._call(exchange, None, NOT_ANSWERED, Status.RUNNING, None)

    def response(self, head: ResponseSide) -> None:
        """Take the response head."""
        if self._body is None:
            self._decoder = ContentDecoder(codings(head.headers))
            arrays = self._format.streams_arrays and head.status < _FIRST_ERROR
            self._fold = self._format.fold(self._asked)
            self._body = Body(self._fold, _header(head.headers, "content-type") or "", arrays=arrays)

    def feed(self, data: bytes, at_ns: int) -> list[Delta]:
        """Take body bytes as they crossed the wire and return what they add to the answer."""
        if self._body is None or self._decoder is None:
            return []
        self._fed += len(data)
        pieces = self._body.feed(self._decoder.feed(data))
        if pieces and self._first_token_ns is None:
            self._first_token_ns = at_ns
        return self._deltas(pieces, at_ns)

    def _deltas(self, pieces: list[Piece], at_ns: int) -> list[Delta]:
        """Return pieces as deltas; what came at one moment for one part is one delta."""
        deltas: list[Delta] = []
        call_id = self._start.call_id
        at = 0
        while at < len(pieces):
            part, kind, text, name = pieces[at]
            end = at + 1
            while end < len(pieces) and pieces[end].part == part and pieces[end].kind == kind and pieces[end].name is None:
                end += 1
            whole = text if end == at + 1 else "".join([piece.text for piece in pieces[at:end]])
            deltas.append(Delta(call_id, at_ns, part, kind, whole, name))
            at = end
        return deltas

    def finish(self, exchange: Exchange) -> Call:
        """Return the final call; running still, when the exchange has no outcome yet."""
        response = exchange.response
        if response is None:
            return self._call(exchange, None, NOT_ANSWERED, *judge(exchange, NOT_ANSWERED, b"", needs_end=False))
        if self._fed != len(response.body):
            self._read_again(response)
        self.response(response)
        text, is_stream = b"", False
        if self._body is not None:
            self._body.end()
            text, is_stream = self._body.text, self._body.is_stream
        answered = self._fold.answered() if self._fold is not None else NOT_ANSWERED
        status, error = judge(exchange, answered, text, needs_end=is_stream and self._route.format != "raw")
        return self._call(exchange, response, answered, status, error, is_stream=is_stream)

    def _read_again(self, response: ResponseSide) -> None:
        """Read the body the exchange holds: it was not fed, or only in part."""
        self._body = None
        self._fed, self._first_token_ns = 0, None
        self.response(response)
        at = 0
        for chunk in response.chunks:
            has_begun = self.feed(response.body[at : at + chunk.size], chunk.at_ns)
            at += chunk.size
            if has_begun:  # what came when is asked no more
                break
        self.feed(response.body[at:], response.head_ns)

    def _ask(self, body: bytes) -> Asked:
        if not body:
            return Asked()
        try:
            body.decode()
        except UnicodeDecodeError as error:
            return Asked() if self._route.format == "raw" else Asked(unreadable=f"not UTF-8 text at byte {error.start}")
        return self._format.read_request(Asking(body, self._path, self._memo))

    def _call(
        self,
        exchange: Exchange,
        response: ResponseSide | None,
        answered: Answered,
        status: Status,
        error: CallError | None,
        *,
        is_stream: bool = False,
    ) -> Call:
        asked, start = self._asked, self._start
        return Call(
            call_id=start.call_id,
            status=status,
            started_ns=start.started_ns,
            provider=provider_of(start.upstream),
            upstream=start.upstream,
            format=self._route.format,
            operation="websocket" if response is not None and response.status == _SWITCHED and not is_stream else self._route.operation,
            method=start.request.method,
            path=start.request.target,
            client=start.client,
            connection_id=start.connection_id,
            hints=start.hints,
            request_headers=start.request.headers,
            stream=asked.stream or is_stream,
            model=asked.model or (_queried_model(start.request.target) if self._route.operation == "realtime" else None),
            model_response=answered.model,
            system=asked.system,
            messages=asked.messages,
            tools=asked.tools,
            params=asked.params,
            answers=answered.answers,
            finish_reason=answered.finish_reason,
            usage=self._usage(answered, response),
            error=error,
            unreadable=self._unreadable(response, answered),
            http_status=None if response is None else response.status,
            request_id=None if response is None else _request_id(response.headers),
            response_id=answered.response_id,
            previous_response_id=asked.previous_response_id,
            service_tier=answered.service_tier or asked.service_tier,
            ended_ns=None if status is Status.RUNNING else exchange.ended_ns,
            first_token_ns=self._first_token_ns,
            flags=exchange.flags,
        )

    def _usage(self, answered: Answered, response: ResponseSide | None) -> Usage:
        known = answered.usage
        if self._is_bedrock and response is not None and known.input_total is None and known.output_total is None:
            known = head_usage(response.headers)
        if self._route.operation == "stored" and not answered.is_late:
            return NO_USAGE  # told when the answer was made, and counted then
        if known.input_total is not None or known.output_total is not None or not answered.answers:
            return known
        if self._route.operation not in _ESTIMATED:
            return known
        return estimate((*self._asked.system, *self._asked.messages), self._asked.tools, answered.answers)

    def _unreadable(self, response: ResponseSide | None, answered: Answered) -> Unreadable | None:
        if self._asked.unreadable is not None:
            return Unreadable("request", self._asked.unreadable)
        if response is None or self._decoder is None:
            return None
        reason = self._decoder.failure or (self._body.failure if self._body else None)
        if reason is None and response.status < _FIRST_ERROR:
            reason = answered.unreadable
        return None if reason is None else Unreadable("response", reason)


def _queried_model(target: str) -> str | None:
    """Return the `model` of a target's query."""
    named = (pair.partition("=") for pair in target.partition("?")[2].split("&"))
    return next((unquote(value) for name, _, value in named if name == "model" and value), None)


def read_call(exchange: Exchange, memo: Memo | None = None) -> Call:
    """Return the call an exchange is, in one go."""
    reader = CallReader(exchange, memo)
    reader.request(exchange)
    return reader.finish(exchange)


def _header(headers: Headers, wanted: str) -> str | None:
    size = len(wanted)
    for name, value in headers:
        if len(name) == size and name.lower() == wanted:
            return value
    return None


def _request_id(headers: Headers) -> str | None:
    best, told = len(_REQUEST_IDS), None
    for name, value in headers:
        if len(name) in _REQUEST_ID_SIZES:
            rank = _REQUEST_IDS.get(name.lower(), best)
            if rank < best or (told is not None and rank == best and value < told):
                best, told = rank, value
    return told
