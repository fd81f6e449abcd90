"""Journal segments written by hand: what a relay worker leaves behind, without a relay."""

import os
from pathlib import Path

from modular_agents.proxy.journal.frames import FLAG_LAST, MAGIC, End, Kind, RequestHead, encode, pack_fields
from modular_agents.proxy.journal.segment import SegmentName, hold_lock, lock_path

WALL_NS = 1_790_000_000_000_000_000


class Worker:
    """A worker's life: holds its lock until `die`, appends frames, goes on to a next segment when told."""

    def __init__(self, directory: Path, worker: str = "ab01") -> None:
        self.directory, self.worker, self.number, self.now = directory, worker, -1, 1_000_000
        self.lock = hold_lock(lock_path(directory, worker))
        self.rotate()

    @property
    def name(self) -> str:
        return str(SegmentName(WALL_NS // 1_000_000, self.worker, self.number))

    @property
    def path(self) -> Path:
        return self.directory / self.name

    def rotate(self) -> None:
        if self.number >= 0:
            self.frame(Kind.SEALED)
        self.number += 1
        anchor = (MAGIC, str(WALL_NS + self.now).encode(), self.worker.encode(), b"1", str(self.number).encode())
        self.frame(Kind.SEGMENT, payload=pack_fields(*anchor))

    def frame(self, kind: Kind, exchange: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
        self.now += 1_000_000
        data = encode(kind, exchange, self.now, payload, flags)
        self.append(data)
        return data

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def request(self, exchange: int, body: bytes = b"{}", call_id: str = "", *, whole: bool = True, **fields: str) -> None:
        self.frame(Kind.REQUEST_HEAD, exchange, head(call_id or f"call{exchange}", **fields).pack(), 0 if body or not whole else FLAG_LAST)
        if body:
            self.frame(Kind.REQUEST_BODY, exchange, body, FLAG_LAST if whole else 0)

    def answer(self, exchange: int, *bodies: bytes, head: bytes = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n") -> None:
        self.frame(Kind.RESPONSE_HEAD, exchange, head)
        for body in bodies:
            self.frame(Kind.RESPONSE_BODY, exchange, body)

    def end(self, exchange: int, outcome: str = "complete", request_size: int = 0, response_size: int = 0, **fields: str) -> None:
        self.frame(Kind.END, exchange, End(outcome, fields.pop("detail", ""), request_size, response_size, **fields).pack())

    def die(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def head(call_id: str, **fields: str) -> RequestHead:
    """Return a request head with dull values where none are given."""
    values = {
        "connection_id": "c1",
        "client": "127.0.0.1:5000",
        "upstream": "anthropic",
        "upstream_url": "https://api.anthropic.com",
        "trace": "",
        "agent": "",
        "parent_call": "",
        "replay_of": "",
        "method": "POST",
        "target_received": "/v1/messages",
        "target": "/v1/messages",
        "head": "Host: x\r\nContent-Type: application/json\r\n",
    } | fields
    return RequestHead(call_id, **values)
