"""What is stored of a call when one of our own rooms failed on it: everything the exchange says by itself, and why there is no more.

A bug in reading, linking or pricing costs the understanding of one call, never its row.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from modular_agents.proxy.errors import ProxyError
from modular_agents.proxy.model.call import Call, Status, Unreadable
from modular_agents.proxy.model.exchange import Exchange, Outcome
from modular_agents.proxy.model.link import Indexed, Linked
from modular_agents.proxy.model.trace import Evidence, Placement
from modular_agents.proxy.wire.detect import provider_of

_log = logging.getLogger(__name__)
_FIRST_ERROR_STATUS = 400
_STATUS = {Outcome.CLIENT_GONE: Status.CANCELLED, Outcome.INTERRUPTED: Status.INTERRUPTED}

T = TypeVar("T")


def guarded(call_id: str, work: Callable[[], T], instead: Callable[[], T]) -> T:
    """Return what `work` gives, or `instead` when it fails: the boundary "one batch", for one call of it.

    Errors of our own tree pass: they are the store's to say, and concern the whole batch.
    """
    try:
        return work()
    except ProxyError:
        raise
    except Exception:  # noqa: BLE001 - boundary "one batch"
        _log.exception("call %s: one of our rooms failed on it; it is recorded without", call_id)
        return instead()


def bare_call(exchange: Exchange, why: str) -> Call:
    """Return the call that an exchange is when nobody can read it. `why` must hold nothing of its content."""
    return Call(
        call_id=exchange.call_id,
        status=status_of(exchange),
        started_ns=exchange.started_ns,
        provider=provider_of(exchange.upstream),
        upstream=exchange.upstream,
        format="raw",
        operation="other",
        method=exchange.request.method,
        path=exchange.request.target,
        client=exchange.client,
        connection_id=exchange.connection_id,
        hints=exchange.hints,
        request_headers=exchange.request.headers,
        unreadable=Unreadable("request", why),
        http_status=exchange.response.status if exchange.response else None,
        ended_ns=exchange.ended_ns,
        flags=exchange.flags,
    )


def half_read(asked: Call, exchange: Exchange, why: str) -> Call:
    """Return a call whose request was read and whose answer cannot be."""
    return replace(
        asked,
        status=status_of(exchange),
        unreadable=asked.unreadable or Unreadable("response", why),
        http_status=exchange.response.status if exchange.response else None,
        ended_ns=exchange.ended_ns,
        flags=exchange.flags,
    )


def status_of(exchange: Exchange) -> Status:
    """Return the state that an exchange shows by its outcome and status line alone."""
    if exchange.outcome is None:
        return Status.RUNNING
    if exchange.outcome == Outcome.COMPLETE:
        is_error = exchange.response is None or exchange.response.status >= _FIRST_ERROR_STATUS
        return Status.FAILED if is_error else Status.COMPLETED
    return _STATUS.get(exchange.outcome, Status.FAILED)


def alone(call: Call) -> Linked:
    """Return the place of a call that could not be linked: a trace of its own, or the one it was said to belong to."""
    trace_id = call.hints.trace or f"tr-{call.call_id}"
    evidence = Evidence("unlinked", "linking failed on this call", 0.0)
    return Linked(Placement(trace_id, f"th-{call.call_id}", evidence, kind="other", root_id=call.call_id), Indexed())
