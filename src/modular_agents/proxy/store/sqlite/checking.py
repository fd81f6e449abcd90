"""A call read back for checking. Damage is what is looked for here: it becomes a fault of that call, and the next one is checked."""

import apsw
import msgspec

from modular_agents.proxy.model.query import Checked
from modular_agents.proxy.store import checks, crossing
from modular_agents.proxy.store.sqlite import details
from modular_agents.proxy.store.sqlite.engine import statements
from modular_agents.proxy.store.zstd import ZstdError

_UNREADABLE = (ZstdError, msgspec.MsgspecError, ValueError, TypeError, KeyError, IndexError)
"""What damaged records and missing rows turn into when they are read."""


def checked(db: apsw.Connection, call_id: str) -> Checked:
    """Return what is found of a call that has ended."""
    row = details.resolve(db, call_id)
    if row is None:
        return Checked(call_id, 0, rebuilt=False, is_part=False, fault="it cannot be found by its id")
    try:
        exchange, rebuilt = details.exchange(db, row)
        _, _, asked = db.execute(statements()["asked"], (row[0],)).get
        return checks.judge(exchange, crossing.noted_crc(asked), rebuilt=rebuilt)
    except _UNREADABLE as error:
        return Checked(call_id, 0, rebuilt=False, is_part=False, fault=f"it cannot be put together: {type(error).__name__} {error}")
