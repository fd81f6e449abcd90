"""What the relay answers itself, under `/-/`: nothing here is recorded, and nothing of it goes to a provider.

Health is 200 as long as calls are relayed: what is wrong behind the relay is told in further lines, by name only, for anybody may ask.
"""

from typing import TYPE_CHECKING

from modular_agents.proxy.relay.answers import Answer, render_head
from modular_agents.proxy.relay.headers import Request
from modular_agents.proxy.relay.routing import OPENAI

if TYPE_CHECKING:
    from modular_agents.proxy.relay.shared import Shared

_TEXT = "text/plain; charset=utf-8"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


def own_answer(shared: "Shared", request: Request, *, allowed: bool, close: bool) -> bytes:
    """Return a whole answer: `/-/health`, `/-/ready`, `/-/metrics`, or why not. Health is told to anybody."""
    path = request.target.partition(b"?")[0]
    bare = request.method == b"HEAD"
    if path == b"/-/health":
        down = "".join(f"{trouble.what}: does not work, see `anton proxy status`\n" for trouble in shared.troubles())
        return _text(200, _TEXT, "ok\n" + down, bare=bare, close=close)
    if not allowed:
        message = "this proxy listens beyond this machine and wants its token in the header X-Anton-Token"
        return _error(shared, Answer(401, "client", "token_required", message), bare=bare, close=close)
    if request.method not in {b"GET", b"HEAD"}:
        return _error(shared, Answer(405, "client", "method_not_allowed", "only GET and HEAD are served under /-/"), bare=bare, close=close)
    if path == b"/-/ready":
        return (
            _text(503, _TEXT, "draining\n", bare=bare, close=close)
            if shared.draining
            else _text(200, _TEXT, "ready\n", bare=bare, close=close)
        )
    if path == b"/-/metrics":
        return _text(200, _METRICS, shared.metrics(), bare=bare, close=close)
    return _error(shared, Answer(404, "client", "not_found", "under /-/ there are health, ready and metrics"), bare=bare, close=close)


def _error(shared: "Shared", answer: Answer, *, bare: bool, close: bool) -> bytes:
    shared.counters.errors_client_total += 1
    body = answer.body(OPENAI)
    return answer.head(len(body), close=close) + b"\r\n" + (b"" if bare else body)


def _text(status: int, content_type: str, text: str, *, bare: bool, close: bool) -> bytes:
    body = text.encode()
    return render_head(status, content_type, len(body), close=close) + b"\r\n" + (b"" if bare else body)
