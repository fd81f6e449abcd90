"""Heads as the journal keeps them (text, secrets replaced), taken apart. Never raises: what is no header line has no value."""

from modular_agents.proxy.model.exchange import Headers


def read_fields(text: str) -> Headers:
    """Return names and values of header lines, order and case kept, optional white space around a value left out."""
    fields = []
    for line in text.split("\r\n"):
        if line:
            name, _, value = line.partition(":")
            fields.append((name, value.strip(" \t")))
    return tuple(fields)


def read_response_head(payload: bytes) -> tuple[int, str, Headers]:
    """Return status, reason and header fields of a response head. A status that is no number is 0, its line the reason."""
    line, _, rest = payload.decode("latin-1").partition("\r\n")
    _version, _, after = line.partition(" ")
    status, _, reason = after.partition(" ")
    if not (status.isascii() and status.isdigit()):
        return 0, line, read_fields(rest)
    return int(status), reason, read_fields(rest)
