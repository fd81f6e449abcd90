"""How a call ended, and whose fault it was when it ended badly.

What the format saw is believed before what HTTP said (an error inside a 200 is an error, a body that is no answer is none),
with two exceptions: a transfer that was cut is never a success, though its words say so when the answer's own last event had come
(its client saw a broken body, and may have asked again); and a client that left after the answer's own end did get its answer.
"""

from modular_agents.proxy.model.call import CallError, Status
from modular_agents.proxy.model.exchange import Exchange, Outcome
from modular_agents.proxy.wire import jsonvalue as js
from modular_agents.proxy.wire.reading import Answered

MAX_MESSAGE_CHARS = 2000
"""An error page can be long; the whole of it stays in the raw response."""
_FIRST_ERROR = 400
_PROVIDERS_OWN = {408, 425, 429}
"""4xx that say "not now" rather than "not like this"."""
_FIRST_SERVER_ERROR = 500
_WHOSE = {Outcome.CLIENT_GONE: "client", Outcome.REFUSED: "client", Outcome.INTERRUPTED: "proxy"}
_WORDS = {
    Outcome.CLIENT_GONE: "the client went away before the answer was whole",
    Outcome.UPSTREAM_CUT: "the provider cut the answer",
    Outcome.UPSTREAM_UNREACHABLE: "the provider could not be reached",
    Outcome.UPSTREAM_TIMEOUT: "the provider kept silent too long",
    Outcome.REFUSED: "the proxy refused the request",
    Outcome.INTERRUPTED: "the proxy broke the call off",
}

_WHOLE = "; its last event had come, so what is kept of it is whole"


def judge(exchange: Exchange, answered: Answered, body: bytes, *, needs_end: bool) -> tuple[Status, CallError | None]:
    """Return the status and the error. `needs_end`: the answer is a stream whose format has an end of its own."""
    outcome = exchange.outcome
    if outcome is None:
        return Status.RUNNING, None
    if outcome is Outcome.CLIENT_GONE and answered.ended and answered.fault is None:
        return Status.COMPLETED, None
    if outcome is not Outcome.COMPLETE:
        status = {Outcome.CLIENT_GONE: Status.CANCELLED, Outcome.INTERRUPTED: Status.INTERRUPTED}.get(outcome, Status.FAILED)
        detail = f": {exchange.outcome_detail}" if exchange.outcome_detail else ""
        whole = _WHOLE if answered.ended and answered.fault is None else ""
        return status, CallError(_WHOSE.get(outcome, "provider"), outcome.value, _WORDS[outcome] + detail + whole)
    http_status = exchange.response.status if exchange.response else 0
    if http_status >= _FIRST_ERROR:
        return Status.FAILED, _http_error(http_status, answered, body)
    if answered.fault is not None:
        return Status.FAILED, CallError(answered.fault.whose, answered.fault.kind, answered.fault.message[:MAX_MESSAGE_CHARS])
    if "truncated" in exchange.flags:
        return Status.COMPLETED, None
    if needs_end and not answered.ended:
        return Status.FAILED, CallError("provider", "incomplete_stream", "the stream ended without its last event")
    if not needs_end and answered.unreadable is not None:
        return Status.FAILED, CallError("provider", "unreadable_answer", answered.unreadable)
    return Status.COMPLETED, None


def _http_error(status: int, answered: Answered, body: bytes) -> CallError:
    whose = "provider" if status >= _FIRST_SERVER_ERROR or status in _PROVIDERS_OWN else "client"
    if answered.fault is not None and (answered.fault.message or answered.fault.kind != "error"):
        return CallError(whose, answered.fault.kind, answered.fault.message[:MAX_MESSAGE_CHARS])
    return CallError(whose, f"http_{status}", _message(body)[:MAX_MESSAGE_CHARS])


def _message(body: bytes) -> str:
    """Return what an error body says, in any of the shapes seen; its text when it has no shape."""
    try:
        value = js.parse(body)
    except ValueError:
        return body[: 4 * MAX_MESSAGE_CHARS].decode("utf-8", "replace")
    top = js.obj(value[0] if isinstance(value, list) and value else value)
    error = top.get("error")
    for said in (js.obj(error).get("message"), error, top.get("message"), top.get("detail"), top.get("Message")):
        if isinstance(said, str) and said:
            return js.mend(said)
    return body[: 4 * MAX_MESSAGE_CHARS].decode("utf-8", "replace")
