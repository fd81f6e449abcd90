"""Law: however a segment is cut into reads and writes, the same frames come out; and damage never invents one."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.segments import Worker

from modular_agents.proxy.journal.frames import Kind, encode
from modular_agents.proxy.journal.reader import JournalReader

BODIES = st.lists(st.binary(max_size=200) | st.binary(min_size=1000, max_size=3000), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(bodies=BODIES, cuts=st.lists(st.integers(1, 900), min_size=1, max_size=8), limit=st.integers(0, 2000))
def test_any_split_gives_the_same_frames(bodies: list[bytes], cuts: list[int], limit: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        worker, reader = Worker(Path(directory)), JournalReader(Path(directory))
        data, at, got = b"".join(encode(Kind.RESPONSE_BODY, 1, 5, body) for body in bodies), 0, []
        while at < len(data):
            step = cuts[at % len(cuts)]
            worker.append(data[at : at + step])
            at += step
            got += [frame for piece in reader.poll(limit) for frame in piece.frames]
        worker.die()
        while pieces := reader.poll(limit):
            got += [frame for piece in pieces for frame in piece.frames]
        reader.close()
    assert [frame.payload for frame in got[1:]] == bodies
    assert [frame.end for frame in got[:-1]] == [frame.offset for frame in got[1:]]
    assert (reader.damaged_bytes, reader.torn_bytes) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(bodies=BODIES, where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.integers(0, 40))
def test_damage_costs_one_frame_and_invents_none(bodies: list[bytes], where: float, flip: int, cut: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        worker = Worker(Path(directory))
        for n, body in enumerate(bodies):
            worker.frame(Kind.RESPONSE_BODY, n, body)
        data = bytearray(worker.path.read_bytes())
        del data[len(data) - cut :]
        data[int(where * len(data))] ^= flip
        worker.path.write_bytes(data)
        worker.die()
        reader, got = JournalReader(Path(directory)), []
        while pieces := reader.poll(1 << 20):
            got += [frame for piece in pieces for frame in piece.frames]
        reader.close()
    found = [(frame.exchange, frame.payload) for frame in got if frame.kind == Kind.RESPONSE_BODY]
    written = list(enumerate(bodies))
    assert all(frame in written for frame in found)
    assert found == sorted(found, key=lambda frame: frame[0])
    torn = sum(1 for n in range(len(bodies)) if sum(24 + len(body) for body in bodies[n:]) <= cut) + (cut > 0)
    assert len(found) >= len(written) - torn - 1
