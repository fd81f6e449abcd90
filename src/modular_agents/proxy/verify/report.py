"""What a verification found, as one value: what is printed, and what `--json` gives."""

from dataclasses import dataclass

from modular_agents.proxy.verify.records import JournalCheck, Recorded, StoredCheck
from modular_agents.proxy.verify.selftest import Row


@dataclass(frozen=True, slots=True)
class WireReport:
    """The self-test through the running relay."""

    url: str
    trace_id: str
    """Its calls are recorded like any others, in this trace."""
    rows: tuple[Row, ...]
    bytes_compared: int
    bytes_changed: int
    recorded: Recorded

    @property
    def is_ok(self) -> bool:
        """Whether every byte arrived and was recorded as it was sent."""
        return all(row.is_ok for row in self.rows) and not self.recorded.faults


@dataclass(frozen=True, slots=True)
class RecordsReport:
    """The check of all records."""

    stored: StoredCheck
    journal: JournalCheck

    @property
    def is_ok(self) -> bool:
        """Whether nothing is damaged."""
        return not (self.stored.faults or self.stored.damage or self.journal.damaged_bytes)


@dataclass(frozen=True, slots=True)
class Report:
    """All that was asked for; None: not asked for, or no proxy runs."""

    ok: bool
    wire: WireReport | None
    records: RecordsReport | None


def wire_report(url: str, trace_id: str, rows: tuple[Row, ...], recorded: Recorded) -> WireReport:
    """Return the report of a self-test, its bytes added up."""
    compared = sum(row.bytes_up + row.bytes_down for row in rows)
    changed = sum(one.changed for row in rows for one in row.differences)
    return WireReport(url, trace_id, rows, compared, changed, recorded)
