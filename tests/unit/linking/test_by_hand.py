"""What a person says of the graph: it holds whatever the wire tells, what hangs below goes along, and taking it back leaves no trace."""

import random

import pytest
from tests.linking.runs import linked, stands
from tests.property.test_linking_orders import village
from tests.support.by_hand import Person
from tests.support.link_memory import LinkMemory
from tests.support.talks import Talk, World, in_disorder, result, use

from modular_agents.proxy.errors import NotFound, UsageError
from modular_agents.proxy.linking import settle
from modular_agents.proxy.model.call import Call
from modular_agents.proxy.model.decision import Decision, DecisionKind
from modular_agents.proxy.model.exchange import Hints

OPENED_BY, TRACE, APART, CUT = DecisionKind
SESSION = {"x-claude-code-session-id": "s-1"}


def family(world: World, name: str, hints: Hints | None = None) -> tuple[Talk, list[Call]]:
    """A lead asks a helper for something and gets it back: lead, helper, helper again, lead again."""
    lead = world.talk(f"You are the {name} lead.", connection=name, hints=hints or Hints())
    asked = lead.turn(f"Look after {name}, all of it.", [use(f"t-{name}", "Task", prompt=f"Count the {name} in the garden, one by one.")])
    helper = world.talk("You help.", connection=f"{name}-2", hints=hints or Hints())
    first = helper.turn(f"Count the {name} in the garden, one by one.", [use(f"b-{name}", "Bash", command="ls")])
    second = helper.turn(result(f"b-{name}", "ok"), f"There are forty-two {name} in the garden.")
    back = lead.turn(result(f"t-{name}", f"There are forty-two {name} in the garden."), "So be it.")
    return lead, [asked, first, second, back]


@pytest.fixture
def world() -> World:
    return World(1000.0)


def edges(memory: LinkMemory, call: Call) -> set[tuple[str, str, str]]:
    return {(edge.from_call_id, str(edge.edge_type), edge.evidence.rule) for edge in memory.rows[call.call_id].placement.edges}


def trace_of(memory: LinkMemory, call: Call) -> str:
    return memory.rows[call.call_id].placement.trace_id


def test_a_thread_is_opened_by_whom_a_person_says(world: World) -> None:
    _, roses = family(world, "roses")
    stray = world.talk("You water.", connection="w")
    calls = [stray.turn("Water everything.", [use("x", "Bash", command="pump")]), stray.turn(result("x", "ok"), "All is wet.")]
    person = Person(linked(world.calls))
    assert trace_of(person.memory, calls[0]) != trace_of(person.memory, roses[0])
    person.says(calls[0], OPENED_BY, roses[0])
    assert edges(person.memory, calls[0]) == {(roses[0].call_id, "delegation", "by hand")}
    at = person.memory.rows[calls[1].call_id].placement
    assert (at.trace_id, at.opener_id, at.root_id) == (trace_of(person.memory, roses[0]), roses[0].call_id, calls[0].call_id)
    with pytest.raises(NotFound, match="no edge"):
        person.says(calls[0], CUT, roses[1], "delegation")
    edge = person.memory.rows[calls[0].call_id].placement.edges[0]
    assert edge.evidence.confidence == 1
    assert edge.evidence.detail == "said by ada at 1970-01-01T00:00:00.000000Z"


def test_a_person_is_right_against_the_words(world: World) -> None:
    _, roses = family(world, "roses")
    _, tulips = family(world, "tulips")
    person = Person(linked(world.calls))
    person.says(tulips[1], OPENED_BY, roses[0])
    assert edges(person.memory, tulips[1]) == {(roses[0].call_id, "delegation", "by hand")}
    assert {trace_of(person.memory, call) for call in tulips[1:3]} == {trace_of(person.memory, roses[0])}
    assert trace_of(person.memory, tulips[0]) == trace_of(person.memory, tulips[3]) != trace_of(person.memory, roses[0])


def test_a_call_in_the_middle_opens_a_thread_of_its_own(world: World) -> None:
    lead, roses = family(world, "roses")
    after = lead.turn("Now the paths.", "They are swept.")
    _, tulips = family(world, "tulips")
    person = Person(linked(world.calls))
    thread = person.memory.rows[roses[0].call_id].placement.thread_id
    person.says(roses[3], APART)
    rows = person.memory.rows
    assert rows[roses[3].call_id].placement.root_id == rows[after.call_id].placement.root_id == roses[3].call_id
    assert trace_of(person.memory, after) == f"tr-{roses[3].call_id}"
    assert rows[roses[3].call_id].placement.trace_evidence.rule == "by hand"
    assert rows[roses[0].call_id].placement.thread_id == thread
    later = person.memory.link(lead.turn("And the hedge?", "Cut."))
    assert later.placement.trace_id == f"tr-{roses[3].call_id}"
    assert trace_of(person.memory, tulips[0]) == f"tr-{tulips[0].call_id}"


