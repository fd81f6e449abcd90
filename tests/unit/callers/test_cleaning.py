"""Secrets of a command line are replaced by marks; what is no secret stays as it was typed."""

import pytest

from modular_agents.proxy.callers.cleaning import clean, is_secret
from modular_agents.proxy.model.secret import Secrets

SECRETS = Secrets(b"key")
CANARY = "canary-4711-value"


@pytest.mark.parametrize(
    "arguments",
    [
        ("agent", "--api-key", CANARY),
        ("agent", f"--api-key={CANARY}"),
        ("agent", f"--apiKey={CANARY}"),
        ("env", f"OPENAI_API_KEY={CANARY}", "agent"),
        ("env", f"DB_PASSWORD={CANARY}", "agent"),
        ("curl", "-H", f"Authorization: Bearer {CANARY}", "http://127.0.0.1:8000"),
        ("curl", "-H", f"X-Auth-Token:{CANARY}"),
        ("git", "clone", f"https://user:{CANARY}@example.com/x.git"),
        ("agent", "--token", CANARY),
        ("agent", "-p", "sk-ant-api03-" + "a1" * 20),
        ("agent", "sk-proj-" + "b2" * 20),
    ],
    ids=lambda arguments: arguments[1].partition("=")[0],
)
def test_no_secret_is_left(arguments: tuple[str, ...]) -> None:
    shown = clean([word.encode() for word in arguments], SECRETS)
    assert CANARY not in shown
    assert "a1a1" not in shown
    assert "b2b2" not in shown
    assert "[redacted:" in shown
    assert shown.startswith(arguments[0])


def test_what_is_no_secret_stays() -> None:
    words = ["python", "-m", "agent", "--max-tokens", "100", "--tokenizer=fast", "--key-file", "a b.txt", "task: tidy up", "--token"]
    assert (
        clean([word.encode() for word in words], SECRETS)
        == "python -m agent --max-tokens 100 --tokenizer=fast --key-file 'a b.txt' 'task: tidy up' --token"
    )


def test_equal_secrets_have_equal_marks() -> None:
    one, two = (clean([b"--token", value], SECRETS) for value in (b"abc", b"abd"))
    assert one != two
    assert clean([b"--password", b"abc"], SECRETS).split()[1] == one.split()[1]


def test_hostile_arguments_are_text() -> None:
    assert clean([b"a\xff\x00b", b""], SECRETS)
    assert len(clean([b"x" * 100_000] * 3, SECRETS)) <= 4096
    assert not is_secret("")
