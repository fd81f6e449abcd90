"""How long the recorder pauses: closely behind one agent, in larger steps behind many."""

import pytest

from modular_agents.proxy.recorder.pace import BUSY_S, IDLE_S, LOADED_S, Pace

TOOK_S = 0.003


def paces(pace: Pace, per_second: float, seconds: float, start_s: float = 0.0) -> list[float]:
    """Return the pauses when versions come one by one at a steady rate and each is a batch of its own."""
    times = [start_s + number / per_second for number in range(int(per_second * seconds))]
    return [pace.worked(at, at + TOOK_S, 1, 1) for at in times]


@pytest.mark.parametrize("per_second", [0.2, 1, 4, 10])
def test_few_calls_are_followed_closely(per_second: float) -> None:
    assert set(paces(Pace(), per_second, 20)) == {BUSY_S}


@pytest.mark.parametrize("per_second", [25, 50, 100])
def test_many_calls_share_batches_though_each_came_alone(per_second: float) -> None:
    pauses = paces(Pace(), per_second, 2)
    assert pauses[0] == BUSY_S
    later = pauses[len(pauses) // 2 :]
    assert later == pytest.approx([LOADED_S - TOOK_S] * len(later))


def test_the_load_is_forgotten_soon() -> None:
    pace = Pace()
    paces(pace, 100, 2)
    assert pace.worked(4.0, 4.0 + TOOK_S, 1, 1) == BUSY_S


def test_pieces_of_one_running_answer_are_no_load_but_those_of_several_are() -> None:
    pace = Pace()
    assert {pace.worked(number / 50, number / 50, 0, 1) for number in range(100)} == {BUSY_S}
    assert pace.worked(3.0, 3.0, 0, 4) == LOADED_S


def test_a_batch_that_takes_longer_than_the_step_is_followed_by_a_short_pause() -> None:
    assert Pace().worked(0.0, 0.5, 400, 400) == BUSY_S


def test_looks_in_vain_become_rarer_up_to_a_limit() -> None:
    pace = Pace()
    pauses = [pace.idle() for _ in range(20)]
    assert pauses == sorted(pauses)
    assert pauses[0] > BUSY_S
    assert pauses[-1] == IDLE_S
