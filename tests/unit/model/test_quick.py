"""A value that is made quickly is the same value."""

import copy
import gc
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace

import msgspec
import pytest

from modular_agents.proxy.model.call import Call, Cost, Status, Usage
from modular_agents.proxy.model.exchange import Hints
from modular_agents.proxy.model.quick import changed, quick


@dataclass(frozen=True, slots=True)
class Plain:
    one: int
    two: str = "2"
    many: frozenset[int] = field(default_factory=frozenset)


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    one: int
    two: str = "2"
    many: frozenset[int] = field(default_factory=frozenset)


GIVEN = [((1,), {}), ((1, "x"), {"many": frozenset({3})}), ((), {"two": "y", "one": 4}), ((0, None), {"many": None})]


@pytest.mark.parametrize(("args", "named"), GIVEN)
def test_it_is_made_and_shown_like_any_dataclass(args: tuple[object, ...], named: dict[str, object]) -> None:
    plain, made = Plain(*args, **named), Quick(*args, **named)  # type: ignore[arg-type]
    assert type(made) is Quick
    assert [getattr(made, one.name) for one in fields(made)] == [getattr(plain, one.name) for one in fields(plain)]
    assert repr(made) == repr(plain).replace("Plain", "Quick")
    assert hash(made) == hash(plain)
    assert made == Quick(*args, **named)  # type: ignore[arg-type]
    assert not made != Quick(*args, **named)  # type: ignore[arg-type] # noqa: SIM202 - what `!=` says is asked
    assert made != replace(made, two="z")
    assert made != plain
    with pytest.raises(TypeError):
        sorted([made, made])  # type: ignore[type-var]


def test_it_is_frozen() -> None:
    made = Quick(1)
    with pytest.raises(FrozenInstanceError):
        made.one = 2  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        made.other = 2  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        del made.one
    assert made.one == 1


def test_each_has_a_default_of_its_own_making() -> None:
    @quick
    @dataclass(frozen=True, slots=True)
    class Holds:
        items: list[int] = field(default_factory=list)

    assert Holds().items is not Holds().items


@pytest.mark.parametrize("args", [(), (1, "2", frozenset(), 4)])
def test_it_refuses_what_a_dataclass_refuses(args: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Quick(*args)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Quick(1, other=2)  # type: ignore[call-arg]


def test_it_is_replaced_matched_copied_and_pickled() -> None:
    hints = Hints("t", agent="a")
    call = Call("id", Status.RUNNING, 1, "claude", "anthropic", "raw", "other", "POST", "/", "c", "n", hints, (("a", "b"),), usage=Usage())
    assert replace(call, model="m").model == "m"
    assert changed(call, model="m") == replace(call, model="m")
    with pytest.raises(TypeError):
        changed(call, modell="m")
    assert copy.copy(call) == copy.deepcopy(call) == pickle.loads(pickle.dumps(call)) == call  # noqa: S301 - made on the same line
    match Cost(1.5, "m"):
        case Cost(usd, model):
            assert (usd, model) == (1.5, "m")


def test_it_is_read_from_json_and_written_as_a_dataclass_is() -> None:
    assert msgspec.json.encode(Quick(1)) == msgspec.json.encode(Plain(1)) == b'{"one":1,"two":"2","many":[]}'
    assert msgspec.json.decode(b'{"one":3,"many":[4]}', type=Quick) == Quick(3, many=frozenset({4}))
    assert is_dataclass(Quick)
    assert asdict(Quick(1)) == asdict(Plain(1))


def test_the_search_for_cycles_passes_it_by() -> None:
    assert not gc.is_tracked(Quick(1, many=frozenset({1})))
    assert gc.is_tracked(Plain(1))
