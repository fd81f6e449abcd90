from pathlib import Path

import pytest
from tests.support.segments import WALL_NS, Worker

from modular_agents.proxy.journal.frames import FLAG_CAPPED, FLAG_LAST, Kind, encode, pack_fields
from modular_agents.proxy.journal.reader import JournalReader
from modular_agents.proxy.model.exchange import Exchange, Hints, Outcome
from modular_agents.proxy.ports import JournalPosition
from modular_agents.proxy.recorder import assemble
from modular_agents.proxy.recorder.assemble import CALL_BYTES, Answering, Asked, Assembler, Change, Ended, Grew
from modular_agents.proxy.recorder.body import HELD_BODY_BYTES, MAX_CHUNKS
from modular_agents.proxy.recorder.growing import Growing

MUCH = 1 << 30
SECOND_NS = 1_000_000_000


class Bench:
    """A journal directory with its reader and its assembler."""

    def __init__(self, directory: Path, position: JournalPosition | None = None) -> None:
        self.directory = directory
        self.reader = JournalReader(directory, position)
        self.assembler = Assembler(self.reader.payload_at, position)

    def changes(self, now_ns: int = 0) -> list[Change]:
        found: list[Change] = []
        while pieces := self.reader.poll(MUCH):
            self.assembler.give(pieces)
            found += self.assembler.take(MUCH, now_ns)
        return found

    def ended(self) -> list[Exchange]:
        return [change.exchange for change in self.changes() if isinstance(change, Ended)]

    def restarted(self) -> "Bench":
        return Bench(self.directory, self.assembler.position())


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_whole_call_becomes_one_exchange(worker: Worker, bench: Bench) -> None:
    worker.request(1, b'{"a":1}', "c", trace="t\x00 1", agent="", method="PUT")
    worker.frame(Kind.INFORMATIONAL, 1, b"HTTP/1.1 103 Early Hints\r\n\r\n")
    worker.answer(1, b"he", b"llo", head=b"HTTP/1.1 201 Made It\r\nX-A:  1 \r\nx-a: 2\r\n\r\n")
    worker.end(1, request_size=7, response_size=5, trailers="X-T: 1\r\n", request_trailers="X-R:  2\r\n")
    changes = bench.changes()
    assert [type(change) for change in changes] == [Asked, Answering, Grew, Grew, Ended]
    exchange = changes[-1].exchange
    start = exchange.started_ns
    assert start == WALL_NS + 2_000_000
    assert (exchange.call_id, exchange.request.method, exchange.request.body) == ("c", "PUT", b'{"a":1}')
    assert exchange.hints == Hints(trace="t 1")
    assert exchange.request.complete_ns == start + 1_000_000
    assert exchange.request.headers == (("Host", "x"), ("Content-Type", "application/json"))
    assert exchange.request.trailers == (("X-R", "2"),)
    assert exchange.informational == ((start + 2_000_000, "HTTP/1.1 103 Early Hints\r\n\r\n"),)
    response = exchange.response
    assert response is not None
    assert (response.status, response.reason, response.headers) == (201, "Made It", (("X-A", "1"), ("x-a", "2")))
    assert (response.body, response.body_size, response.trailers) == (b"hello", 5, (("X-T", "1"),))
    assert [(chunk.at_ns - start, chunk.size) for chunk in response.chunks] == [(4_000_000, 2), (5_000_000, 3)]
    assert (exchange.outcome, exchange.ended_ns, exchange.flags) == (Outcome.COMPLETE, start + 6_000_000, frozenset())


def test_a_request_without_a_body_is_asked_by_its_head(worker: Worker, bench: Bench) -> None:
    worker.request(1, b"", method="GET")
    (asked,) = bench.changes()
    assert isinstance(asked, Asked)
    assert asked.exchange.request.complete_ns == asked.exchange.started_ns


