"""A clock that goes when told."""

from dataclasses import dataclass


@dataclass(slots=True)
class FakeClock:
    now: int = 1_790_000_000_000_000_000
    monotonic: int = 1_000_000_000_000

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.monotonic

    def go(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)
        self.monotonic += int(seconds * 1e9)
