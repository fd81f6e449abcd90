import string
import time

import pytest

from modular_agents.proxy.model.secret import Secrets, find_secrets

DIGITS = (string.digits * 12).encode()
LETTERS = (string.ascii_letters * 3).encode()
MIXED = (string.digits + string.ascii_uppercase) * 4
SHAPES = {
    "anthropic": b"sk-ant-" + b"oat01-" + DIGITS[:90],
    "openai": b"sk-" + DIGITS[:20] + LETTERS[:20],
    "project": b"sk-" + b"proj-" + DIGITS[:40] + b"_-" + LETTERS[:40],
    "google": b"AI" + b"za" + DIGITS[:35],
    "google token": b"ya29" + b"." + LETTERS[:30] + b".-_" + DIGITS[:20],
    "aws": b"AK" + b"IA" + MIXED[:16].encode(),
    "aws temporary": b"AS" + b"IA" + MIXED[:16].encode(),
    "groq": b"gs" + b"k_" + LETTERS[:52],
    "xai": b"xa" + b"i-" + LETTERS[:80],
    "hugging face": b"h" + b"f_" + LETTERS[:34],
    "github": b"gh" + b"p_" + LETTERS[:36],
    "slack": b"xox" + b"b-1234-5678-" + LETTERS[:24],
    "jwt": b"eyJ" + LETTERS[:30] + b"." + b"eyJ" + LETTERS[:30] + b"." + DIGITS[:43],
    "pem": b"-----BEGIN RSA " + b"PRIVATE KEY-----\\n" + LETTERS + b"+/=\\n" + DIGITS + b"\\n-----END RSA " + b"PRIVATE KEY-----",
    "pem cut": b"-----BEGIN " + b"PRIVATE KEY-----\n" + LETTERS + b"\n" + DIGITS,
}


@pytest.mark.parametrize("secret", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(
    "around", [b'"%b"', b" %b ", b"\\n%b\\n", b"\\u0022%b\\u0022", b"%%20%b&", b"Bearer %b", b"%b", b"(%b)", b'="%b";']
)
def test_a_secret_is_found_whole_wherever_it_stands(secret: bytes, around: bytes) -> None:
    text = around % secret
    ((start, stop),) = find_secrets(text)
    assert text[start:stop].startswith(secret)
    assert secret.startswith(b"-----") or text[stop:] == around.replace(b"%%", b"%").partition(b"%b")[2]


@pytest.mark.parametrize(
    "text",
    [
        b"task-management-system-configuration-2024-01",
        b"the disk-usage-of-the-2nd-volume-is-high",
        b"sk-learn",
        b"sk-SK",
        b"sk-estimators-are-not-keys-at-all",
        b"hf_hub_download_with_retries_and_progress",
        b"AKIA",
        b"ghp_short",
        b"xoxo-love",
        b"eyJhbGciOiJIUzI1NiJ9",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN PUBLIC KEY-----",
        b"",
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: bytes) -> None:
    assert find_secrets(text) == []


def test_several_are_found_in_order() -> None:
    text = b"{%b} and [%b], %b" % (SHAPES["slack"], SHAPES["openai"], SHAPES["jwt"])
    assert [text[start:stop] for start, stop in find_secrets(text)] == [SHAPES["slack"], SHAPES["openai"], SHAPES["jwt"]]


def test_a_private_key_ends_with_its_string_when_its_end_is_in_another() -> None:
    text = b'["-----BEGIN ' + b'PRIVATE KEY-----abc","def -----END ' + b'PRIVATE KEY-----"]'
    assert Secrets(b"k").redact(text).endswith(b']","def -----END ' + b'PRIVATE KEY-----"]')


def test_marks_tell_keys_apart_and_depend_on_our_own_key() -> None:
    first, second = Secrets(b"one"), Secrets(b"two")
    text = b"%b %b %b" % (SHAPES["openai"], SHAPES["slack"], SHAPES["openai"])
    one, two, three = first.redact(text).split(b" ")
    assert one == three != two
    assert len(one) == len(b"[redacted:01234567]")
    assert second.redact(text).split(b" ")[0] != one


def test_text_without_secrets_stays_the_very_same_object() -> None:
    text = b"nothing here"
    assert Secrets(b"k").redact(text) is text


@pytest.mark.parametrize(
    "evil",
    [
        b"sk-",
        b"-eyJ",
        b"eyJ",
        b"a.eyJ",
        b"eyJaaaaaaaaaa.",
        b"-----BEGIN ",
        b"-----BEGIN " + b"PRIVATE KEY-----",
        b"ghp_",
        b"ya29.",
        b"AKIA",
    ],
)
def test_its_time_is_linear_in_the_text_whatever_the_text_is(evil: bytes) -> None:
    def cost(size: int) -> float:
        text, best = evil * (size // len(evil)), 9.0
        for _ in range(3):
            began = time.process_time()
            find_secrets(text)
            best = min(best, time.process_time() - began)
        return best

    assert cost(80_000) < 10 * cost(20_000) + 0.01
