"""Of several addresses the first that answers is taken, and one that never answers holds nobody up."""

import asyncio

import pytest

from modular_agents.proxy.relay.dialing import Address, first, interleaved, is_literal

SIX, FOUR = 10, 2


def race(behaviour: dict[str, object], stagger_s: float = 0.0) -> tuple[object, list[str], list[object]]:
    """Try addresses in order. Behaviour: a result, an error to raise, or None to hang. Return (outcome, tried, discarded)."""
    tried: list[str] = []
    discarded: list[object] = []

    async def attempt(address: Address) -> object:
        tried.append(address[1])
        does = behaviour[address[1]]
        if does is None:
            await asyncio.Event().wait()
        if isinstance(does, OSError):
            raise does
        return does

    async def main() -> object:
        before = asyncio.all_tasks()
        try:
            return await first([(FOUR, name) for name in behaviour], attempt, discarded.append, stagger_s)
        except OSError as error:
            return error
        finally:
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == before, "nothing goes on behind"

    return asyncio.run(asyncio.wait_for(main(), 30)), tried, discarded


def test_the_first_that_answers_is_enough() -> None:
    assert race({"a": "A", "b": "B"}, stagger_s=20) == ("A", ["a"], [])


def test_one_that_refuses_is_followed_at_once() -> None:
    assert race({"a": OSError(111, "refused"), "b": "B", "c": "C"}, stagger_s=20) == ("B", ["a", "b"], [])


def test_one_that_never_answers_holds_nobody_up() -> None:
    outcome, tried, _ = race({"a": None, "b": None, "c": "C"})
    assert (outcome, tried) == ("C", ["a", "b", "c"])


def test_when_none_answers_the_first_ones_word_counts() -> None:
    outcome, tried, _ = race({"a": OSError(101, "unreachable"), "b": OSError(111, "refused")})
    assert isinstance(outcome, OSError)
    assert (outcome.errno, tried) == (101, ["a", "b"])


def test_a_name_without_addresses() -> None:
    outcome, tried, _ = race({})
    assert isinstance(outcome, OSError)
    assert tried == []


def test_what_comes_too_late_is_given_up_or_discarded() -> None:
    """Both answer within one turn of the loop or two: one is taken, the other is closed or never finished."""
    entered: list[object] = []
    ended: list[object] = []
    discarded: list[object] = []

    async def main() -> object:
        both = asyncio.Event()

        async def attempt(address: Address) -> object:
            entered.append(address[1])
            if len(entered) == 2:
                both.set()
            await both.wait()
            ended.append(address[1])
            return address[1]

        taken = await first([(FOUR, "a"), (FOUR, "b")], attempt, discarded.append, 0.0)
        await asyncio.sleep(0)
        return taken

    taken = asyncio.run(asyncio.wait_for(main(), 30))
    assert entered == ["a", "b"]
    assert sorted(map(str, ended)) == sorted(map(str, [taken, *discarded]))


def test_giving_up_leaves_nothing_behind() -> None:
    begun = []

    async def main() -> None:
        async def attempt(address: Address) -> object:
            begun.append(address)
            return await asyncio.Event().wait()

        before = asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await first([(FOUR, "a"), (FOUR, "b")], attempt, lambda _: None, 0.0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    asyncio.run(main())
    assert begun


def test_families_take_turns() -> None:
    addresses = [(SIX, "1"), (SIX, "2"), (SIX, "3"), (FOUR, "4"), (FOUR, "5")]
    assert [place for _, place in interleaved(addresses)] == ["1", "4", "2", "5", "3"]


@pytest.mark.parametrize(("host", "literal"), [("127.0.0.1", True), ("::1", True), ("localhost", False), ("api.openai.com", False)])
def test_literals(host: str, literal: bool) -> None:
    assert is_literal(host) == literal
