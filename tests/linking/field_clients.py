"""Coding agents in the field: Claude Code, Codex, Gemini CLI, OpenCode. Spelled after captures (tests/corpus) and their sources.

Held out: written from how these clients speak, before looking at how linking would treat them.
"""
# ruff: noqa: E501 - prompts stand here as they are sent

import json
from typing import Any

from tests.linking.apps import Answer, Use
from tests.linking.teamwork import reply, together
from tests.linking.voices import Gemini, House, Job, Messages, Responses, Voice

Said = tuple[dict[str, str], dict[str, Any]]

REMINDER = (
    "<system-reminder>\nAs you answer the user's questions, you can use the following context:\n# currentDate\nToday's date is "
    "2026-11-22.\n\n      IMPORTANT: this context may or may not be relevant to your tasks. You should not respond to this context "
    "unless it is highly relevant to your task.\n</system-reminder>\n"
)
CLAUDE = (
    "x-anthropic-billing-header: cc_version=2.1.197.330; cc_entrypoint=sdk-cli;\n\n---\n\n"
    "You are a Claude agent, built on Anthropic's Claude Agent SDK.\n\n---\n\n"
    "You are an interactive agent that helps users with software engineering tasks.\n\n"
    "IMPORTANT: Assist with authorized security testing. # Tone\nBe concise. Working directory: ~/shop"
)
CLAUDE_SUB = (
    "x-anthropic-billing-header: cc_version=2.1.197.330; cc_entrypoint=sdk-cli;\n\n---\n\n"
    "You are a Claude agent, built on Anthropic's Claude Agent SDK.\n\n---\n\n"
    "You are a file search specialist. You excel at thoroughly navigating and exploring codebases.\n\n"
    "Complete the user's search request efficiently and report your findings clearly. Working directory: ~/shop"
)
CLAUDE_TOOLS = ("Agent", "Bash", "Read", "Edit", "Write", "TaskOutput", "SendMessage")


def claude_native(voice: Voice) -> Said:
    headers = {"x-claude-code-session-id": voice.job.session, "x-app": "cli", "x-stainless-retry-count": "0"}
    if voice.parent is not None:
        headers["x-claude-code-agent-id"] = voice.id
        if voice.parent.parent is not None:
            headers["x-claude-code-parent-agent-id"] = voice.parent.id
    return headers, {"metadata": {"user_id": json.dumps({"device_id": "e14", "account_uuid": "", "session_id": voice.job.session})}}


class Claude(Messages):
    """Reminders stand before a prompt; the last block carries a cache mark, which moves from turn to turn."""

    def user(self, text: str) -> Any:  # noqa: ANN401 - as above
        blocks = [{"type": "text", "text": REMINDER}] if not self.history else []
        return {"role": "user", "content": [*blocks, {"type": "text", "text": text}]}

    def body(self) -> dict[str, Any]:
        whole = super().body()
        last = whole["messages"][-1]
        if isinstance(last["content"], list):
            marked = [*last["content"][:-1], last["content"][-1] | {"cache_control": {"type": "ephemeral"}}]
            whole["messages"] = [*whole["messages"][:-1], last | {"content": marked}]
        return whole


def claude_main(job: Job) -> Claude:
    return Claude(job, "main", CLAUDE, native=claude_native, tools=CLAUDE_TOOLS, model="claude-opus-4-8")


def claude_sub(parent: Voice, name: str, opened_by: str) -> Claude:
    return Claude(
        parent.job, name, CLAUDE_SUB, opened_by, parent, claude_native, tools=("Bash", "Read", "Agent"), model="claude-haiku-4-5-20251001"
    )


def came_from(voice: Voice, text: str) -> str:
    """A sub-agent's report as the Agent tool gives it."""
    return f"{text}\nagentId: {voice.id} (use SendMessage with to: '{voice.id}' to continue this agent)\n<usage>total_tokens: 5123\ntool_uses: 2\nduration_ms: 8123</usage>"


def claude_title(job: Job, text: str) -> None:
    """The helper that names the session, asked beside the first turn."""
    system = (
        "x-anthropic-billing-header: cc_version=2.1.197.330; cc_entrypoint=sdk-cli;\n\n---\n\n"
        "Generate a concise, sentence-case title (3-7 words) that captures the main topic or goal of this coding session. "
        'Return JSON with a single "title" field.'
    )
    helper = Claude(job, "title", system, native=claude_native, tools=(), model="claude-haiku-4-5-20251001")
    helper.history = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    helper.ask(reply('{"title": "Shop checkout"}'))


