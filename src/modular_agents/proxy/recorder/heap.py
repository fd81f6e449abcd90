"""Memory that was freed goes back to the system.

The C library keeps it for whoever asks next, in pieces between what is still in use: of the recorder's 220 MB up to 30, and how much
differs from minute to minute by chance, so that nobody could tell from outside whether it grows. Words that are indexed every
other second are most of it.
"""

import ctypes
import sys
from collections.abc import Callable


def trimmer() -> Callable[[], None]:
    """Return what gives it back, in 1 to 3 ms; with a C library that cannot, what does nothing (malloc_trim(3) is of the GNU one)."""
    try:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    except OSError:  # a Python that is linked statically
        trim = None
    if trim is None:
        return lambda: None

    def give_back() -> None:
        trim(0)

    return give_back
