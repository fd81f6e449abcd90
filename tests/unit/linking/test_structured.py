"""A tool that had to be used is an answer in a form: it comes back to whoever asked, and asks for nothing itself."""

import json

import pytest
from tests.linking.runs import linked
from tests.support.talks import World, result, use

from modular_agents.proxy.linking.offers import forced_tool

BOAT = {"title": "Seagull of the North", "length_m": 9.4}


@pytest.mark.parametrize(
    ("params", "tool"),
    [
        ({"tool_choice": {"type": "tool", "name": "Boat"}}, "Boat"),
        ({"tool_choice": {"type": "function", "function": {"name": "Boat"}}}, "Boat"),
        ({"tool_choice": {"type": "function", "name": "Boat"}}, "Boat"),
        ({"toolConfig": {"toolChoice": {"tool": {"name": "Boat"}}}}, "Boat"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["Boat"]}}}, "Boat"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["Boat", "Ship"]}}}, ""),
        ({"tool_choice": "required"}, ""),
        ({"tool_choice": {"type": "any"}}, ""),
        ({"tool_choice": {"type": "tool", "name": 7}}, ""),
        ({"tool_choice": [1]}, ""),
        ({"temperature": 1}, ""),
    ],
)
def test_the_tool_that_had_to_be_used(params: object, tool: str) -> None:
    assert forced_tool(json.dumps(params, separators=(",", ":")).encode()) == tool


def test_broken_parameters_force_nothing() -> None:
    assert forced_tool(b'{"tool_choice": {"name": \xff') == ""


@pytest.mark.parametrize("is_forced", [True, False])
@pytest.mark.parametrize(("given", "back"), [(BOAT, BOAT), ({"response": "Seagull of the North, nine metres"}, None)])
def test_who_asked_for_structured_output_is_known_by_where_it_went(is_forced: bool, given: dict[str, object], back: object) -> None:
    world = World(100.0)
    clerk = world.talk("You keep the register.")
    asked = clerk.turn("Enter the form.", [use("t1", "read_form", page=1)])
    form = world.talk("")
    params = json.dumps({"tool_choice": {"type": "tool", "name": "Boat"}}).encode() if is_forced else b"{}"
    said = form.turn("Extract the boat from the scan.", [use("b1", "Boat", **given)], params=params)
    text = json.dumps(back) if back else str(given["response"])
    brought = clerk.turn(result("t1", text), "It is entered.")
    rows = linked(world.calls).rows
    edges = [(edge.from_call_id, str(edge.edge_type), edge.evidence.rule) for edge in rows[said.call_id].placement.edges]
    assert edges == ([(asked.call_id, "delegation", "return")] if is_forced else [])
    came = {(edge.from_call_id, str(edge.edge_type)) for edge in rows[brought.call_id].placement.edges}
    assert ((said.call_id, "response") in came) == is_forced
