"""Law: however many volumes the search index has, each search gives the same pages; and it finds what the store without a file does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from tests.support.stored import SECOND, T0, Given, given, message, put_all

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.ports import Reader, Store
from modular_agents.proxy.store.memory import MemoryStore
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.volumes import LAST, read

SQLITE = "modular_agents.proxy.store.sqlite"
WORDS = ("red", "green", "redder", "blue")
TEXTS = ("red", "re*", "green blue", '"red green"', "red re*", "bl* -none", "none", "...")
MODELS = ("common", "rare")
SECONDS = 24
Step = tuple[str, tuple[int, ...]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "end", "end", "index", "purge"]),
        st.lists(st.integers(0, SECONDS - 1), min_size=1, max_size=8, unique=True).map(tuple),
    ),
    min_size=3,
    max_size=14,
)
"""Batches of calls by the second in which they began, in any order, and what is done with them."""


def call(second: int) -> Given:
    words = " ".join(WORDS[(second // divisor) % len(WORDS)] for divisor in (1, 4, 3))
    said = (message("user", f"{words} {second}"),)
    system = (message("system", "red rules" if second % 5 == 0 else f"rules {second}"),)
    model = MODELS[second % 7 == 0]
    return given(second, messages=said, system=system, trace=f"tr-{second // 3}", thread=f"th-{second}", model=model)


def carry_out(store: Store, steps: list[Step]) -> None:
    for what, seconds in steps:
        if what == "purge":
            store.purge(T0 + min(seconds) * SECOND, None)
        elif what == "index":
            while store.tidy():
                pass
        else:
            put_all(store, *(call(second) if what == "begin" else call(second).finished(f"answer {second} blue") for second in seconds))
    while store.tidy():
        pass


def filters() -> Iterator[CallFilter]:
    for text, model in product(TEXTS, (None, "rare")):
        yield CallFilter(text=text, model=model)
    yield CallFilter(text="re*", since_ns=T0 + 5 * SECOND, until_ns=T0 + 15 * SECOND)
    yield CallFilter(text="red", since_ns=T0 + 9 * SECOND)
    yield CallFilter(text="blue", until_ns=T0 + 9 * SECOND, has_error=False)


Page = tuple[tuple[str, ...], str | None]


def paged(ask: Callable[[CallFilter, str | None, int], object], where: CallFilter, size: int) -> list[Page]:
    """Return all pages: what they name and their cursors."""
    pages: list[Page] = []
    cursor = None
    while True:
        page = ask(where, cursor, size)
        names = tuple(getattr(row, "call_id", None) or row.trace_id for row in page.items)  # type: ignore[attr-defined]
        cursor = page.next_cursor  # type: ignore[attr-defined]
        pages.append((names, cursor))
        if cursor is None:
            return pages


def answers(reader: Reader, size: int) -> list[list[Page]]:
    """Return all pages of calls newest first, of calls oldest first, and of traces."""
    return [paged(ask, where, size) for where in filters() for ask in (reader.calls, reader.ended, reader.traces)]


def found(reader: Reader) -> list[list[str]]:
    return [[name for names, _ in pages for name in names] for pages in answers(reader, 1000)]


def check_volumes(store: SqliteStore) -> None:
    """Each volume holds calls of its own range only."""
    db = store._db
    assert db is not None
    volumes = read(db)
    assert volumes[0].first == 0
    for volume, end in zip(volumes, [*(later.first for later in volumes[1:]), LAST], strict=True):
        held = [number for (number,) in db.execute(f"SELECT id FROM search_{volume.id}_docsize")]  # noqa: S608 - a number
        assert all(volume.first <= number < end for number in held)


@settings(max_examples=25, deadline=None)
@over(steps=STEPS, calls=st.integers(1, 4), size=st.integers(1, 5), is_vast=st.booleans())
def test_however_many_volumes_there_are_searches_give_the_same_pages(steps: list[Step], calls: int, size: int, *, is_vast: bool) -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        stack.enter_context(patch(f"{SQLITE}.lists.SEARCHED_CALLS", 3))
        stack.enter_context(patch(f"{SQLITE}.lists.SEARCHED_TRACES_HITS", 7))
        stack.enter_context(patch(f"{SQLITE}.begun.LOOKED_AT", 4))
        stack.enter_context(patch(f"{SQLITE}.begun.VAST_PAGES", -1 if is_vast else 200))
        told = []
        for name, most in (("one", 10**6), ("many", calls)):
            with patch(f"{SQLITE}.volumes.VOLUME_CALLS", most), closing(SqliteStore(Path(folder) / name)) as store:
                carry_out(store, steps)
                check_volumes(store)
                with closing(SqliteReader(Path(folder) / name, lambda: T0)) as reader:
                    told.append(answers(reader, size))
                    assert not reader.damage()
        assert told[0] == told[1]


@settings(max_examples=15, deadline=None)
@over(STEPS, st.integers(1, 4))
def test_many_volumes_find_what_the_store_without_a_file_finds(steps: list[Step], calls: int) -> None:
    memory = MemoryStore(lambda: T0)
    carry_out(memory, steps)
    with (
        TemporaryDirectory() as folder,
        patch(f"{SQLITE}.volumes.VOLUME_CALLS", calls),
        closing(SqliteStore(Path(folder) / "t.db")) as store,
        closing(SqliteReader(Path(folder) / "t.db", lambda: T0)) as reader,
    ):
        carry_out(store, steps)
        assert found(reader) == found(memory.reader())
