"""Bounds of the live feed: what waits for one page, what stands in one message."""

import json

from modular_agents.proxy.dashboard.live import Pace, Subscriber, make_batches
from modular_agents.proxy.model.event import Event

PACE = Pace(queue_batches=3, queue_chars=1000)


def event(seq: int, size: int = 2) -> Event:
    return Event(seq, "delta", "t", None, json.dumps("x" * (size - 2)))


def test_a_queue_has_an_end() -> None:
    subscriber = Subscriber(PACE)
    batches = [batch for seq in range(5) for batch in make_batches([event(seq)], 100)]
    for batch in batches[:3]:
        subscriber.offer(batch)
    assert not subscriber.overflowed
    subscriber.offer(batches[3])
    assert subscriber.overflowed
    assert subscriber.take() is None
    subscriber.offer(batches[4])
    assert subscriber.take() is None


def test_long_rows_fill_a_queue_too() -> None:
    subscriber = Subscriber(PACE)
    (batch,) = make_batches([event(1, 600)], 100)
    subscriber.offer(batch)
    assert subscriber.take() is batch
    subscriber.offer(batch)
    subscriber.offer(batch)
    assert subscriber.overflowed


def test_messages_are_cut_between_rows() -> None:
    batches = list(make_batches([event(1, 60), event(2, 60), event(3, 30), event(5, 500), event(6)], 100))
    assert [(batch.first, batch.last) for batch in batches] == [(1, 1), (2, 3), (5, 5), (6, 6)]
    assert [item["seq"] for batch in batches for item in json.loads(batch.message)["items"]] == [1, 2, 3, 5, 6]
    assert list(make_batches([], 100)) == []


def test_a_batch_is_told_from_where_a_page_stands() -> None:
    (batch,) = make_batches([event(3), event(5), event(7)], 1000)
    assert batch.after(2) is batch.message
    assert [item["seq"] for item in json.loads(batch.after(3) or "")["items"]] == [5, 7]
    assert batch.after(7) is None
