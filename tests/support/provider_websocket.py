"""The stand-in provider over WebSocket: Responses on `/v1/responses`, an echo anywhere else."""

import json
from collections.abc import Callable

from tests.support.dialects import responses
from tests.support.provider_records import Received
from tests.support.provider_socket import Gone, PeerSocket
from tests.support.replies import seed_of
from tests.support.script import Script, find_script
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol


async def serve_websocket(peer: PeerSocket, request: Received, script: Script, touched: Callable[[], None]) -> None:
    """Upgrade the connection whose head is `request` and talk until either side leaves."""
    talk = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()] if script.ws_deflate else None, max_size=None)
    talk.receive_data(request.head)
    asked = talk.events_received()[0]
    assert isinstance(asked, Request)
    talk.send_response(talk.accept(asked))
    request.status = 101
    touched()
    await _flush(peer, talk)
    partial: list[bytes] = []
    try:
        while True:
            talk.receive_data(await peer.read_some())
            for event in talk.events_received():
                assert isinstance(event, Frame)
                if event.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                    partial.append(bytes(event.data))
                    if event.fin:
                        message, partial = b"".join(partial), []
                        request.messages.append(message)
                        touched()
                        await _reply(peer, talk, request, message, script)
            await _flush(peer, talk)
            if talk.close_expected():
                return
    except Gone:
        return


async def _reply(peer: PeerSocket, talk: ServerProtocol, request: Received, message: bytes, script: Script) -> None:
    for number, answer in enumerate(_answers(request, message, script), 1):
        talk.send_text(answer)
        await _flush(peer, talk)
        if script.ws_vanish_at == number:
            peer.reset() if script.rst else peer.close()
            raise Gone


def _answers(request: Received, message: bytes, script: Script) -> list[bytes]:
    if not request.target.startswith("/v1/responses"):
        return [message]
    document = json.loads(message)
    asked = document.get("response", document)
    said = find_script((), document)
    seed = seed_of(message)
    return [json.dumps(event).encode() for event in responses.events(asked, said if said != Script() else script, seed)]


async def _flush(peer: PeerSocket, talk: ServerProtocol) -> None:
    for data in talk.data_to_send():
        if data:
            await peer.write(data)
