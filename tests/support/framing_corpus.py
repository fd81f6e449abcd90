"""Reads tests/corpus/framing: named raw requests."""

import re
from pathlib import Path

CORPUS = Path(__file__).parent.parent / "corpus" / "framing"
_RUN = re.compile(rb"\{([^{}]+)\*(\d+)\}")


def read_corpus(name: str) -> dict[str, bytes]:
    """Return the inputs of `refused` or `allowed`, by name."""
    found: dict[str, bytes] = {}
    for line in (CORPUS / f"{name}.txt").read_text(encoding="ascii").splitlines():
        key, _, text = line.partition(" | ")
        raw = text.encode("latin-1").decode("unicode_escape").encode("latin-1")
        assert key not in found, key
        found[key] = _RUN.sub(lambda match: match[1] * int(match[2]), raw)
    return found
