"""How long the recorder pauses: it follows the journal closely for a person who watches one agent, and in larger steps when many call.

A batch costs about as much as two calls, whatever it holds: at 50 calls a second, batches of one cost more than twice what batches of
eight do. Nobody follows that many calls one by one; they are still in the store within a quarter of a second.
"""

BUSY_S = 0.02
"""Pause after a batch: what arrives meanwhile shares the next commit. Nobody sees 20 ms; every commit costs an fsync."""
LOADED_S = 0.16
"""How far apart batches begin under load."""
LOADED_CHANGES = 4
"""Calls and pieces of their text in one batch that are load; one agent at work never makes them."""
LOADED_PER_S = 16.0
"""Versions of calls a second, of late, that are load: some eight calls that each begin and end."""
LATELY_S = 0.25
"""What came this long ago counts half."""
IDLE_S = 0.05
"""Longest pause with nothing to do: with it a call is in the store well within 100 ms of its frames, for 20 cheap looks a second."""
SLOWER = 1.25
"""Each look in vain makes the next pause this much longer, up to the longest."""
_SECONDS_LATELY = LATELY_S / 0.6931471805599453
"""Over how many seconds a steady rate is summed up so (half-life over ln 2)."""


class Pace:
    """Of one recorder."""

    def __init__(self) -> None:
        self._wait_s = BUSY_S
        self._lately = 0.0
        self._at_s = 0.0

    def worked(self, began_s: float, ended_s: float, versions: int, changes: int) -> float:
        """Return the pause after a batch of so many versions, which are among so many changes. Times are of one monotonic clock."""
        self._lately = self._lately * 0.5 ** ((began_s - self._at_s) / LATELY_S) + versions
        self._at_s = began_s
        is_loaded = changes >= LOADED_CHANGES or self._lately >= LOADED_PER_S * _SECONDS_LATELY
        self._wait_s = max(BUSY_S, LOADED_S - (ended_s - began_s)) if is_loaded else BUSY_S
        return self._wait_s

    def idle(self) -> float:
        """Return the pause after a look in vain."""
        self._wait_s = min(self._wait_s * SLOWER, IDLE_S)
        return self._wait_s
