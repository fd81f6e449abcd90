"""The real clock. Everything that needs the time is given one, so that a test can give another."""

import time


class SystemClock:
    """`ports.Clock` by the machine's own clocks."""

    __slots__ = ()

    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)
