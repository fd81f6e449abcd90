"""Kinds and names of calls, and where helpers stand."""

import json

import pytest
from tests.support.link_memory import LinkMemory
from tests.support.talks import World, result, use

from modular_agents.proxy.model.call import Call, Part


def linked(*calls: Call) -> LinkMemory:
    memory = LinkMemory()
    for call in calls:
        memory.link(call)
    return memory


def test_a_title_helper_stands_beside_the_conversation_it_names() -> None:
    world = World()
    title = world.talk("You are a title generator. You output ONLY a thread title.", connection="c9")
    helper = title.turn("Generate a title for this conversation:\nRepair the login form", "Login form repair")
    main = world.talk("You are the Orchestrator Agent.", tools=2).turn("Repair the login form", "Done.")
    placed = {call_id: row.placement for call_id, row in linked(helper, main).rows.items()}
    assert placed[helper.call_id].kind == "title"
    assert placed[helper.call_id].agent_name == "title helper"
    assert placed[helper.call_id].trace_id == placed[main.call_id].trace_id
    assert placed[helper.call_id].thread_id != placed[main.call_id].thread_id
    assert placed[main.call_id].agent_name == "orchestrator"


def test_a_model_router_stands_beside_the_task_it_judges() -> None:
    world = World()
    router = world.talk("You are a specialized Task Routing AI. You score.").turn("Repair the login form", '{"complexity_score": 10}')
    main = world.talk("You are Gemini CLI, an autonomous CLI agent.", tools=2).turn(
        "<session_context>\nToday is Sunday.\n</session_context>\nRepair the login form", "Done."
    )
    placed = {call_id: row.placement for call_id, row in linked(router, main).rows.items()}
    assert (placed[router.call_id].kind, placed[router.call_id].agent_name) == ("router", "model router")
    assert placed[router.call_id].trace_id == placed[main.call_id].trace_id
    assert placed[main.call_id].task_description == "Repair the login form"


@pytest.mark.parametrize(("said", "task"), [('"Repair the form"', "Repair the form"), ('"a" or "b"', '"a" or "b"'), ('"', '"')])
def test_a_task_is_named_without_quotes_around_it(said: str, task: str) -> None:
    call = World().talk().turn(said, "Yes.")
    assert linked(call).rows[call.call_id].placement.task_description == task


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"operation": "count_tokens"}, "count"),
        ({"operation": "models", "messages": ()}, "list"),
        ({"operation": "embeddings"}, "embedding"),
        ({"params": json.dumps({"max_tokens": 1}).encode()}, "probe"),
        ({"operation": "files"}, "other"),
    ],
)
def test_noise_follows_its_connection(more: dict[str, object], kind: str) -> None:
    world = World()
    main = world.talk("You are the Lead Agent.").turn("Build the bridge", use("t", "Bash", command="ls"))
    noise = world.talk().turn("something else entirely", "ok", **more)
    placed = linked(main, noise).rows[noise.call_id].placement
    assert (placed.kind, placed.trace_id) == (kind, f"tr-{main.call_id}")


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("You are the Orchestrator Agent. You plan.", "orchestrator"),
        ('You are a specialist agent for the "api" module.', "api"),
        ("You're an expert code-review agent.", "expert code-review"),
        ("You are OpenCode, the best of them all. You are an interactive tool.", "opencode"),
        ("You are Gemini CLI, an autonomous CLI agent that writes software.", "gemini cli"),
        ("You are NOT allowed to guess. You are helpful, always.", None),
        ("Answer briefly.", None),
    ],
)
def test_an_agent_is_named_as_its_prompt_introduces_it(system: str, name: str | None) -> None:
    call = World().talk(system).turn("Go on with the work", "Yes.")
    assert linked(call).rows[call.call_id].placement.agent_name == name


def test_the_tool_names_its_agent() -> None:
    world = World()
    lead = world.talk("You are the Lead Agent.")
    lead.turn("Do it all", use("t1", "Task", prompt="Find every broken link in the docs", subagent_type="link-checker"))
    child = world.talk("You check things.").turn("Find every broken link in the docs", "None is broken.")
    assert linked(*world.calls).rows[child.call_id].placement.agent_name == "link-checker"


@pytest.mark.parametrize(("wire", "sent", "made_up"), [("gemini.generate", None, "invoke_1795_0"), ("anthropic.messages", "t1", "t1")])
def test_a_result_handed_in_by_a_tool_comes_back(wire: str, sent: str | None, made_up: str) -> None:
    world = World()
    lead = world.talk("You are the Lead Agent.", tools=2)
    ask = Part("tool_use", tool_id=sent, name="invoke_agent", arguments='{"prompt": "Find every broken link in the docs"}')
    lead.turn("Do it all", ask, format=wire)
    child = world.talk("You check things.", tools=2).turn(
        "Find every broken link in the docs", use("c", "complete_task", result={"response": "Three links are broken."}), format=wire
    )
    back = Part("tool_result", "Finished.\nResult:\n{}", tool_id=made_up, name="invoke_agent")
    turn = lead.turn(back, "All is done.", format=wire)
    came = [(edge.edge_type.value, edge.evidence.rule) for edge in linked(*world.calls).rows[turn.call_id].placement.edges]
    assert came == [("request", "continuation"), ("response", "tool_result")]
    assert linked(*world.calls).rows[child.call_id].placement.opener_id is not None


@pytest.mark.parametrize(
    "came",
    ['{"status":{"a1":{"completed":"Three links are broken."}}}', '<note>\n{"status":{"completed":"Three links are broken."}}\n</note>'],
)
def test_an_answer_wrapped_in_json_comes_back(came: str) -> None:
    world = World()
    lead = world.talk("You are the Lead Agent.", tools=2)
    lead.turn("Do it all", use("t1", "spawn_agent", message="Find every broken link in the docs"))
    lead.turn(result("t1", '{"agent_id":"a1"}'), use("t2", "wait_agent", targets=["a1"]), at=8)
    child = world.talk("You check.", tools=2).turn("Find every broken link in the docs", "Three links are broken.", at=2)
    turn = lead.turn(result("t2", came), "All is done.", at=20)
    edges = linked(*world.calls).rows[turn.call_id].placement.edges
    assert [(edge.from_call_id, edge.evidence.rule) for edge in edges if edge.edge_type == "response"] == [(child.call_id, "tool_result")]