def claude_agents(house: House) -> None:
    """Two sub-agents at once, one of which opens another."""
    job = house.task()
    wish = "The checkout of the shop rounds wrong. Find where prices are rounded and fix it."
    claude_title(job, wish)
    main = claude_main(job)
    prompts = (
        "Search the repository for every place where a price is rounded. Report file, line and the rounding mode.",
        "Read the tests of the checkout and list which cases of rounding they cover. Do not change anything.",
    )
    tools = [
        {"name": "Agent", "input": {"description": "Find rounding", "prompt": prompts[0], "subagent_type": "Explore"}},
        {"name": "Agent", "input": {"description": "Read tests", "prompt": prompts[1], "subagent_type": "general-purpose"}},
    ]
    first = main.ask(reply("I look from two sides.", tools=tools, wait_ms=20), said=wish)
    subs = [claude_sub(main, f"sub{n}", first.key) for n in (1, 2)]
    done: dict[int, Answer] = {}

    def explore() -> None:
        done[0] = subs[0].work(
            prompts[0],
            reply(tools=[{"name": "Bash", "input": {"command": "grep -rn round src", "description": "Search rounding"}}], wait_ms=20),
            reply("Prices are rounded in two places:\n- src/cart.py:41 half-even\n- src/tax.py:17 floor", wait_ms=20),
        )

    def read() -> None:
        deep = "List the fixtures in tests/checkout/conftest.py that make prices, with their values."
        asked = subs[1].ask(
            reply(tools=[{"name": "Agent", "input": {"description": "List fixtures", "prompt": deep, "subagent_type": "Explore"}}]),
            said=prompts[1],
        )
        below = claude_sub(subs[1], "sub2.1", asked.key)
        found = below.work(
            deep,
            reply(tools=[{"name": "Read", "input": {"file_path": "~/shop/tests/checkout/conftest.py"}}]),
            reply("There is one fixture, price_of_tea, which is 3.335."),
        )
        done[1] = subs[1].give(
            {asked.uses[0]: came_from(below, found.text)}, reply("The tests cover half-even only, by price_of_tea."), brings=[found.key]
        )

    together(explore, read)
    results = {use: came_from(subs[n], done[n].text) for n, use in enumerate(first.uses)}
    edit = {"name": "Edit", "input": {"file_path": "~/shop/src/tax.py", "old_string": "floor(x)", "new_string": "half_even(x)"}}
    fixed = main.give(results, reply("Tax floors where the cart does not.", tools=[edit]), brings=[done[0].key, done[1].key])
    main.give({fixed.uses[0]: "The file ~/shop/src/tax.py has been updated."}, reply("Fixed: tax now rounds as the cart does."))


def claude_background(house: House) -> None:
    """A sub-agent in the background: its tool use is answered at once, its report comes as a notification."""
    job = house.task()
    main = claude_main(job)
    back = "Run the whole test suite and report only what fails, with the first line of each traceback."
    launch = {
        "name": "Agent",
        "input": {"description": "Run tests", "prompt": back, "subagent_type": "general-purpose", "run_in_background": True},
    }
    second = main.ask(reply("In the background.", tools=[launch]), said="Good. Now run the tests while you write the changelog.")
    runner = claude_sub(main, "runner", second.key)
    begun = runner.ask(reply(tools=[{"name": "Bash", "input": {"command": "pytest -q", "description": "Run tests"}}]), said=back)
    third = main.give(
        {second.uses[0]: f"Async agent launched successfully.\nagentId: {runner.id} (internal ID - do not mention to user.)"},
        reply(tools=[{"name": "Write", "input": {"file_path": "~/shop/CHANGES", "content": "Rounding is one now."}}]),
    )
    ended = runner.give({begun.uses[0]: "212 passed in 9.1s"}, reply("Nothing fails: 212 tests pass."))
    main.give({third.uses[0]: "File created successfully at: ~/shop/CHANGES"}, reply("The changelog is written."))
    notice = f"<task-notification>\n<task-id>{runner.id}</task-id>\n<status>completed</status>\n<result>{ended.text}</result>\n</task-notification>"
    main.ask(reply("All 212 tests pass."), said=notice, brings=[ended.key])


def claude_compacts(house: House) -> None:
    """The context is full: a summary is written, and the session goes on from the part of it that is marked as such."""
    job = house.task()
    main = claude_main(job)
    main.work(
        "Translate every page of the manual into Czech, one after the other.",
        *(reply(f"Page {n}.", tools=[{"name": "Read", "input": {"file_path": f"/manual/{n}.md"}}]) for n in range(1, 5)),
        reply("Four pages are translated."),
    )
    ask = (
        "Your task is to create a detailed summary of the conversation so far, paying close attention to the user's explicit requests and "
        "your previous actions.\nBefore providing your final summary, wrap your analysis in <analysis> tags."
    )
    summary = "1. Primary Request: the manual shall be in Czech.\n2. Done: pages 1 to 4.\n3. Pending: pages 5 to 9, in the same tone."
    wrote = main.ask(reply(f"<analysis>\nThe user wants Czech.\n</analysis>\n\n<summary>\n{summary}\n</summary>"), said=ask)
    main.history = []
    main.work(
        "This session is being continued from a previous conversation that ran out of context. The summary below covers the earlier portion "
        f"of the conversation.\n\nSummary:\n{summary}\n\nPlease continue the conversation from where we left off without asking the user any further questions.",
        reply("Page 5.", tools=[{"name": "Read", "input": {"file_path": "/manual/5.md"}}]),
        reply("Page 5 is in Czech too."),
    )
    assert wrote.key


