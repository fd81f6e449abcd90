"""What is read of versions before they are put: bounded, and nothing of a request that is stored."""

from dataclasses import replace

import pytest
from tests.support.stored import given, message

from modular_agents.proxy.store.sqlite.parts import at_most, parts_of

CALL = given(1, messages=[message("user", "a question")])
ENDED = CALL.finished("an answer")
SIZE = len(ENDED.exchange.request.body) + len(ENDED.exchange.response.body if ENDED.exchange.response else b"")


@pytest.mark.parametrize(("room", "count"), [(0, 0), (SIZE - 1, 0), (SIZE, 1), (3 * SIZE - 1, 2), (3 * SIZE, 3), (9 * SIZE, 3)])
def test_not_more_is_read_ahead_than_there_is_room_for(room: int, count: int) -> None:
    assert len(at_most([(ENDED.call, ENDED.exchange)] * 3, room)) == count


def test_of_a_call_that_runs_only_the_request_is_read() -> None:
    (parts,) = parts_of([(CALL.call, CALL.exchange)], lambda _: False)
    assert parts.asked
    assert parts.recipe
    assert (parts.answer, parts.ended) == (None, b"")


def test_of_a_call_whose_request_is_stored_only_the_end_is_read_until_somebody_asks() -> None:
    (parts,) = parts_of([(ENDED.call, ENDED.exchange)], lambda call_id: call_id == ENDED.call_id)
    (whole,) = parts_of([(ENDED.call, ENDED.exchange)], lambda _: False)
    assert (parts.asked, parts.recipe) == (None, None)
    assert (parts.ended, parts.answer, parts.crc) == (whole.ended, whole.answer, whole.crc)
    assert parts.read_asked() == whole.asked
    assert parts.recipe == whole.recipe


def test_a_call_without_a_body_has_no_recipe() -> None:
    bare = replace(CALL.exchange, request=replace(CALL.exchange.request, body=b""))
    (parts,) = parts_of([(CALL.call, bare)], lambda _: False)
    assert parts.asked
    assert parts.recipe is None
