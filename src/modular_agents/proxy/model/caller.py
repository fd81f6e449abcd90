"""Which process of this machine holds the other end of a connection: said by the operating system, so that no header can make it up."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The process that made a connection, as it was when the connection was new. Texts are cleaned of secrets; empty: not known."""

    connection_id: str
    seen_ns: int
    """UTC."""
    pid: int
    started_ns: int | None
    """When the process began, UTC; with the pid it names the process for ever, for pids are used again."""
    executable: str
    command: str
    """Its arguments, as a shell would take them."""
    directory: str
    """Its working directory."""

    @property
    def process(self) -> str:
        """A name for the process: equal for all connections of one run, and for nothing else."""
        return f"{self.pid}@{self.started_ns or 0}"
