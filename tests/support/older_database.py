"""Databases as earlier versions left them: `tests/corpus/store/schema-N.db.gz`, each made by the code of its time.

    python -m tests.support.older_database tests/corpus/store/schema-N.db.gz

What stands in all of them is `calls()`; it is never changed, so that what comes out of an upgrade can be compared with what went in.
"""

import gzip
import sys
import tempfile
from pathlib import Path

from tests.support.stored import Given, given, message, put_all
from tests.support.talk import conversation

from modular_agents.proxy.model.call import CallError, Status
from modular_agents.proxy.ports import JournalPosition, OpenCall
from modular_agents.proxy.store.sqlite import SqliteStore

POSITION = JournalPosition({"1760000000000-ab01-000001.seg": 4711}, (OpenCall("call-open", "1760000000000-ab01-000001.seg", 24),))
CORPUS = Path(__file__).parents[1] / "corpus" / "store"


def calls() -> list[Given]:
    """Return every version that was put, in order: a conversation with tools, a failed call, one kept whole, one still running."""
    failed = given(50, messages=(message("user", "zebra question"),), trace="tr-2", thread="th-2", agent="scout", tokens=(1, 2), facts=b"f")
    whole = given(60, body=b'{"model": "x", "model": "y"}', trace="tr-3", thread="th-3")
    return [
        *conversation(6, new_chars=900),
        failed,
        failed.finished("", status=Status.FAILED, tokens=(None, None), error=CallError("provider", "overloaded_error", "Overloaded")),
        whole,
        whole.finished("A späte Antwort with pelican."),
        given(70, messages=(message("user", "still running"),), trace="tr-4", thread="th-4"),
    ]


def unpacked(schema: int, folder: Path) -> Path:
    """Put the database of a schema into a folder, as a user has it; return its path."""
    path = folder / "proxy_traces.db"
    path.write_bytes(gzip.decompress((CORPUS / f"schema-{schema}.db.gz").read_bytes()))
    return path


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "made.db")
        for call in calls():
            put_all(store, call)
        with store.batch() as batch:
            batch.set_position(POSITION)
        while store.tidy():
            pass
        store.close()
        out.write_bytes(gzip.compress((Path(folder) / "made.db").read_bytes(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
