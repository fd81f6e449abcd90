"""A search index in small volumes: filled by calls that are told by the second in which they began, and looked at."""

from tests.support.stored import SECOND, T0, Given, given, put_all

from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore
from modular_agents.proxy.store.sqlite.volumes import Volume, read

MODULE = "modular_agents.proxy.store.sqlite.volumes"
CALLS = 5
"""Of a volume."""


def call(number: int, answer: str = "common") -> Given:
    return given(number, thread=f"th-{number}").finished(f"{answer} word{number}")


def put(store: SqliteStore, *numbers: int) -> None:
    """Put calls in one batch and index them."""
    put_all(store, *map(call, numbers))
    index(store)


def index(store: SqliteStore) -> None:
    with store.batch() as batch:
        batch.words.flush(is_idle=True)


def volumes(store: SqliteStore) -> list[Volume]:
    assert store._db is not None
    return read(store._db)


def held(store: SqliteStore) -> list[list[int]]:
    """Return which calls each volume holds, oldest first, as seconds after `T0`."""
    db = store._db
    assert db is not None
    return [
        [(number * 10**6 - T0) // SECOND for (number,) in db.execute(f"SELECT id FROM search_{volume.id}_docsize ORDER BY id")]  # noqa: S608 - a number
        for volume in read(db)
    ]


def tables(store: SqliteStore, beginning: str) -> list[str]:
    assert store._db is not None
    names: list[str] = [name for (name,) in store._db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    return [name for name in names if name.startswith(beginning)]


def found(reader: SqliteReader, text: str) -> list[int]:
    return asked_of(reader, CallFilter(text=text))


def asked_of(reader: SqliteReader, where: CallFilter) -> list[int]:
    return [int((row.prompt_preview or "").removeprefix("question ")) for row in reader.calls(where, None, 1000).items]


def purged(store: SqliteStore, before: int) -> int:
    """Delete the calls before a second."""
    total = 0
    while deleted := store.purge(T0 + before * SECOND, None):
        total += deleted
    return total
