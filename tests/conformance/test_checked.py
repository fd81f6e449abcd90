"""What every engine says of its own records (see `ports.Reader.checked`)."""

from dataclasses import replace

import pytest
from tests.conformance.conftest import Engine
from tests.support.stored import given, put_all

from modular_agents.proxy.errors import UsageError


def test_whole_calls_have_no_fault_and_running_ones_wait(engine: Engine) -> None:
    for number in (1, 2, 3):
        put_all(engine.store, given(number))
        if number < 3:
            put_all(engine.store, given(number).finished("The answer."))
    first = engine.reader.checked(None, 1)
    second = engine.reader.checked(first.next_cursor, 1)
    assert [item.call_id for item in (*first.items, *second.items)] == [given(1).call_id, given(2).call_id]
    assert second.next_cursor is None
    assert all(not item.fault and not item.is_part and item.bytes for item in (*first.items, *second.items))
    assert list(engine.reader.damage()) == []


def test_a_body_of_another_size_than_recorded_is_a_fault(engine: Engine) -> None:
    done = given(1).finished("The answer.")
    response = done.exchange.response
    assert response is not None
    put_all(engine.store, replace(done, exchange=replace(done.exchange, response=replace(response, body_size=len(response.body) + 1))))
    (item,) = engine.reader.checked(None, 10).items
    assert "the answer has" in item.fault


def test_a_cursor_of_another_list_is_refused(engine: Engine) -> None:
    with pytest.raises(UsageError):
        engine.reader.checked("c1", 10)
