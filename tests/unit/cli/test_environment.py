"""The variables and how each shell writes them."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from modular_agents.proxy.cli.environment import SHELLS, Variable, base_url, prefixed, render, replaced, variables
from modular_agents.proxy.config import Settings

URL = "http://127.0.0.1:8000"
AWKWARD = Variable("ANTHROPIC_BASE_URL", 'http://h/t/it\'s 50% $HOME \\ "x"', "")


def test_base_urls_are_written_as_each_client_wants_them() -> None:
    values = {variable.name: variable.value for variable in variables(URL, ["openai"])}
    assert values == {
        "ANTHROPIC_BASE_URL": URL,
        "OPENAI_BASE_URL": f"{URL}/v1",
        "OPENAI_API_BASE": f"{URL}/v1",
        "GOOGLE_GEMINI_BASE_URL": URL,
        "ENABLE_TOOL_SEARCH": "true",
    }


def test_more_on_request() -> None:
    values = {variable.name: variable.value for variable in variables(URL, ["openrouter"], ollama=True, token="dummy-token")}
    assert values["OPENROUTER_BASE_URL"] == f"{URL}/u/openrouter/v1"
    assert values["OLLAMA_HOST"] == URL
    assert values["ANTHROPIC_CUSTOM_HEADERS"] == "X-Anton-Token: dummy-token"


def test_names_travel_in_the_url() -> None:
    assert prefixed(URL, "nightly 42/x", "é") == f"{URL}/t/nightly%2042%2Fx/a/%C3%A9"
    assert prefixed(URL, None, None) == URL


HOSTS = {
    "127.0.0.1": URL,
    "0.0.0.0": URL,  # noqa: S104 - shown, not bound
    "::": "http://[::1]:8000",
    "::1": "http://[::1]:8000",
    "box.example": "http://box.example:8000",
}


@pytest.mark.parametrize(("host", "url"), HOSTS.items())
def test_base_url(host: str, url: str) -> None:
    assert base_url(replace(Settings(Path("x.db")), host=host)) == url


@pytest.mark.parametrize("shell", SHELLS)
def test_plain_values_look_plain(shell: str) -> None:
    line = render([Variable("A_URL", URL, "")], shell)
    assert URL in line
    assert "A_URL" in render([Variable("A_URL", URL, "")], shell, unset=True)


def test_posix_shells_read_back_what_was_written() -> None:
    for shell in ("bash", "zsh", "sh"):
        word, assignment = shlex.split(render([AWKWARD], shell))
        assert (word, assignment) == ("export", f"{AWKWARD.name}={AWKWARD.value}")


def test_other_shells_quote_their_own_way() -> None:
    assert render([AWKWARD], "fish") == "set -gx ANTHROPIC_BASE_URL 'http://h/t/it\\'s 50% $HOME \\\\ \"x\"'"
    assert render([AWKWARD], "powershell") == "$Env:ANTHROPIC_BASE_URL = 'http://h/t/it''s 50% $HOME \\ \"x\"'"
    assert "50%%" in render([AWKWARD], "cmd")


def test_json_is_json() -> None:
    assert json.loads(render([AWKWARD], "json")) == {AWKWARD.name: AWKWARD.value}
    assert json.loads(render([AWKWARD], "json", unset=True)) == {AWKWARD.name: None}


def test_a_gateway_that_is_replaced_is_noticed() -> None:
    wanted = variables(URL, [])
    assert replaced({"ENABLE_TOOL_SEARCH": "false", "ANTHROPIC_BASE_URL": URL}, wanted) == []
    assert [variable.name for variable in replaced({"OPENAI_BASE_URL": "https://gateway.example"}, wanted)] == ["OPENAI_BASE_URL"]
