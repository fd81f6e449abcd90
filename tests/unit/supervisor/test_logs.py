"""Log lines: one message, one line of JSON; nothing that looks like a key in either format."""

import json
import logging
import sys

import pytest

from modular_agents.proxy.model.secret import Secrets
from modular_agents.proxy.supervisor.logs import SafeJson, SafeText

KEY = "sk-ant-" + "a1B2" * 12
HIDDEN = Secrets(b"test")


def record(message: str, *arguments: object, exc_info: object = None) -> logging.LogRecord:
    return logging.LogRecord("anton.relay", logging.WARNING, __file__, 1, message, arguments, exc_info)  # type: ignore[arg-type]


def test_text_is_one_line() -> None:
    line = SafeText(HIDDEN).format(record("%d calls are interrupted", 3))
    assert line.endswith("WARNING anton.relay: 3 calls are interrupted")


@pytest.mark.parametrize("message", ["two\nlines", "žluť \ud800 \x1b[31m", 'quote " and \\'])
def test_json_is_one_line_whatever_it_says(message: str) -> None:
    line = SafeJson(HIDDEN, "relay").format(record(message))
    assert "\n" not in line
    assert line.isprintable()
    said = json.loads(line)
    assert said["message"] == message.encode("utf-8", "backslashreplace").decode()
    assert (said["level"], said["process"], said["logger"]) == ("warning", "relay", "anton.relay")
    assert said["at"].endswith("Z")


def failing(message: str, why: str) -> logging.LogRecord:
    def fail() -> None:
        raise ValueError(why)

    try:
        fail()
    except ValueError:
        return record(message, exc_info=sys.exc_info())
    raise AssertionError


def test_keys_are_replaced_in_messages_and_exceptions() -> None:
    for formatter in (SafeText(HIDDEN), SafeJson(HIDDEN, "relay")):
        line = formatter.format(failing(f"defect at /{KEY}/x", f"cannot read /v1/x?key={KEY}"))
        assert KEY not in line
        assert line.count("[redacted:") == 2


def test_an_exception_is_told_whole() -> None:
    said = json.loads(SafeJson(HIDDEN, "recorder").format(failing("defect", "why")))
    assert said["exception"].endswith("ValueError: why")
    assert said["exception"].startswith("Traceback")
