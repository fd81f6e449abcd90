"""Numbers in words."""

import pytest

from modular_agents.proxy.cli.words import age, count, duration, money, price, seconds_between, size


@pytest.mark.parametrize(
    ("number", "words"), [(None, "-"), (0, "0"), (999, "999"), (1000, "1.0k"), (1250, "1.2k"), (48_200, "48k"), (3_100_000, "3.1M")]
)
def test_count(number: int | None, words: str) -> None:
    assert count(number) == words


@pytest.mark.parametrize(
    ("usd", "words"),
    [(None, "-"), (0.0, "$0"), (0.00001, "<$0.0001"), (0.00213, "$0.0021"), (0.5, "$0.5000"), (12.3, "$12.30"), (4321, "$4,321.00")],
)
def test_money(usd: float | None, words: str) -> None:
    assert money(usd) == words


@pytest.mark.parametrize(("usd", "words"), [(3.0, "$3.00"), (0.3, "$0.30"), (0.0625, "$0.0625"), (1200.0, "$1,200.00"), (0.0, "$0.00")])
def test_price(usd: float, words: str) -> None:
    assert price(usd) == words


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 B"), (999, "999 B"), (4096, "4.1 kB"), (48_200_000, "48 MB"), (5 * 2**30, "5.4 GB"), (10**12, "1,000 GB")]
)
def test_size(number: int, words: str) -> None:
    assert size(number) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (None, "-"),
        (0.4, "0 ms"),
        (310.0, "310 ms"),
        (2500.0, "2.5 s"),
        (200_000.0, "3 m 20 s"),
        (3_600_000.0, "1 h 00 m"),
        (59_990.0, "60.0 s"),
    ],
)
def test_duration(milliseconds: float | None, words: str) -> None:
    assert duration(milliseconds) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("1970-01-02T00:00:00.000000Z", "now"),
        ("1970-01-01T23:59:18.000000Z", "42s"),
        ("1970-01-01T23:55:00.000000Z", "5m"),
        ("1970-01-01T21:00:00.000000Z", "3h"),
        ("1970-01-01T00:00:00.000000Z", "1d"),
        ("not a time", "-"),
    ],
)
def test_age(moment: str, words: str) -> None:
    assert age(moment, 86400.0) == words


def test_seconds_between() -> None:
    assert seconds_between("2026-11-22T09:30:00.000000Z", "2026-11-22T09:30:02.500000Z") == 2.5
