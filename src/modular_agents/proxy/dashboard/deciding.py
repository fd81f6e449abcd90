"""What a person says of the graph, over HTTP: the only routes that change anything."""

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from modular_agents.proxy.correcting.correct import Corrector, view, views
from modular_agents.proxy.dashboard.answers import error_response, json_response
from modular_agents.proxy.dashboard.asking import BadQuestion, Parameter, read_query
from modular_agents.proxy.dashboard.reading import Readers
from modular_agents.proxy.dashboard.shapes import DecisionAsked, ErrorBody
from modular_agents.proxy.errors import NotFound
from modular_agents.proxy.model.decision import Decision, DecisionKind, DecisionList

MAX_BODY_BYTES = 8192
"""Two ids of 200 characters and a name, however they are escaped."""
MAX_SHOWN = 1000
"""Decisions of one answer, the newest: nobody says as much; `anton proxy correct --list` shows all."""
CALL = Parameter("call", "Only what was said of this call.")
_ASKED = msgspec.json.Decoder(DecisionAsked)
_SHAPE = '{"call_id": "…", "kind": "opened_by", "other": "…"}; docs/api.md has the others.'


class Deciding:
    """The handlers of decisions. No corrector: this dashboard only shows."""

    def __init__(self, readers: Readers, corrector: Corrector | None) -> None:
        self._readers, self._corrector = readers, corrector
        self._turn = asyncio.Lock()
        """One at a time: each waits for the same lock of the database."""

    async def list(self, request: Request) -> Response:
        """Answer with a `DecisionList`."""
        call_id = read_query(request.scope["query_string"], (CALL,)).get(CALL.name)
        said = await self._readers.ask(lambda reader: views(reader.decisions(call_id)[-MAX_SHOWN:]))
        return json_response(msgspec.json.encode(DecisionList(said)))

    async def say(self, request: Request) -> Response:
        """Answer with the `DecisionView` of what is kept now."""
        read_query(request.scope["query_string"], ())
        asked = await _asked(request)
        if self._corrector is None:
            return _ONLY_SHOWS
        decision = Decision(asked.call_id, DecisionKind(asked.kind), asked.other, asked.edge_type, made_by=asked.by)
        async with self._turn:
            kept = await asyncio.to_thread(self._corrector.say, decision)
        return json_response(msgspec.json.encode(view(kept)))

    async def take_back(self, request: Request) -> Response:
        """Answer with the `DecisionView` of what is kept no longer."""
        read_query(request.scope["query_string"], ())
        wanted = request.path_params["id"]
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 19):  # noqa: PLR2004 - digits of the largest number of a row
            raise NotFound(f"There is no decision {wanted[:40]!r}.")
        if self._corrector is None:
            return _ONLY_SHOWS
        async with self._turn:
            dropped = await asyncio.to_thread(self._corrector.take_back, int(wanted))
        return json_response(msgspec.json.encode(view(dropped)))


_ONLY_SHOWS = error_response(405, ErrorBody("caller", "This dashboard only shows.", "Say it to the dashboard of `anton proxy start`."))


async def _asked(request: Request) -> DecisionAsked:
    """Return the body as a decision. Raises `BadQuestion`."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise BadQuestion("That is too much.", f"A decision has at most {MAX_BODY_BYTES} bytes.")
    try:
        return _ASKED.decode(body)
    except msgspec.DecodeError as error:
        raise BadQuestion(f"That is no decision: {error}.", _SHAPE) from error
