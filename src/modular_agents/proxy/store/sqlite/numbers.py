"""Calls and traces are numbered by the millisecond of their start, moved on to the next free number: every index is in time order."""

import apsw

from modular_agents.proxy.store.sqlite.engine import statements

MS_NS = 1_000_000


def free_number(db: apsw.Connection, table: str, time_ns: int) -> int:
    """Return the first free number of `call` or `trace` from a time on."""
    number = max(1, time_ns // MS_NS)
    if db.execute(statements()[f"{table}_id_taken"], (number,)).get:
        number = db.execute(statements()[f"free_{table}_id"], (number,)).get
    return number
