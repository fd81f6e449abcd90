"""docs/cli.md and docs/api.md know every command, flag, setting, variable, route, parameter and message; and nothing that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from modular_agents.cli import anton
from modular_agents.proxy.cli.settings import OPTIONS
from modular_agents.proxy.dashboard.api import ENDPOINTS
from modular_agents.proxy.dashboard.shapes import LiveEvent, LiveMessage

DOCS = Path(__file__).resolve().parents[3] / "docs"
CLI, API = (DOCS / "cli.md").read_text(), (DOCS / "api.md").read_text()
SECTIONS = dict(re.findall(r"^### (anton[\w ]*)\n(.*?)(?=^##)", CLI, re.MULTILINE | re.DOTALL))


def commands() -> Iterator[tuple[str, typer.core.TyperCommand | typer.core.TyperGroup]]:
    waiting = [("anton", typer.main.get_command(anton))]
    while waiting:
        name, command = waiting.pop()
        yield name, command
        waiting += [(f"{name} {verb}", inner) for verb, inner in getattr(command, "commands", {}).items()]


COMMANDS = dict(commands())


def flags(name: str) -> set[str]:
    options = [parameter for parameter in COMMANDS[name].params if parameter.param_type_name == "option"]
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)} - {"--help", "-h"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_flag_is_documented(name: str) -> None:
    written = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(re.findall(r"`([^`]*)`", SECTIONS[name]))))
    assert flags(name) - written == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_other_flag_is_documented(name: str) -> None:
    rows = [line for line in SECTIONS[name].splitlines() if line.startswith("| `-")]
    written = {flag for row in rows for flag in re.findall(r"(?<![\w-])--?[a-z][\w-]*", row.split("|")[1])}
    assert written - flags(name) == set()


def test_no_other_command_is_documented() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_in_examples_that_exist(name: str) -> None:
    epilog = COMMANDS[name].epilog or ""
    assert "anton " in epilog
    for line in re.findall(r"^  (?:\S+ )?anton ([^#|\n]*)", epilog, re.MULTILINE):
        words = line.split()
        named = "anton " + (" ".join(words[:2]) if words[0] == "proxy" else words[0])
        assert named in COMMANDS, line


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_setting_is_documented(option: object) -> None:
    assert f"| `{option.name}` | `{option.variable}` |" in CLI  # type: ignore[attr-defined]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_every_route_is_documented_with_its_answer(endpoint: object) -> None:
    row = re.search(rf"^\| `{endpoint.method} {re.escape(endpoint.path)}` \| (.*) \|$", API, re.MULTILINE)  # type: ignore[attr-defined]
    assert row is not None
    assert endpoint.answer is None or f"`{endpoint.answer.__name__}`" in row[1]  # type: ignore[attr-defined]
    for parameter in endpoint.parameters:  # type: ignore[attr-defined]
        assert f"`{parameter.name}`" in API


def test_no_other_route_is_documented() -> None:
    written = set(re.findall(r"^\| `([A-Z]+ /[^`]*)`", API, re.MULTILINE))
    assert written == {f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS} | {"GET /api/openapi.json", "GET /ws"}


def test_every_field_that_is_sent_is_documented() -> None:
    for endpoint in (endpoint for endpoint in ENDPOINTS if endpoint.body):
        assert all(f"`{name}`" in API for name in endpoint.body.__annotations__)


def test_every_message_and_event_is_documented() -> None:
    types = {shape.__annotations__["type"].__args__[0] for shape in LiveMessage.__args__}
    kinds = {shape.__annotations__["kind"].__args__[0] for shape in LiveEvent.__args__}
    assert all(f'"type": "{kind}"' in API for kind in types)
    assert all(f"| `{kind}` |" in API for kind in kinds)
