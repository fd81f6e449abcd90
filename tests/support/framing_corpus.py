"""Reads tests/corpus/framing: named raw requests; and changes them a little."""

import re
from pathlib import Path

from hypothesis import strategies as st

CORPUS = Path(__file__).parent.parent / "corpus" / "framing"
SHORT_BYTES = 2000
"""Up to here an input is also fed byte by byte, and mutated."""
AWKWARD = (b"\r", b"\n", b"\r\n", b" ", b"\t", b"\x00", b":", b",", b";", b"0", b"\x0b", b"\xa0", b"chunked", b"Content-Length: 3\r\n")
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


@st.composite
def mutated(draw: st.DrawFn) -> tuple[bytes, tuple[int, ...]]:
    """A corpus request with a few bytes changed, doubled, dropped or put in; and a cutting."""
    raw = bytearray(draw(st.sampled_from(_short())))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        raw[at : at + draw(st.integers(0, 3))] = draw(st.sampled_from(AWKWARD) | st.binary(max_size=2))
    return bytes(raw), tuple(draw(st.lists(st.integers(1, max(len(raw), 1)), max_size=4)))


def _short() -> list[bytes]:
    return [raw for name in ("refused", "allowed") for raw in read_corpus(name).values() if len(raw) < SHORT_BYTES]