def test_what_nobody_looks_at_is_not_made(worker: Worker, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for name in ("asked", "answering"):
        monkeypatch.setattr(Growing, name, lambda _self, *_, name=name: made.append(name))
    worker.request(1)
    worker.answer(1, b"x", head=b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    asked, answering, _grew = bench.changes()
    assert isinstance(answering, Answering)
    assert (answering.status, made) == (101, [])
    assert isinstance(asked, Asked)
    assert asked.exchange is answering.exchange is None
    assert made == ["asked", "answering"]


def test_a_request_that_never_ends_is_not_asked(worker: Worker, bench: Bench) -> None:
    worker.request(1, b"half", whole=False)
    assert bench.changes() == []
    worker.end(1, "client_gone", 4)
    (ended,) = bench.ended()
    assert (ended.outcome, ended.request.body, ended.request.complete_ns, ended.response) == (Outcome.CLIENT_GONE, b"half", None, None)


def test_exchanges_are_told_apart(worker: Worker, bench: Bench) -> None:
    for n in (1, 2):
        worker.request(n, b"r%d" % n)
    for n in (2, 1):
        worker.answer(n, b"a%d" % n)
    for n in (1, 2):
        worker.end(n, request_size=2, response_size=2)
    assert [(e.request.body, e.response and e.response.body) for e in bench.ended()] == [(b"r1", b"a1"), (b"r2", b"a2")]


def test_an_answer_of_one_worker_is_known_before_the_call_of_another_that_came_later(tmp_path: Path, bench: Bench) -> None:
    late, early = Worker(tmp_path, "aa"), Worker(tmp_path, "bb")
    early.request(1, call_id="first")
    early.end(1, request_size=2)
    late.now = early.now + 1
    late.request(1, call_id="second")
    assert [change.call_id for change in bench.changes()] == ["first", "first", "second"]


def test_a_clock_that_jumps_between_segments_bends_no_duration(worker: Worker, bench: Bench) -> None:
    worker.request(1)
    worker.number += 1
    day_later = pack_fields(b"ANTONJ01", str(WALL_NS + 86_400 * SECOND_NS).encode(), b"ab01", b"1", b"1")
    worker.frame(Kind.SEGMENT, payload=day_later)
    worker.end(1, request_size=2)
    (exchange,) = bench.ended()
    assert exchange.ended_ns == exchange.started_ns + 3_000_000


def test_a_dead_workers_calls_are_interrupted_with_what_was_seen(worker: Worker, bench: Bench) -> None:
    worker.request(1, call_id="a")
    worker.answer(1, b"some")
    worker.request(2, call_id="b", body=b"half", whole=False)
    worker.append(encode(Kind.END, 1, 5, b"torn")[:20])
    worker.die()
    first, second = bench.ended()
    assert (first.outcome, first.response and first.response.body) == (Outcome.INTERRUPTED, b"some")
    assert (second.outcome, second.request.body) == (Outcome.INTERRUPTED, b"half")
    assert first.ended_ns is not None
    assert first.ended_ns > first.started_ns
    assert bench.assembler.position().open_calls == ()


def test_an_unknown_outcome_is_told_in_words(worker: Worker, bench: Bench) -> None:
    worker.request(1)
    worker.end(1, "teleported", 2, detail="far")
    (exchange,) = bench.ended()
    assert exchange.outcome == Outcome.INTERRUPTED
    assert "teleported far" in exchange.outcome_detail


def test_a_capped_record_says_so_with_its_true_size(worker: Worker, bench: Bench) -> None:
    worker.request(1)
    worker.answer(1, b"kept")
    worker.frame(Kind.RESPONSE_BODY, 1, b"", FLAG_CAPPED)
    worker.end(1, request_size=2, response_size=99, response_sha256="ab")
    (exchange,) = bench.ended()
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.body_size, exchange.response.body_sha256) == (b"kept", 99, "ab")
    assert exchange.flags == {"truncated"}


def test_sizes_that_do_not_add_up_are_a_gap(worker: Worker, bench: Bench) -> None:
    worker.request(1)
    worker.answer(1, b"kept")
    worker.end(1, request_size=2, response_size=99)
    assert bench.ended()[0].flags == {"gap"}


def test_dropped_frames_are_counted_and_flag_every_open_call_of_that_worker(tmp_path: Path, worker: Worker, bench: Bench) -> None:
    other = Worker(tmp_path, "cd")
    other.request(1, call_id="other")
    worker.request(1)
    worker.frame(Kind.DROPPED, payload=pack_fields(b"3", b"400"))
    worker.request(2)
    for w in (worker, other):
        w.end(1, request_size=2)
    worker.end(2, request_size=2)
    flags = {exchange.call_id: exchange.flags for exchange in bench.ended()}
    assert flags == {"call1": {"gap"}, "call2": set(), "other": set()}
    assert (bench.assembler.losses.dropped_frames, bench.assembler.losses.dropped_bytes) == (3, 400)


def test_damage_flags_the_calls_it_may_have_hit(worker: Worker, bench: Bench) -> None:
    worker.request(1)
    worker.append(b"\xff" * 40)
    worker.end(1, request_size=2)
    ended = bench.ended()
    worker.request(2)
    worker.end(2, request_size=2)
    ended += bench.ended()
    assert {exchange.call_id: exchange.flags for exchange in ended} == {"call1": {"gap"}, "call2": set()}


def test_an_end_that_was_lost_is_given_up_after_a_silence_longer_than_any_limit(worker: Worker, bench: Bench) -> None:
    worker.request(1)
    worker.request(2)
    worker.frame(Kind.DROPPED, payload=pack_fields(b"1", b"40"))
    bench.changes(now_ns=0)
    worker.answer(2)
    worker.request(3)
    bench.changes(now_ns=900 * SECOND_NS)
    assert bench.assembler.expire(1000 * SECOND_NS) == []
    (ended,) = bench.assembler.expire(1001 * SECOND_NS)
    assert ended.call_id == "call1"
    worker.end(1)
    assert bench.ended() == []
    assert bench.assembler.losses.orphan_frames == 1


def test_frames_without_a_beginning_are_counted(worker: Worker, bench: Bench) -> None:
    worker.answer(7, b"x")
    worker.end(7)
    worker.frame(Kind.REQUEST_HEAD, 8, b"not a head")
    assert bench.changes() == []
    assert bench.assembler.losses.orphan_frames == 4


def test_large_bodies_are_read_again_from_the_journal(worker: Worker, bench: Bench) -> None:
    piece = bytes(range(256)) * 512
    count = HELD_BODY_BYTES // len(piece) + 2
    worker.request(1, piece * count)
    worker.answer(1)
    for n in range(count):
        if n == 1:
            worker.rotate()
        worker.frame(Kind.RESPONSE_BODY, 1, piece)
    bench.changes()
    own = next(iter(bench.assembler._open.values()))
    assert own.held_bytes == 0
    assert len(bench.assembler.needed_segments()) == 2
    worker.end(1, request_size=count * len(piece), response_size=count * len(piece))
    (exchange,) = bench.ended()
    assert exchange.request.body == piece * count
    assert exchange.response is not None
    assert exchange.response.body == piece * count
    assert exchange.flags == set()


def test_all_bodies_together_stay_below_a_cap(worker: Worker, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemble, "HELD_TOTAL_BYTES", 100)
    for n in range(5):
        worker.request(n, b"x" * 40)
    changes = bench.changes()
    assert sum(own.held_bytes for own in bench.assembler._open.values()) <= 100
    for n in range(5):
        worker.end(n, request_size=40)
    assert [exchange.request.body for exchange in bench.ended()] == [b"x" * 40] * 5
    assert len(changes) == 5
    assert bench.assembler._held_bytes == 0


def test_a_body_whose_segment_somebody_deleted_is_a_gap_not_a_failure(worker: Worker, bench: Bench) -> None:
    worker.request(1, bytes(HELD_BODY_BYTES + 1))
    bench.changes()
    worker.end(1, request_size=HELD_BODY_BYTES + 1)
    pieces = bench.reader.poll(MUCH)
    worker.path.unlink()
    bench.assembler.give(pieces)
    (ended,) = bench.assembler.take(MUCH, 0)
    assert isinstance(ended, Ended)
    assert (ended.exchange.request.body, ended.exchange.request.body_size) == (b"", HELD_BODY_BYTES + 1)
    assert ended.exchange.flags == {"gap"}


def test_very_many_reads_are_told_as_fewer_chunks(worker: Worker, bench: Bench) -> None:
    worker.request(1)
    worker.answer(1)
    worker.append(b"".join(encode(Kind.RESPONSE_BODY, 1, worker.now, b"x") for _ in range(MAX_CHUNKS + 1)))
    worker.end(1, request_size=2, response_size=MAX_CHUNKS + 1)
    (exchange,) = bench.ended()
    assert exchange.response is not None
    assert len(exchange.response.chunks) <= MAX_CHUNKS
    assert sum(chunk.size for chunk in exchange.response.chunks) == MAX_CHUNKS + 1


def test_tunnel_frames_keep_their_direction_and_order(worker: Worker, bench: Bench) -> None:
    worker.request(1, b"", method="GET")
    worker.answer(1, head=b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    worker.frame(Kind.TUNNEL_UP, 1, b"ask")
    worker.frame(Kind.TUNNEL_DOWN, 1, b"answer")
    worker.end(1, request_size=3, response_size=6)
    (exchange,) = bench.ended()
    assert (exchange.flags, exchange.request.body_size) == (set(), 0)
    assert [(frame.up, frame.data) for frame in exchange.tunnel] == [(True, b"ask"), (False, b"answer")]


@pytest.mark.parametrize("line", [b"rubbish", b"HTTP/1.1 abc no", b""])
def test_an_answer_without_a_status_is_kept(worker: Worker, bench: Bench, line: bytes) -> None:
    worker.request(1)
    worker.answer(1, b"x", head=line + b"\r\nno colon\r\n\r\n")
    worker.end(1, request_size=2, response_size=1)
    (exchange,) = bench.ended()
    assert exchange.response is not None
    assert (exchange.response.status, exchange.response.headers) == (0, (("no colon", ""),))


def test_taking_stops_at_its_budget_and_the_position_speaks_of_what_was_taken(worker: Worker, bench: Bench) -> None:
    for n in range(3):
        worker.frame(Kind.REQUEST_HEAD, n, b"")
        worker.request(n, b"x" * 50)
    bench.assembler.give(bench.reader.poll(MUCH))
    budget = CALL_BYTES + 60
    taken = [bench.assembler.take(budget, 0)]
    first = bench.assembler.position()
    while bench.assembler.has_more:
        taken.append(bench.assembler.take(budget, 0))
    assert [len(changes) for changes in taken] == [2, 1]
    assert len(first.open_calls) == 2
    assert first.offsets[worker.name] < bench.assembler.position().offsets[worker.name] == worker.path.stat().st_size


def test_a_restart_gets_back_into_open_calls_and_only_those(worker: Worker, bench: Bench) -> None:
    worker.request(1, call_id="done")
    worker.request(2, b"ask", call_id="open")
    worker.answer(2, b"one ")
    worker.end(1, request_size=2)
    bench.changes()
    again = bench.restarted()
    position = bench.assembler.position()
    resumed = list(again.assembler.resume(again.reader.again(position.open_calls), position.open_calls, 0))
    assert [(type(change), change.call_id) for change in resumed] == [(Asked, "open"), (Answering, "open"), (Grew, "open")]
    assert again.assembler.position() == position
    worker.frame(Kind.RESPONSE_BODY, 2, b"two", FLAG_LAST)
    worker.end(2, request_size=3, response_size=7)
    changes = again.changes()
    assert [type(change) for change in changes] == [Grew, Ended]
    assert changes[-1].exchange.response.body == b"one two"
    assert changes[-1].exchange.flags == set()
    assert again.assembler.losses.orphan_frames == 0