ROOT = "/root"
"""What Codex calls its first agent."""


def codex_native(voice: Voice) -> Said:
    session, thread = voice.job.session, voice.job.session if voice.parent is None else voice.id
    turn = {
        "session_id": session,
        "thread_id": thread,
        "agent_name": ROOT if voice.parent is None else f"{ROOT}/{voice.name}",
        "request_kind": "turn",
    }
    headers = {"session-id": session, "thread-id": thread, "originator": "codex_exec"}
    if voice.parent is not None:
        above = session if voice.parent.parent is None else voice.parent.id
        turn["parent_thread_id"] = above
        headers |= {"x-codex-parent-thread-id": above, "x-openai-subagent": "collab_spawn"}
    headers["x-codex-turn-metadata"] = json.dumps(turn)
    return headers, {"prompt_cache_key": thread, "client_metadata": {"session_id": session}}


class Codex(Responses):
    """Instructions and surroundings are items before the first prompt."""

    def begin(self, cwd: str) -> None:
        told = "You are a coding agent running in the Codex CLI, a terminal-based coding assistant. Codex CLI is an open source project led by OpenAI."
        around = f"<environment_context>\n  <cwd>{cwd}</cwd>\n  <shell>bash</shell>\n  <current_date>2026-11-22</current_date>\n</environment_context>"
        self.history = [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": told}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": around}]},
        ]


def codex_team(house: House) -> None:
    """Two agents are spawned and waited for; what they report comes inside the JSON that `wait` returns."""
    job = house.task()
    tools = ("exec_command", "write_stdin", "spawn_agent", "wait", "close_agent")
    main = Codex(job, "main", native=codex_native, tools=tools, model="gpt-5-codex")
    main.begin("~/kernel")
    jobs = (
        "Explore drivers/net and describe how receive queues are set up. Do not edit files.",
        "Explore mm/ and describe where page reclaim is throttled. Do not edit files.",
    )
    spawn = [{"name": "spawn_agent", "input": {"message": text, "agent_type": "explorer"}} for text in jobs]
    first = main.ask(reply("Two explorers.", tools=spawn, wait_ms=15), said="Explain receive queues and page reclaim of this kernel to me.")
    agents = []
    for number, text in enumerate(jobs):
        agent = Codex(job, f"explorer{number}", "", first.key, main, codex_native, tools=("exec_command",), model="gpt-5-codex")
        agent.begin("~/kernel")
        agents.append((agent, text))
    found: dict[int, Answer] = {}

    def explore(number: int) -> None:
        agent, text = agents[number]
        words = (
            "Receive queues are set up in net_rx_init,\none per core.",
            "Reclaim is throttled in shrink_node,\nwhen half of the pages are dirty.",
        )[number]
        found[number] = agent.work(
            text,
            reply(tools=[{"name": "exec_command", "input": {"cmd": f"rg -n init part{number}"}}], wait_ms=15),
            reply(words, wait_ms=15),
        )

    waiting = main.give(
        {use: json.dumps({"agent_id": agents[n][0].id, "nickname": f"E{n}"}) for n, use in enumerate(first.uses)},
        reply(tools=[{"name": "wait", "input": {"ids": [agent.id for agent, _ in agents], "timeout_ms": 300000}}]),
    )
    together(lambda: explore(0), lambda: explore(1))
    told = json.dumps({"status": {agents[n][0].id: {"completed": found[n].text} for n in found}, "timed_out": False})
    main.give({waiting.uses[0]: told}, reply("Queues: net_rx_init. Reclaim: shrink_node."), brings=[found[0].key, found[1].key])


