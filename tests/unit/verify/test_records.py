"""What is asked of a store about its calls, and what its answers are made into."""

from collections.abc import Sequence
from dataclasses import replace

from tests.support.fake_reader import CALL, RAW, TRACE, FakeReader, FakeStore

from modular_agents.proxy.errors import StoreDamaged
from modular_agents.proxy.model.query import Checked, CheckedPage, TraceDetail
from modular_agents.proxy.verify.cases import Way, table
from modular_agents.proxy.verify.records import Fault, check_recorded, check_stored


class Paged(FakeReader):
    """Three calls on two pages; `damaged`: the second page cannot be read."""

    def __init__(self, *, damaged: bool) -> None:
        super().__init__(FakeStore())
        self.damaged = damaged

    def checked(self, cursor: str | None, limit: int) -> CheckedPage:  # noqa: ARG002 - the port's signature
        if cursor is None:
            return CheckedPage(
                (Checked("a", 10, rebuilt=True, is_part=False, fault=""), Checked("b", 5, rebuilt=False, is_part=True, fault="")), "more"
            )
        if self.damaged:
            raise StoreDamaged("malformed")
        return CheckedPage((Checked("c", 1, rebuilt=False, is_part=False, fault="it is another"),), None)

    def damage(self) -> Sequence[str]:
        return ["page 7"] if self.damaged else []


def test_every_page_is_read_and_added_up() -> None:
    found = check_stored(Paged(damaged=False))  # type: ignore[arg-type]
    assert (found.calls, found.rebuilt, found.parts, found.bytes) == (3, 1, 1, 16)
    assert (found.faults, found.damage) == ((Fault("c", "it is another"),), ())


def test_damage_is_a_finding() -> None:
    found = check_stored(Paged(damaged=True))  # type: ignore[arg-type]
    assert (found.calls, found.damage) == (2, ("page 7", "malformed"))


class Filling(FakeReader):
    """The calls of a self-test; each time the trace is asked for it has one more. None is running: the next has not been brought over."""

    def trace(self, trace_id: str) -> TraceDetail | None:
        shown = len(self.store.calls) + 1
        self.store.calls += [replace(CALL, call_id=f"{shown - 1:026}", trace_id=trace_id)] if shown <= len(self.store.raws) else []
        return super().trace(trace_id)


def test_the_last_call_is_waited_for_though_some_bodies_are_not_compared() -> None:
    cases = table(Way(b"", b"127.0.0.1:1", b"127.0.0.1:1"))
    store = FakeStore(traces=[TRACE], calls=[])
    store.raws = {
        f"{at:026}": replace(RAW, target=case.target.decode("latin-1"), request_body=case.asked or b"", response_body=case.answered or b"")
        for at, case in enumerate(cases)
    }
    compared = [case for case in cases if case.asked is not None]
    assert compared[-1] is cases[-1], "the last call is one whose bodies are compared"
    assert len(compared) < len(cases)
    found = check_recorded(Filling(store), TRACE.trace_id, cases)  # type: ignore[arg-type]
    assert (found.calls, found.faults) == (len(compared), ())
