"""Every parameter is read exactly or refused in words."""

import pytest

from modular_agents.proxy.dashboard.asking import CALL_STATUSES, FILTERS, PAGING, TRACE, BadQuestion, Question, read_after, read_question

NOW_S = 1_800_000_000.0


def read(query: str) -> Question:
    return read_question(query.encode(), (*FILTERS, TRACE, *PAGING), CALL_STATUSES, lambda: NOW_S)


def test_nothing_asked_is_everything() -> None:
    asked = read("")
    assert (asked.limit, asked.cursor) == (100, None)
    assert asked.where == type(asked.where)()


def test_every_filter() -> None:
    asked = read(
        "q=a%20b&model=m&agent=a&provider=claude&status=failed&error=1&since=2026-11-22&until=2026-11-22T09:30:00.5%2B01:00"
        "&min_cost=0.5&trace=t%2F1&cursor=c&limit=7"
    )
    where = asked.where
    assert (where.text, where.model, where.agent, where.provider, where.status) == ("a b", "m", "a", "claude", "failed")
    assert (where.has_error, where.min_cost_usd, where.trace_id) == (True, 0.5, "t/1")
    assert (where.since_ns, where.until_ns) == (1_795_305_600_000_000_000, 1_795_336_200_500_000_000)
    assert (asked.cursor, asked.limit) == ("c", 7)


@pytest.mark.parametrize(("age", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("1w", 604_800)])
def test_ages(age: str, seconds: int) -> None:
    assert read(f"since={age}").where.since_ns == int((NOW_S - seconds) * 1e9)


def test_empty_values_ask_nothing() -> None:
    assert read("q=&status=&limit=") == read("")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "1 to 500"),
        ("limit=-1", "1 to 500"),
        ("limit=1e9", "1 to 500"),
        ("limit=501", "1 to 500"),
        ("limit=%D9%A3", "1 to 500"),
        ("limit=99999999999999999999999", "1 to 500"),
        ("page=-1", "no parameter 'page'"),
        ("modle=x", "no parameter 'modle'"),
        ("since=NaN", "not a time"),
        ("since=inf", "not a time"),
        ("since=-5m", "not a time"),
        ("since=999999999w", "not a time"),
        ("since=0001-01-01", "not a time"),
        ("until=9999-12-31T23:59:59Z", "not a time"),
        ("min_cost=NaN", "not an amount"),
        ("min_cost=-1", "not an amount"),
        ("min_cost=inf", "not an amount"),
        ("min_cost=1e300", "not an amount"),
        ("min_cost=x", "not an amount"),
        ("error=maybe", "neither yes nor no"),
        ("status=done", "no status 'done'"),
        ("q=a&q=b", "given twice"),
        ("q=a%00b", "NUL"),
        ("q=%ff", "not UTF-8"),
        ("q=" + "a" * 1001, "too long"),
        ("model=" + "m" * 201, "too long"),
        ("cursor=" + "c" * 513, "too long"),
        ("&".join(f"a{n}=1" for n in range(101)), "not UTF-8"),
    ],
)
def test_bad_values_are_refused_in_words(query: str, said: str) -> None:
    with pytest.raises(BadQuestion, match=said) as caught:
        read(query)
    assert caught.value.hint


def test_a_near_miss_is_named() -> None:
    with pytest.raises(BadQuestion) as caught:
        read("modle=x")
    assert caught.value.hint == "Did you mean model?"


@pytest.mark.parametrize(("query", "after"), [("", None), ("after=", None), ("after=0", 0), ("after=9007199254740991", 2**53 - 1)])
def test_after(query: str, after: int | None) -> None:
    assert read_after(query.encode()) == after


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=9007199254740992", "after=1.5", "q=1", "after=%31%32x"])
def test_bad_after(query: str) -> None:
    with pytest.raises(BadQuestion):
        read_after(query.encode())
