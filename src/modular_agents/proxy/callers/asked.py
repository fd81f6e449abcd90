"""A connection as the relay announces it: one line, short enough that a pipe takes it whole or not at all."""

from dataclasses import dataclass

MOST_BYTES = 512
"""The least that POSIX promises a pipe to write in one piece (PIPE_BUF)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose is the connection from `host`:`port` to our port `own_port`?"""

    connection_id: str
    host: str
    port: int
    own_port: int


def read_lines(data: bytes) -> list[Asked]:
    """Return what whole lines ask; what is no question is left out."""
    found = []
    for line in data.decode("ascii", "replace").splitlines():
        words = line.split(" ")
        if len(words) == 4 and words[2].isdigit() and words[3].isdigit():  # noqa: PLR2004 - the fields of `Asked`
            found.append(Asked(words[0], words[1], int(words[2]), int(words[3])))
    return found
