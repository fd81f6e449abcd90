"""`anton proxy show` says which process made a call, where that is known."""

from dataclasses import replace

from tests.support.fake_reader import detail

from modular_agents.proxy.cli.show import facts
from modular_agents.proxy.model.query import CallerView


def test_the_process_stands_among_the_facts() -> None:
    caller = CallerView(4711, "2026-11-22T09:29:00.000000Z", "/usr/bin/python3", "python agent.py", "/srv/project")
    told = dict(facts(replace(detail(), caller=caller)))
    assert told["process"] == "4711, running since 2026-11-22T09:29:00.000000Z"
    assert (told["command"], told["folder"]) == ("python agent.py", "/srv/project")


def test_what_is_not_known_is_not_said() -> None:
    told = dict(facts(replace(detail(), caller=CallerView(4711, None, "/usr/bin/node", "", ""))))
    assert (told["process"], told["command"], "folder" in told) == ("4711", "/usr/bin/node", False)
    assert "process" not in dict(facts(detail()))
