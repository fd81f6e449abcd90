"""What is asked of a store about its calls, and what its answers are made into."""

from collections.abc import Sequence

from tests.support.fake_reader import FakeReader, FakeStore

from modular_agents.proxy.errors import StoreDamaged
from modular_agents.proxy.model.query import Checked, CheckedPage
from modular_agents.proxy.verify.records import Fault, check_stored


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
