"""The story as data: an orchestrator explores a repository, hands two parts to module agents that work side by side, and sums up.

Agents do not know it: they ask, get what a provider says, run the tools it asks for and ask again. The provider does not
know the agents: it tells them by their system prompt, and the turn by the answers already in the request.
"""

import json
from dataclasses import dataclass, field

CLAUDE, GPT, HAIKU = "claude-sonnet-4-5", "gpt-5-mini", "claude-haiku-4-5"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model asks for, and what running it gives. `opens`: the agent whose final words are the result instead."""

    name: str
    arguments: dict[str, str]
    result: str = ""
    is_error: bool = False
    takes_s: float = 0.4
    opens: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the model. `overloaded` times it is refused with 529 before it is given."""

    text: str = ""
    thinking: str = ""
    tools: tuple[ToolCall, ...] = ()
    overloaded: int = 0


@dataclass(frozen=True, slots=True)
class Agent:
    """Who speaks in a thread."""

    name: str
    model: str
    system: str
    tools: tuple[str, ...]
    replies: tuple[Reply, ...]
    stream: bool = True


@dataclass(frozen=True, slots=True)
class Story:
    """A task and everybody in it. The first agent gets the task; the `prelude` one is asked beside it."""

    task: str
    agents: tuple[Agent, ...]
    prelude: Agent
    by_system: dict[str, Agent] = field(default_factory=dict)

    def named(self, name: str) -> Agent:
        """Return an agent."""
        return next(agent for agent in self.agents if agent.name == name)

    def tool_call(self, agent: Agent, turn: int, number: int) -> ToolCall:
        """Return the `number`-th tool call of an agent's answer."""
        return agent.replies[turn].tools[number]


TASK = "Limit failed logins to five per minute and show the remaining attempts on the login page."
API_TASK = (
    "In src/api/login.py limit failed logins to five per account and minute. Answer 429 with Retry-After when the limit is reached, "
    "and put the remaining attempts into the JSON answer as `attempts_left`. Run the tests of the api module."
)
WEB_TASK = (
    "In web/login.html show `attempts_left` from the login answer under the password field, and disable the button while a 429's "
    "Retry-After runs."
)
LOGIN_PY = """\
from .accounts import find_account
from .web import Request, answer

def login(request: Request):
    account = find_account(request.json["name"])
    if account is None or not account.check(request.json["password"]):
        return answer(401, {"error": "wrong name or password"})
    return answer(200, {"token": account.new_token()})
"""
LOGIN_HTML = """\
<form id="login">
  <input name="name">
  <input name="password" type="password">
  <button>Log in</button>
</form>
"""
TEST_FAILURE = """\
tests/api/test_login.py::test_wrong_password PASSED
tests/api/test_login.py::test_sixth_try_is_refused PASSED
tests/api/test_login.py::test_limit_ends_after_a_minute FAILED
E   assert 429 == 401
E   the window is never emptied: old failures are counted for ever
1 failed, 2 passed in 0.41s
"""

