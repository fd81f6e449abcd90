"""What a writing connection knows of its file is bounded: of what it learned first, some is forgotten, and learned again if it is needed.

Never all at once. Memories that are emptied in turns make a saw of each, and where the tips of several meet the process takes more than
it ever did before: after an hour it would still seem to grow.
"""

from itertools import islice
from typing import Any, TypeVar

K = TypeVar("K")
PART = 8
"""An eighth goes at a time: a dict is walked from its beginning, past what went before, so taking out one would cost as much."""


def forget_oldest(known: dict[K, Any]) -> list[K]:
    """Forget an eighth, what was learned first; return its keys."""
    keys = list(islice(known, -(-len(known) // PART)))
    for key in keys:
        del known[key]
    return keys