def test_a_thread_goes_to_the_trace_that_a_person_names_and_stays_when_that_gets_another_name(world: World) -> None:
    _, roses = family(world, "roses")
    first = world.talk("You are the tulips lead.", connection="tulips", headers=SESSION)
    early = first.turn("Remember: tulips.", "I shall.")
    _, tulips = family(world, "tulips")
    memory = linked([*roses, *tulips])
    person = Person(memory)
    person.says(roses[1], TRACE, f"tr-{tulips[0].call_id}")
    assert {trace_of(memory, call) for call in (*roses[1:3], *tulips)} == {f"tr-{tulips[0].call_id}"}
    assert edges(memory, roses[1]) == set()
    memory.link(early)
    Person(memory).says(tulips[0], OPENED_BY, early)
    assert {trace_of(memory, call) for call in (*roses[1:3], *tulips, early)} == {"s-1"}
    assert trace_of(memory, roses[0]) == f"tr-{roses[0].call_id}"


def test_a_shared_session_does_not_hold_what_a_person_takes_out(world: World) -> None:
    lead, roses = family(world, "roses")
    calls = [lead.turn("One.", "1"), *roses]
    talk = world.talk("Other.", connection="o", headers=SESSION)
    same = world.talk("Another.", connection="p", headers=SESSION)
    out = [talk.turn("Do the whole thing.", [use("q", "Task", prompt="Weed the long bed by the wall.")])]
    child = world.talk("Child.", connection="q", headers=SESSION)
    out.append(child.turn("Weed the long bed by the wall.", "The long bed by the wall is weeded."))
    stays = same.turn("Something else altogether.", "Yes.")
    memory = linked(world.calls)
    assert {trace_of(memory, call) for call in (*out, stays)} == {"s-1"}
    person = Person(memory)
    decision = person.says(out[0], TRACE, trace_of(memory, calls[0]))
    assert {trace_of(memory, call) for call in out} == {trace_of(memory, calls[0])}
    assert trace_of(memory, stays) == "s-1"
    late = same.turn("And more.", "Yes.")
    memory.link(late)
    assert {trace_of(memory, call) for call in (stays, late)} == {"s-1"}
    person.takes_back(decision)
    assert {trace_of(memory, call) for call in (*out, stays, late)} == {"s-1"}


def test_an_id_that_the_app_gave_yields_to_a_person_and_so_do_the_threads_below(world: World) -> None:
    given = Hints(trace="theirs")
    lead, roses = family(world, "roses", given)
    _, tulips = family(world, "tulips")
    memory = linked(world.calls)
    assert {trace_of(memory, call) for call in roses} == {"theirs"}
    person = Person(memory)
    decision = person.says(roses[0], TRACE, trace_of(memory, tulips[0]))
    assert {trace_of(memory, call) for call in roses} == {trace_of(memory, tulips[0])}
    more = lead.turn("Go on.", [use("m", "Task", prompt="Paint the green gate, both sides of it.")])
    memory.link(more)
    below = world.talk("You paint.", connection="z", hints=given).turn("Paint the green gate, both sides of it.", "Painted.")
    memory.link(below)
    assert {trace_of(memory, call) for call in (more, below)} == {trace_of(memory, tulips[0])}
    person.takes_back(decision)
    assert {trace_of(memory, call) for call in (*roses, more, below)} == {"theirs"}


@pytest.mark.parametrize(("at", "source", "edge_type"), [(1, 0, "delegation"), (3, 0, "request"), (3, 2, "response")])
def test_a_wrong_edge_is_cut_and_nothing_takes_its_place(world: World, at: int, source: int, edge_type: str) -> None:
    _, roses = family(world, "roses")
    memory = linked(world.calls)
    before = stands(memory)
    there = {(one, kind) for one, kind, _ in edges(memory, roses[at])}
    assert (roses[source].call_id, edge_type) in there
    person = Person(memory)
    decision = person.says(roses[at], CUT, roses[source], edge_type)
    assert {(one, kind) for one, kind, _ in edges(memory, roses[at])} == there - {(roses[source].call_id, edge_type)}
    person.takes_back(decision)
    assert stands(memory) == before


def test_the_last_word_on_where_a_call_stands_holds(world: World) -> None:
    _, roses = family(world, "roses")
    _, tulips = family(world, "tulips")
    memory = linked(world.calls)
    before = stands(memory)
    person = Person(memory)
    person.says(tulips[1], OPENED_BY, roses[0])
    last = person.says(tulips[1], APART)
    assert person.of(tulips[1].call_id) == [last]
    assert trace_of(memory, tulips[1]) == f"tr-{tulips[1].call_id}"
    last = person.says(tulips[1], TRACE, trace_of(memory, roses[0]))
    assert trace_of(memory, tulips[1]) == trace_of(memory, roses[0])
    last = person.says(tulips[1], TRACE, trace_of(memory, tulips[0]))
    assert trace_of(memory, tulips[1]) == trace_of(memory, tulips[0]) != trace_of(memory, roses[0])
    person.takes_back(last)
    assert stands(memory) == before


