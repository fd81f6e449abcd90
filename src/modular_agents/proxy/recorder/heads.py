"""Heads as the journal keeps them (text, secrets replaced), taken apart. Never raises: what is no header line has no value."""

from modular_agents.proxy.model.exchange import Headers

LINES_KNOWN, LINE_CHARS = 4096, 200
"""Header lines that are remembered as read, and how long they may be: all but a few of a head are those of the head before."""


class _Lines(dict[str, tuple[str, str]]):
    """Header lines taken apart, by themselves."""

    def __missing__(self, line: str) -> tuple[str, str]:
        name, _, value = line.partition(":")
        field = name, value.strip(" \t")
        if len(line) <= LINE_CHARS:
            if len(self) >= LINES_KNOWN:
                self.clear()
            self[line] = field
        return field


_KNOWN = _Lines()


def read_fields(text: str) -> Headers:
    """Return names and values of header lines, order and case kept, optional white space around a value left out."""
    if not text:
        return ()
    known = _KNOWN
    return tuple([known[line] for line in text.split("\r\n") if line])


def read_response_head(payload: bytes) -> tuple[int, str, Headers]:
    """Return status, reason and header fields of a response head. A status that is no number is 0, its line the reason."""
    line, _, rest = payload.decode("latin-1").partition("\r\n")
    _version, _, after = line.partition(" ")
    status, _, reason = after.partition(" ")
    if not (status.isascii() and status.isdigit()):
        return 0, line, read_fields(rest)
    return int(status), reason, read_fields(rest)
