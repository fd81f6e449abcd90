"""The variables that send an app's model calls through the proxy, and how each shell sets them."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from modular_agents.proxy.config import Settings

SHELLS = ("bash", "zsh", "sh", "fish", "powershell", "cmd", "dotenv", "json")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and who reads it."""

    name: str
    value: str
    about: str
    is_base_url: bool = True


def base_url(settings: Settings) -> str:
    """Return where clients on this machine reach a proxy with these settings."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - shown, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def prefixed(url: str, trace: str | None, agent: str | None) -> str:
    """Return a base URL that also says which trace and agent its calls belong to."""
    said = "".join(f"/{mark}/{quote(value, safe='')}" for mark, value in (("t", trace), ("a", agent)) if value)
    return url + said


def variables(url: str, upstreams: Sequence[str], *, ollama: bool = False, token: str | None = None) -> list[Variable]:
    """Return the variables that point clients at `url`. Only those that mean nothing to other programs are set unasked."""
    found = [
        Variable("ANTHROPIC_BASE_URL", url, "Anthropic SDKs, Claude Code"),
        Variable("OPENAI_BASE_URL", f"{url}/v1", "OpenAI SDKs, and whatever speaks like them"),
        Variable("OPENAI_API_BASE", f"{url}/v1", "older OpenAI SDKs"),
        Variable("GOOGLE_GEMINI_BASE_URL", url, "Gemini CLI, google-genai"),
    ]
    if "openrouter" in upstreams:
        found.append(Variable("OPENROUTER_BASE_URL", f"{url}/u/openrouter/v1", "OpenRouter clients"))
    if ollama:
        found.append(Variable("OLLAMA_HOST", url, "Ollama clients; `ollama serve` reads it too, so do not start the server with it"))
    found.append(
        Variable("ENABLE_TOOL_SEARCH", "true", "Claude Code switches tool search off behind any base URL; this keeps it", is_base_url=False)
    )
    if token:
        found.append(Variable("ANTHROPIC_CUSTOM_HEADERS", f"X-Anton-Token: {token}", "lets Claude Code in", is_base_url=False))
    return found


def replaced(environment: Mapping[str, str], wanted: Sequence[Variable]) -> list[Variable]:
    """Return the base URLs in `wanted` that take the place of another one somebody had set: a gateway of theirs, perhaps."""
    return [variable for variable in wanted if variable.is_base_url and environment.get(variable.name, variable.value) != variable.value]


def render(wanted: Sequence[Variable], shell: str, *, unset: bool = False) -> str:
    """Return the lines that set (or unset) the variables in a shell."""
    if shell == "json":
        import json

        return json.dumps({variable.name: None if unset else variable.value for variable in wanted}, indent=2)
    return "\n".join(_line(variable, shell, unset=unset) for variable in wanted)


def _line(variable: Variable, shell: str, *, unset: bool) -> str:
    name, value = variable.name, variable.value
    match shell:
        case "fish":
            return f"set -e {name}" if unset else f"set -gx {name} {_single_quoted(value, chr(92))}"
        case "powershell":
            return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" if unset else f"$Env:{name} = {_single_quoted(value, chr(39))}"
        case "cmd":
            return f'set "{name}="' if unset else f'set "{name}={value.replace("%", "%%")}"'
        case "dotenv":
            return f"{name}=" if unset else f"{name}={_single_quoted(value, chr(92))}"
        case _:
            return f"unset {name}" if unset else f"export {name}={shlex.quote(value)}"


def _single_quoted(text: str, escape: str) -> str:
    """Return text in single quotes; `escape` is what a shell wants before a quote inside (fish a backslash, PowerShell a second quote)."""
    if all(letter.isalnum() or letter in ":/.-_%" for letter in text):
        return f"'{text}'" if escape == "'" else text
    if escape == "\\":
        text = text.replace("\\", "\\\\")
    return "'" + text.replace("'", f"{escape}'") + "'"
