"""The database file: how it is made, opened, refused, found damaged, set aside."""

import stat
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from tests.support.stored import given, put_all

from modular_agents.proxy.errors import StoreTooNew, StoreUnavailable, UsageError
from modular_agents.proxy.model.query import CallFilter
from modular_agents.proxy.store.rows import TRACE_IDLE_NS
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore, set_aside
from modular_agents.proxy.store.sqlite.engine import APPLICATION_ID, migrations, open_reader, open_writer, statements

ALL = CallFilter()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "proxy_traces.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def test_the_file_is_for_its_owner_only(path: Path, store: SqliteStore) -> None:
    put_all(store, given(1))
    modes = {part.name: stat.S_IMODE(part.stat().st_mode) for part in path.parent.iterdir()}
    assert set(modes) == {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_must_be_set_before_the_first_table_is_set(path: Path) -> None:
    db = open_writer(path)
    assert db.pragma("page_size") == 4096
    assert db.pragma("auto_vacuum") == 2
    assert db.pragma("journal_mode") == "wal"
    assert db.pragma("synchronous") == 2
    assert db.pragma("application_id") == APPLICATION_ID
    assert db.execute("SELECT version FROM schema_version").fetchall() == [(number,) for number in range(1, len(migrations()) + 1)]
    db.close()


@pytest.mark.parametrize("at", range(1, 6))
def test_a_reader_that_opens_a_database_while_it_is_made_waits_for_it(path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dashboard starts beside the recorder: between any two of its statements the tables may come to be."""
    path.parent.mkdir()
    path.touch()
    statements_run = 0

    def make_meanwhile(_cursor: object, _statement: str, _bindings: object) -> bool:
        nonlocal statements_run
        statements_run += 1
        if statements_run == at:
            hooks.clear()
            open_writer(path).close()
        return True

    hooks = [lambda db: setattr(db, "exec_trace", make_meanwhile)]
    monkeypatch.setattr(apsw, "connection_hooks", hooks)
    try:
        open_reader(path).close()
    except StoreUnavailable as error:
        assert "start the proxy" in str(error)  # noqa: PT017 - either is right, by the moment
    hooks.clear()
    open_writer(path).close()
    open_reader(path).close()


def test_opening_again_changes_nothing(path: Path, store: SqliteStore) -> None:
    put_all(store, given(1).finished())
    store.close()
    before = path.read_bytes()
    SqliteStore(path).close()
    assert path.read_bytes() == before


def test_a_closed_store_is_whole_in_its_file_while_others_still_read(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    put_all(store, given(1).finished())
    dashboard = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert dashboard.execute("SELECT count(*) FROM call").get == 1
    store.close()
    alone = tmp_path / "copied.db"
    alone.write_bytes(path.read_bytes())
    copied = apsw.Connection(str(alone))
    assert copied.execute("SELECT count(*) FROM call").get == 1
    copied.close()
    dashboard.close()


def test_older_views_are_made_anew(path: Path) -> None:
    db = open_writer(path)
    db.execute("DROP VIEW llm_calls; CREATE VIEW llm_calls AS SELECT 1 AS call_id; UPDATE contract SET views = 'older'")
    db.close()
    db = open_writer(path)
    assert db.execute("SELECT count(*) FROM llm_calls").get == 0
    db.close()


def test_a_later_schema_is_refused_and_left_alone(path: Path) -> None:
    SqliteStore(path).close()
    db = apsw.Connection(str(path))
    db.execute("INSERT INTO schema_version VALUES (999, 'tomorrow')")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew):
        SqliteStore(path)
    with pytest.raises(StoreTooNew):
        SqliteReader(path).version()
    assert path.read_bytes() == before


def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE mine (a)")
    db.close()
    with pytest.raises(UsageError, match="not one of ours"):
        SqliteStore(path)
    db = apsw.Connection(str(path))
    assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("mine",)]
    db.close()


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        SqliteStore(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError):
        SqliteStore(tmp_path / "file" / "x.db")


def test_a_link_leads_to_the_file(path: Path, tmp_path: Path) -> None:
    SqliteStore(path).close()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    store = SqliteStore(link)
    put_all(store, given(1))
    store.close()
    reader = SqliteReader(path)
    assert len(reader.calls(ALL, None, 10).items) == 1
    reader.close()


def test_reading_before_there_is_a_database(path: Path) -> None:
    reader = SqliteReader(path)
    with pytest.raises(StoreUnavailable, match="start the proxy"):
        reader.version()
    store = SqliteStore(path)
    assert reader.calls(ALL, None, 10).items == ()
    store.close()
    reader.close()
    reader.close()
    with pytest.raises(StoreUnavailable):
        reader.version()


def test_a_reader_follows_a_file_that_was_replaced(path: Path) -> None:
    store, reader = SqliteStore(path), SqliteReader(path)
    put_all(store, given(1))
    seen = reader.version()
    store.close()
    set_aside(path, 1)
    with pytest.raises(StoreUnavailable):
        reader.version()
    store = SqliteStore(path)
    assert reader.version() != seen
    assert reader.calls(ALL, None, 10).items == ()
    store.close()
    reader.close()


def test_the_views_know_the_same_idle_time_as_the_rows() -> None:
    views = (Path(open_writer.__code__.co_filename).parent / "views.sql").read_text()
    assert f"(strftime('%s', 'now') - {TRACE_IDLE_NS // 10**9})" in views


def test_every_statement_is_used_and_valid(path: Path) -> None:
    db = open_writer(path)
    fragments = {"trace_has_calls", "trace_status", "is_dear"}
    fragments |= {f"has_one_of_{many}_{kind}" for many in ("few", "many") for kind in ("model", "provider")}
    for name, text in statements().items():
        if name not in fragments:
            db.execute(f"EXPLAIN {text}", _blanks(db, text))
    source = "".join(part.read_text() for part in Path(open_writer.__code__.co_filename).parent.glob("*.py"))
    assert [name for name in statements() if f'"{name}"' not in source and not name.endswith(("_id", "_id_taken"))] == []
    db.close()


def _blanks(db: apsw.Connection, text: str) -> tuple[None, ...]:
    """As many NULLs as a statement has parameters."""
    for count in range(70):
        try:
            db.execute(f"EXPLAIN {text}", (None,) * count)
        except apsw.BindingsError:
            continue
        return (None,) * count
    msg = "more than 70 parameters"
    raise AssertionError(msg)