def test_what_cannot_be_is_refused_in_words(world: World) -> None:
    _, roses = family(world, "roses")
    _, tulips = family(world, "tulips")
    person = Person(linked(world.calls))
    before = stands(person.memory)
    refused = [
        ((roses[0], OPENED_BY, roses[0]), UsageError, "cannot open itself"),
        ((roses[0], OPENED_BY, roses[1]), UsageError, "own descendant"),
        ((roses[0], OPENED_BY, roses[3]), UsageError, "own descendant"),
        ((roses[1], OPENED_BY, tulips[0]), UsageError, "began after"),
        ((roses[1], OPENED_BY, "nobody"), NotFound, "no call 'nobody'"),
        (("nobody", APART), NotFound, "no call 'nobody'"),
        ((roses[1], TRACE, "nowhere"), NotFound, "no trace 'nowhere'"),
        ((roses[1], TRACE, f"tr-{roses[0].call_id}"), UsageError, "already"),
        ((roses[1], CUT, tulips[0], "delegation"), NotFound, "no edge of type 'delegation'"),
        ((roses[1], CUT, roses[0], "response"), NotFound, "no edge of type 'response'"),
    ]
    for said, error, words in refused:
        with pytest.raises(error, match=words):
            person.says(*said)  # type: ignore[arg-type]
    assert stands(person.memory) == before
    person.says(tulips[1], OPENED_BY, roses[0])
    with pytest.raises(UsageError, match="take that decision back"):
        person.says(tulips[1], CUT, roses[0], "delegation")


def test_a_call_whose_words_are_gone_is_placed_and_put_back(world: World) -> None:
    _, roses = family(world, "roses")
    _, tulips = family(world, "tulips")
    memory = linked(world.calls)
    before = stands(memory)
    memory.forget()
    person = Person(memory)
    for call, *said in ((tulips[1], OPENED_BY, roses[0]), (roses[3], APART), (roses[1], CUT, roses[0], "delegation")):
        decision = person.says(call, *said)  # type: ignore[arg-type]
        assert stands(memory) != before
        person.takes_back(decision)
        assert stands(memory) == before, said


def decided(calls: list[Call], dice: random.Random, memory: LinkMemory) -> list[Decision]:
    """A few things that may be said of these calls, found by trying."""
    person = Person(memory)
    for _ in range(60):
        call, other = dice.choice(calls), dice.choice(calls)
        kind = dice.choice([OPENED_BY, OPENED_BY, APART, CUT, TRACE])
        came = memory.rows[call.call_id].placement.edges
        edge = dice.choice(came) if came else None
        if person.of(call.call_id):
            continue
        try:
            if kind is CUT and edge:
                person.says(call, CUT, edge.from_call_id, str(edge.edge_type))
            elif kind is TRACE:
                person.says(call, TRACE, trace_of(memory, other))
            elif kind is not CUT:
                person.says(call, kind, other if kind is OPENED_BY else "")
        except UsageError:
            continue
        if len(person.decisions) == 3:
            break
    return person.decisions


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_arrival_and_of_saying_gives_the_same_graph(seed: int) -> None:
    dice = random.Random(f"by hand {seed}")
    calls = village(seed)
    in_time = sorted(calls, key=lambda call: (call.started_ns, call.call_id))
    memory = linked(in_time)
    decisions = decided(calls, dice, memory)
    wanted = stands(memory)
    fresh = LinkMemory()
    for call in in_time:
        fresh.link(call, [one for one in decisions if one.call_id == call.call_id])
    assert stands(fresh) == wanted, "linked from the first on, as relink does"
    for order in range(3):
        dice = random.Random(order)
        late = LinkMemory()
        person = Person(late, [*decisions])
        for call in in_disorder(calls, dice):
            late.link(call)
            for decision in decisions:
                if decision.call_id == call.call_id and dice.random() < 0.7:
                    person.repeats(decision)
        for decision in decisions:
            person.repeats(decision)
        assert stands(late) == wanted, f"order {order}"


def test_decisions_are_taken_back_without_a_trace() -> None:
    for seed in range(20):
        dice = random.Random(f"back {seed}")
        calls = village(seed)
        memory = linked(calls)
        before = stands(memory)
        person = Person(memory, decided(calls, dice, memory))
        for decision in dice.sample(person.decisions, len(person.decisions)):
            person.takes_back(decision)
        assert stands(memory) == before, f"seed {seed}"


def test_settle_places_a_stored_call_where_it_was_said() -> None:
    world = World(5.0)
    call = world.talk("A.").turn("Hello there.", "Hello.")
    said = Decision(call.call_id, APART, made_by="ada", made_ns=1, decision_id=1)
    assert settle(call, lambda _: (), said=[said]).placement.trace_evidence.rule == "by hand"
