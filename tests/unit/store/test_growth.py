"""Storage grows with what is new: a conversation stores each message once, and every body comes back byte for byte."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stored import given, message, put_all
from tests.support.talk import SYSTEM, TOOLS, conversation

from modular_agents.proxy.model.call import Message, Part
from modular_agents.proxy.store.sqlite import SqliteReader, SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proxy_traces.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def count(store: SqliteStore, query: str) -> int:
    assert store._db is not None
    number: int = store._db.execute(query).get
    return number


def test_each_message_of_fifty_turns_is_stored_once(path: Path, store: SqliteStore) -> None:
    calls = list(conversation(50, marks=False))
    put_all(store, *calls)
    history = {entry.raw for call in calls for entry in call.call.messages}
    answers = {entry.raw for call in calls for entry in call.call.answers}
    stored = (
        [row[0] for row in store._db.execute("SELECT body FROM content WHERE reading IS NOT NULL AND body IS NOT NULL")]
        if store._db
        else []
    )
    assert len(history) == 99
    assert sorted(stored) == sorted(raw.decode() for raw in {*history, *answers})
    assert count(store, "SELECT count(*) FROM body") == 0
    assert count(store, "SELECT count(*) FROM call WHERE system = (SELECT max(system) FROM call)") == 50
    assert count(store, f"SELECT count(*) FROM content WHERE body = '{TOOLS[0].decode()}'") == 1  # noqa: S608 - our own text


def test_every_body_of_fifty_turns_is_rebuilt(path: Path, store: SqliteStore) -> None:
    sent = {call.call_id: hashlib.sha256(call.exchange.request.body).digest() for call in conversation(50)}
    put_all(store, *conversation(50))
    reader = SqliteReader(path)
    for call_id, digest in sent.items():
        raw = reader.raw(call_id)
        assert raw is not None
        assert raw.request_rebuilt
        assert hashlib.sha256(raw.request_body).digest() == digest
    reader.close()


def test_a_turn_shares_the_chain_of_the_one_before(store: SqliteStore) -> None:
    put_all(store, *conversation(20, marks=False))
    nodes = count(store, "SELECT count(*) FROM chain WHERE depth > 0")
    assert nodes <= 39 + len(TOOLS) + len(SYSTEM), "one node per message after the first, not one per message and turn"


def test_a_picture_that_comes_back_with_another_mark_is_stored_once(store: SqliteStore) -> None:
    picture = b"iVBORw0KGgo" * 20_000
    plain = b'{"role":"user","content":[{"type":"image","source":{"data":"%b"}}]}' % picture
    marked = b'{"role":"user","content":[{"type":"image","source":{"data":"%b"},"cache_control":{"type":"ephemeral"}}]}' % picture
    for number, raw in enumerate((marked, plain)):
        put_all(store, given(number, messages=(Message("user", (Part("image", raw=raw),), raw, b"d" * 16), message("user", f"{number}"))))
    assert count(store, "SELECT count(*) FROM content WHERE length(body) > 100000") == 1


def test_equal_bodies_without_a_recipe_are_stored_once(store: SqliteStore) -> None:
    for number in range(3):
        put_all(store, given(number, body=b"\x28\xb5\x2f\xfd" + b"zstd" * 100).finished())
    assert count(store, "SELECT count(*) FROM body") == 1
    assert count(store, "SELECT uses FROM body") == 3


def test_what_a_call_no_longer_names_goes(store: SqliteStore) -> None:
    """The first version was read in part; the second has other messages."""
    part = given(1, messages=(message("user", "only in part"),), body=b'{"messages": [')
    put_all(store, part)
    put_all(store, given(1, messages=(message("user", "whole"),)).finished())
    assert count(store, "SELECT count(*) FROM content WHERE body LIKE '%only in part%'") == 0
    assert count(store, "SELECT count(*) FROM body") == 0
    unused = count(
        store, "SELECT count(*) FROM content WHERE id NOT IN (SELECT content FROM chain) AND id NOT IN (SELECT piece FROM piece)"
    )
    assert unused == 0


def test_counts_of_uses_are_what_uses_them(store: SqliteStore) -> None:
    for call in conversation(12):
        put_all(store, call)
    wrong = count(
        store,
        """
        WITH named (node) AS (
          SELECT messages FROM call UNION ALL SELECT system FROM call UNION ALL SELECT tools FROM call UNION ALL SELECT params FROM call
          UNION ALL SELECT recipe FROM asked UNION ALL SELECT answers FROM answer UNION ALL SELECT parent FROM chain
        )
        SELECT count(*) FROM chain WHERE uses <> (SELECT count(*) FROM named WHERE node = chain.id)
        """,
    )
    assert wrong == 0


def test_what_takes_room_adds_up_to_the_file_and_is_asked_table_by_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the pages by which SQLite gives space back; no transaction lasts for more than one table or index."""
    path = tmp_path / "t.db"
    store, reader = SqliteStore(path), SqliteReader(path)
    put_all(store, *(given(n, messages=(message("user", f"{n} " * 900),), thread=f"th-{n}").finished("yes") for n in range(150)))
    while store.tidy():
        pass
    store.close()
    asked: list[str] = []
    tree_size = SqliteReader._tree_size

    def noted(self: SqliteReader, name: str) -> int:
        assert self._open().get_autocommit()
        asked.append(name)
        return tree_size(self, name)

    monkeypatch.setattr(SqliteReader, "_tree_size", noted)
    rows = reader.sizes()
    reader.close()
    assert 0.98 < sum(row.bytes for row in rows) / path.stat().st_size <= 1
    assert {"content", "search_1_data", "call_call_id", "sqlite_schema"} <= set(asked)
    assert [row.bytes for row in rows] == sorted((row.bytes for row in rows), reverse=True)
