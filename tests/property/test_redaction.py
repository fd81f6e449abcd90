"""Laws: live text never shows part of a key, however it is cut; a key in pieces of a stream is found, and nothing else changes."""

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.test_secret import SHAPES

from modular_agents.proxy.model.exchange import Exchange, Hints, Outcome, RequestSide, ResponseSide
from modular_agents.proxy.model.secret import Secrets
from modular_agents.proxy.recorder.held import HeldText
from modular_agents.proxy.recorder.redact import Redactor
from modular_agents.proxy.recorder.strings import redact_strings

SECRETS = Secrets(b"dummy")
WORDS = st.sampled_from(
    ["sk", "sk-", "task-", "-", "ey", "eyJ", "A", "AKI", "hf_", "xox", "the", " ", "\n", "é", '"', ".", "-----", "-----BEGIN ", "\\n"]
)
KEYS = st.sampled_from([secret.decode() for name, secret in SHAPES.items() if name != "pem cut"])
TEXTS = st.lists(st.lists(WORDS, max_size=3).map("".join) | KEYS, max_size=9).map(" ".join)


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces, at = [], 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    return pieces


@given(text=TEXTS, sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_live_text_is_the_beginning_of_the_redacted_text(text: str, sizes: list[int]) -> None:
    held = HeldText(SECRETS)
    shown = "".join(held.feed(piece) for piece in cut(text, sizes))
    assert SECRETS.redact(text.encode()).decode().startswith(shown)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40), sizes=st.lists(st.integers(1, 9), min_size=1))
def test_harmless_text_is_shown_all_but_a_few_characters_at_once(text: str, sizes: list[int]) -> None:
    held = HeldText(SECRETS)
    shown = "".join(held.feed(piece) for piece in cut(text + " ", sizes))
    assert shown == text + " "


@given(key=KEYS, before=st.sampled_from(["", "my key: ", "é "]), sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_a_key_in_pieces_of_a_stream_is_found(key: str, before: str, sizes: list[int]) -> None:
    text = f"{before}{key} and on"
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}], "id": "c"} for piece in cut(text, sizes)]
    body = b": comment\n\n" + b"".join(b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in events) + b"data: [DONE]\n\n"
    lines = redact_strings(body, SECRETS).splitlines()
    told = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
    assert "".join(event["choices"][0]["delta"]["content"] for event in told) == SECRETS.redact(text.encode()).decode()
    assert len(told) == len(events)
    assert lines[0] == b": comment"
    assert lines[-2] == b"data: [DONE]"


@given(st.binary(max_size=200) | st.lists(st.binary(max_size=30)).map(b"\ndata: {".join))
def test_bytes_that_are_no_json_stay_as_they_are(body: bytes) -> None:
    assert redact_strings(body, SECRETS) is body or b'"' in body


@given(text=TEXTS, sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_a_stored_stream_says_what_the_redacted_text_says(text: str, sizes: list[int]) -> None:
    body = b"".join(b"data: " + json.dumps({"index": 0, "delta": {"text": piece}}).encode() + b"\n\n" for piece in cut(text, sizes))
    asked, head = RequestSide("POST", "/", "/", ()), (("content-type", "text/event-stream"),)
    answered = ResponseSide(200, "OK", head, 1, body, len(body))
    whole = Exchange("c", "n", "", "openai", "", Hints(), 1, asked, answered, outcome=Outcome.COMPLETE, ended_ns=2)
    redactor = Redactor(b"dummy")
    stored = redactor.response(redactor.response(whole), strings=True).response
    assert stored is not None
    told = "".join(json.loads(line[6:])["delta"]["text"] for line in stored.body.splitlines() if line.startswith(b"data: "))
    assert told == SECRETS.redact(text.encode()).decode()