ORCHESTRATOR = Agent(
    "orchestrator",
    CLAUDE,
    "You are the Orchestrator Agent. Explore the repository, split the task into parts that belong to one module each, delegate every "
    "part to that module's agent, check the whole with the tests, and sum up what was done.",
    ("list_files", "read_file", "delegate", "run_tests"),
    (
        Reply(
            "I will look at the repository before I split anything.",
            thinking="A login endpoint and a page. Find out where each lives and whether there are tests.",
            tools=(
                ToolCall(
                    "list_files", {"path": "."}, "README.md\nsrc/api/login.py\nsrc/api/accounts.py\nweb/login.html\ntests/api/test_login.py"
                ),
                ToolCall("read_file", {"path": "src/api/limits.py"}, "No such file: src/api/limits.py", is_error=True, takes_s=0.1),
            ),
        ),
        Reply(
            "There is no rate limit yet. The endpoint is in src/api/login.py.",
            tools=(ToolCall("read_file", {"path": "src/api/login.py"}, LOGIN_PY, takes_s=0.2),),
        ),
        Reply(
            "Two independent parts: the limit belongs to the api module, the message to the web module. Both can be done at once.",
            tools=(
                ToolCall("delegate", {"module": "api", "task": API_TASK}, opens="api"),
                ToolCall("delegate", {"module": "web", "task": WEB_TASK}, opens="web"),
            ),
        ),
        Reply(
            "Both parts are done. I run all tests together.",
            tools=(ToolCall("run_tests", {"path": "tests"}, "6 passed in 0.83s", takes_s=1.2),),
        ),
        Reply(
            "Failed logins are now limited to five per account and minute.\n\n"
            "- **api**: the sixth failure within a minute is answered 429 with Retry-After; every answer carries `attempts_left`.\n"
            "- **web**: the login page shows the remaining attempts and waits while the limit lasts.\n\n"
            "All 6 tests pass. One thing to decide: the counters live in memory, so each server process counts for itself."
        ),
    ),
)
API = Agent(
    "api",
    CLAUDE,
    'You are the specialist agent for the "api" module. Change only files below src/api and tests/api. Keep changes small and run the '
    "module's tests before you report.",
    ("read_file", "edit_file", "run_tests"),
    (
        Reply("I start with the endpoint.", tools=(ToolCall("read_file", {"path": "src/api/login.py"}, LOGIN_PY, takes_s=0.2),)),
        Reply(
            "A sliding window of failure times per account is enough.",
            thinking="A dict from account name to a list of times. Count those of the last 60 s.",
            tools=(
                ToolCall(
                    "edit_file",
                    {"path": "src/api/login.py", "change": "count failures per account; answer 429 from the sixth within a minute"},
                    "src/api/login.py: 14 lines added, 2 removed",
                ),
            ),
        ),
        Reply("Now the tests.", tools=(ToolCall("run_tests", {"path": "tests/api"}, TEST_FAILURE, is_error=True, takes_s=1.5),)),
        Reply(
            "Old failures have to leave the window. I drop those older than 60 seconds before counting.",
            tools=(
                ToolCall(
                    "edit_file",
                    {"path": "src/api/login.py", "change": "forget failures older than 60 s before counting"},
                    "src/api/login.py: 1 line added, 1 removed",
                ),
            ),
            overloaded=1,
        ),
        Reply("Again.", tools=(ToolCall("run_tests", {"path": "tests/api"}, "3 passed in 0.39s", takes_s=1.0),)),
        Reply(
            "The api module limits failed logins: the sixth failure within a minute gets 429 with Retry-After, and every answer carries "
            "`attempts_left`. 3 tests pass."
        ),
    ),
)
WEB = Agent(
    "web",
    GPT,
    'You are the specialist agent for the "web" module. Change only files below web. Plain HTML and JavaScript, no framework.',
    ("read_file", "edit_file"),
    (
        Reply(
            "Let me see the page.",
            tools=(
                ToolCall(
                    "read_file",
                    {"path": "web/login.html"},
                    LOGIN_HTML,
                    takes_s=0.2,
                ),
            ),
        ),
        Reply(
            "I add a line below the password field and a countdown on the button.",
            tools=(
                ToolCall(
                    "edit_file",
                    {"path": "web/login.html", "change": "show attempts_left under the password; disable the button during Retry-After"},
                    "web/login.html: 19 lines added, 1 removed",
                    takes_s=0.6,
                ),
            ),
        ),
        Reply("The login page shows the remaining attempts and keeps the button disabled while a 429's Retry-After runs."),
    ),
)
TITLE = Agent(
    "title",
    HAIKU,
    "Write a title of at most six words for the task. Answer with the title only.",
    (),
    (Reply("Limit failed logins"),),
    stream=False,
)

STORY = Story(TASK, (ORCHESTRATOR, API, WEB), TITLE, {agent.system: agent for agent in (ORCHESTRATOR, API, WEB, TITLE)})

_ABOUT = {
    "list_files": ("List the files below a folder.", ("path",)),
    "read_file": ("Return the text of a file.", ("path",)),
    "edit_file": ("Change a file as described.", ("path", "change")),
    "run_tests": ("Run the tests below a folder.", ("path",)),
    "delegate": ("Hand a part of the task to the agent of a module and wait for its report.", ("module", "task")),
}


def tool_schema(name: str) -> tuple[str, dict[str, object]]:
    """Return a tool's description and the JSON Schema of its arguments."""
    about, arguments = _ABOUT[name]
    properties = {argument: {"type": "string"} for argument in arguments}
    return about, {"type": "object", "properties": properties, "required": list(arguments)}


def arguments_text(call: ToolCall) -> str:
    """Return a tool call's arguments as the model writes them."""
    return json.dumps(call.arguments)