def gemini_cli(house: House) -> None:
    """The investigator gets its objective in a template, and hands its report back as the argument of its last tool use."""
    job = house.task()
    main = Gemini(
        job,
        "main",
        "You are Gemini CLI, an interactive CLI agent specializing in software engineering tasks.",
        tools=("codebase_investigator", "read_file"),
        model="gemini-3-pro",
    )
    main.history.append(
        main.user("<session_context>\nThis is the Gemini CLI. Today's date is Sunday, November 22, 2026.\n</session_context>")
    )
    objective = "Understand how the scheduler of the build farm picks a worker, and why builds of the documentation wait for hours."
    first = main.ask(
        reply(tools=[{"name": "codebase_investigator", "input": {"objective": objective}}]),
        said="Documentation builds wait for hours. Why?",
    )
    inner = Gemini(
        job,
        "investigator",
        "You are **Codebase Investigator**, a hyper-specialized AI agent and an expert in reverse-engineering complex software projects.",
        first.key,
        main,
        tools=("read_file", "glob", "complete_task"),
        model="gemini-3-flash",
    )
    asked = inner.ask(
        reply(tools=[{"name": "read_file", "input": {"file_path": "scheduler.py"}}]),
        said="Your task is to do a deep investigation of the codebase to find all relevant files, code locations, architectural mental map and "
        f"insights to solve for the following user objective:\n<objective>\n{objective}\n</objective>",
    )
    report = {
        "SummaryOfFindings": "Workers are picked by label; documentation builds have none and wait for the sweep.",
        "RelevantLocations": ["scheduler.py"],
    }
    ended = inner.give({asked.uses[0]: "def pick(job): ..."}, reply(tools=[{"name": "complete_task", "input": {"report": report}}]))
    told = f"Subagent 'codebase_investigator' Finished\nTermination Reason: GOAL\nResult:\n{json.dumps(report, indent=2)}"
    main.give({first.uses[0]: told}, reply("They have no label, so they wait for the nightly sweep."), brings=[ended.key])


def opencode_native(voice: Voice) -> Said:
    session = f"ses_{voice.job.session}" if voice.parent is None else f"ses_{voice.id}"
    headers = {"x-session-id": session, "x-session-affinity": session}
    if voice.parent is not None:
        headers["x-parent-session-id"] = f"ses_{voice.job.session}" if voice.parent.parent is None else f"ses_{voice.parent.id}"
    return headers, {}


def opencode(house: House) -> None:
    """A title first, then a task given to `explore`, which reports with metadata behind."""
    job = house.task()
    wish = "Which of our endpoints have no rate limit?"
    title = Messages(
        job, "title", "You are a title generator. You output ONLY a thread title. Nothing else.", native=opencode_native, tools=()
    )
    title.history = [
        {"role": "user", "content": [{"type": "text", "text": "Generate a title for this conversation:\n"}, {"type": "text", "text": wish}]}
    ]
    title.ask(reply("Endpoints without rate limit"))
    main = Messages(
        job,
        "build",
        "You are opencode, an interactive CLI tool that helps users with software engineering tasks.",
        native=opencode_native,
        tools=("task", "bash", "read"),
    )
    prompt = "Go through src/http and list every route with its middleware. Return a table: route, file, has a rate limit or not."
    first = main.ask(
        reply(tools=[{"name": "task", "input": {"description": "List routes", "prompt": prompt, "subagent_type": "explore"}}]), said=wish
    )
    explorer = Messages(
        job,
        "explore",
        "You are a file search specialist. You excel at thoroughly navigating codebases.",
        first.key,
        main,
        opencode_native,
        tools=("read", "grep"),
    )
    table = explorer.work(
        prompt,
        reply(tools=[{"name": "grep", "input": {"pattern": "route\\(", "path": "src/http"}}]),
        reply("| route | file | limit |\n|---|---|---|\n| /login | auth.py | yes |\n| /export | dump.py | no |"),
    )
    told = f"{table.text}\n\n<task_metadata>\nsession_id: ses_{explorer.id}\n</task_metadata>"
    main.give({first.uses[0]: told}, reply("Only /export has none."), brings=[table.key])


def background_shell(house: House) -> None:
    """A lead starts another coding agent from the shell: the prompt is quoted in a command, the report is the command's output."""
    job = house.task()
    main = claude_main(job)
    words = "Write a property test for the date parser, run it until it finds a failure, and print the smallest one."
    first = main.ask(
        reply(tools=[{"name": "Bash", "input": {"command": f'codex exec --full-auto "{words}" 2>/dev/null', "description": "Ask codex"}}]),
        said="Let another agent hunt for bugs in the date parser.",
    )
    elsewhere = Job(house, job.name)  # the other agent has a session of its own
    other = Codex(elsewhere, "codex", opened_by=first.key, native=codex_native, tools=("exec_command",), model="gpt-5-codex")
    other.begin("~/dates")
    hunted = other.work(
        words,
        reply(tools=[{"name": "exec_command", "input": {"cmd": "pytest -k dates"}}]),
        reply("Smallest failure: 29 February 1900 is accepted."),
    )
    use: Use = first.uses[0]
    main.give({use: f"{hunted.text}\n"}, reply("1900 was no leap year; I mend it."), brings=[hunted.key])


FIELD_CLIENTS = (claude_agents, claude_background, claude_compacts, codex_team, gemini_cli, opencode, background_shell)
