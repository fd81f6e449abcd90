"""A part is found where `bytes.find` finds it."""

from hypothesis import given
from hypothesis import strategies as st

from modular_agents.proxy.store.finding import BEGINNINGS_BYTES, find

LETTERS = st.binary(max_size=6).map(lambda data: bytes(97 + byte % 2 for byte in data))


@given(LETTERS, LETTERS, LETTERS, st.sampled_from([*BEGINNINGS_BYTES, 40]), st.integers(0, 3), st.integers(0, 200))
def test_it_finds_what_find_finds(before: bytes, end: bytes, after: bytes, size: int, times: int, start: int) -> None:
    beginning = b"a" * size
    part = beginning + end
    whole = before + (beginning + b"b") * times * 3 + part + after
    assert find(whole, part, start) == whole.find(part, start)
    assert find(whole[:-1], part, start) == whole[:-1].find(part, start)
