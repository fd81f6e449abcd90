"""Captures of real clients (tests/corpus/wire) as the bytes of a request and of its answer, ready to be sent again."""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[1] / "corpus" / "wire"


@dataclass(frozen=True, slots=True)
class Captured:
    """One exchange. Bodies of agents were shortened for the corpus, so Content-Length is set anew."""

    name: str
    request_head: bytes
    request_body: bytes
    answer: bytes
    """Head and body as on the wire, framing and all."""
    whole: bool
    """The answer's framing came to its end."""

    @property
    def target(self) -> str:
        """The request target."""
        return self.request_head.split(b" ", 2)[1].decode()

    def with_text(self, old: str, new: str) -> "Captured":
        """Return it with a text of the request's body replaced and its length set anew."""
        return _captured(self.name, self.request_head, self.request_body.replace(old.encode(), new.encode()), self.answer)


def names() -> list[str]:
    """Return the names of plain HTTP captures."""
    return sorted(path.stem for path in _FOLDER.glob("*.json") if "websocket" not in path.stem)


def load(name: str) -> Captured:
    """Return one capture."""
    capture: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    head = "\r\n".join([capture["request_line"], *(f"{key}: {value}" for key, value in capture["request_headers"])]) + "\r\n\r\n"
    answer_head = "\r\n".join(capture["response_head"]) + "\r\n\r\n"
    body: str = capture["response_body_as_on_wire"]
    packed = capture.get("response_body_encoding") == "base64"
    answer = answer_head.encode() + (base64.b64decode(body) if packed else body.encode())
    return _captured(name, head.encode(), capture["request_body"].encode(), answer)


def _captured(name: str, head: bytes, body: bytes, answer: bytes) -> Captured:
    lines = head.split(b"\r\n")
    sized = [b"%b: %d" % (line.split(b":")[0], len(body)) if line.lower().startswith(b"content-length:") else line for line in lines]
    return Captured(name, b"\r\n".join(sized), body, answer, _is_whole(answer))


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
    return len(body) == int(length[1]) if length else answer.endswith(b"0\r\n\r\n")
