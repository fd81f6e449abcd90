"""Programs of several agents, as people write them. Each gets an `App` and may ask for more; what it does is its answer key.

The words differ from program to program, so that all of them can run through one proxy at once; where two runs say the
same words, that is the point of the program.
"""

import json
import threading

from tests.linking.apps import Agent, Answer, App, Use
from tests.linking.hard_programs import HARD_PROGRAMS
from tests.linking.teamwork import Program, call, delegate, doing, finish, reply, shell, together


def sequential(app: App) -> None:
    """A lead gives two tasks, one after the other, in two turns."""
    lead = app.task("t").agent("lead", "You are the Orchestrator Agent. You delegate.")
    first = lead.say(
        "Bring the invoice service into shape.", reply("First the tests.", tools=[call("Write tests for the invoice service.")])
    )
    done = delegate(
        lead,
        first,
        doing(reply(tools=[shell("pytest invoices")]), reply("Four tests of invoices are written.")),
    )
    then = lead.give(
        {use: answer.text for use, answer in done.items()},
        reply("Now the documents.", tools=[call("Write documents for the invoice service.")]),
        brings=[answer.key for answer in done.values()],
    )
    done = delegate(
        lead,
        then,
        doing(reply(tools=[shell("cat README")]), reply("The documents of invoices are two pages.")),
        name="writer",
    )
    finish(lead, done, "The invoice service is in shape.")


def parallel(app: App) -> None:
    """A lead gives three tasks at once; they run at the same time, in prompts that wrap the task."""
    lead = app.task("t").agent("lead", "You are the Orchestrator Agent. You delegate in parallel.")
    modules = ("parser", "lexer", "printer")
    first = lead.say(
        "Review all modules of the compiler.", reply("Three reviews.", tools=[call(f"Review the {m} of the compiler") for m in modules])
    )

    def work(worker: Agent, use: Use) -> Answer:
        words = f"You get one task.\n\nTask: {use.input['prompt']}\n\nAnswer in one line."
        return worker.run(
            words,
            reply(tools=[shell("git log")], wait_ms=30),
            reply(f"Result of {use.input['prompt']}: nothing to complain about.", wait_ms=20),
        )

    finish(lead, delegate(lead, first, work, parallel=True), "All modules are reviewed.")


def nested(app: App) -> None:
    """Three levels deep: lead, sub-lead, worker; and results go back up."""
    lead = app.task("t").agent("lead", "You are the Architect Agent.")
    top = lead.say("Move the shop to the new database.", reply(tools=[call("Move the order tables to the new database and check them.")]))

    def middle(sub: Agent, use: Use) -> Answer:
        given = sub.say(use.input["prompt"], reply(tools=[call("Copy the order rows in batches of a thousand.")]))

        def bottom(worker: Agent, inner: Use) -> Answer:
            asked = worker.say(inner.input["prompt"], reply(tools=[call("Check the sums of the copied order rows.")]))
            checked = delegate(worker, asked, doing(reply("The sums of all order rows agree.")), name="checker")
            return finish(worker, checked, "Copied nine batches; sums agree.")

        return finish(sub, delegate(sub, given, bottom, name="copier"), "The order tables have moved.")

    finish(lead, delegate(lead, top, middle, name="sublead"), "The shop has moved.")


def identical(app: App) -> None:
    """The same prompt three times in parallel, from one answer."""
    lead = app.task("t").agent("lead", "You are the Voting Agent.")
    first = lead.say(
        "Ask three experts about the name of the product.", reply(tools=[call("Suggest one good name for a coffee machine.")] * 3)
    )
    names = iter(("Brewster it shall be.", "Call it Mokka Prima.", "I suggest Caffè Uno."))
    lock = threading.Lock()

    def work(worker: Agent, use: Use) -> Answer:
        with lock:
            name = next(names)
        return worker.run(use.input["prompt"], reply(name, wait_ms=30))

    finish(lead, delegate(lead, first, work, parallel=True), "Mokka Prima wins.")


def retries(app: App) -> None:
    """Overloaded providers: the SDK tries again, in the lead and in a worker."""
    lead = app.task("t").agent("lead", "You are the Patient Agent.")
    first = lead.say(
        "Translate the handbook of the pump.",
        reply(tools=[call("Translate chapter one of the pump's handbook.")], fail=(529, 529), retry_after="0.01"),
    )
    work = doing(
        reply(tools=[shell("ls chapters")]),
        reply("Chapter one of the handbook is translated.", fail=(529,), retry_after="0.01"),
    )
    finish(lead, delegate(lead, first, work), "The handbook is translated.")


def compaction(app: App) -> None:
    """The history grows too long: the agent has it summarised and goes on from the summary."""
    agent = app.task("t").agent("lead", "You are the Endurance Agent.")
    agent.run(
        "Port the game engine to the new console.",
        *(reply(f"Step {n} of the port.", tools=[shell(f"make step{n}")]) for n in range(1, 4)),
        reply("The first half of the port is done."),
    )
    summary = agent.say(
        "Write a detailed summary of the conversation so far, so that another session can continue the work.",
        reply("Summary: the engine compiles on the new console up to step 3; the sound module is missing."),
    )
    if hasattr(agent, "previous"):
        agent.previous = None
    agent.history = []
    agent.run(
        f"This session is being continued from a previous conversation. The summary:\n{summary.text}\nPlease go on.",
        reply("I go on with sound.", tools=[shell("make sound")]),
        reply("The port is complete, sound included."),
    )


def model_switch(app: App) -> None:
    """Another model takes over in the middle of a thread."""
    agent = app.task("t").agent("lead", "You are the Economical Agent.")
    agent.run("Sort the photographs by year.", reply("I look first.", tools=[shell("ls photos")]), reply("They are by month now."))
    agent.model = {"anthropic": "claude-opus-4-8", "chat": "gpt-5.1", "responses": "gpt-5.1", "gemini": "gemini-3-pro"}[app.dialect]
    agent.run("By year, please.", reply("Again.", tools=[shell("mv photos years")]), reply("Sorted by year at last."))


def interleaved(app: App) -> None:
    """Two tasks in one process over one client, each with its own agents."""

    def one(number: int) -> None:
        town = ("Lisbon", "Oslo")[number]
        lead = app.task(f"t{number}").agent("lead", "You are the Travel Agent.")
        first = lead.say(f"Plan a weekend in {town}.", reply(tools=[call(f"Find a hotel in {town} near the harbour.")], wait_ms=20))
        done = delegate(
            lead,
            first,
            doing(
                reply(tools=[shell(f"search {town}")], wait_ms=20),
                reply(f"The Harbour Inn of {town} has a room.", wait_ms=20),
            ),
        )
        finish(lead, done, f"Two nights at the Harbour Inn of {town}.")

    together(lambda: one(0), lambda: one(1))


def processes(app: App) -> None:
    """The same program twice at once, word for word, from two processes."""

    def one(number: int) -> None:
        with App(app.url, app.dialect, app.mode, app.key, app.name) as mine:
            lead = mine.task(f"t{number}").agent("lead", "You are the Weather Agent.")
            first = lead.say("Report the weather of the coast.", reply(tools=[call("Read the barometer of the lighthouse.")], wait_ms=30))
            work = doing(reply(tools=[shell("barometer")], wait_ms=30), reply(f"It stands at {1010 + number} and falls.", wait_ms=30))
            finish(lead, delegate(lead, first, work), f"Expect rain; the glass shows {1010 + number}.")

    together(lambda: one(0), lambda: one(1))


def text_results(app: App) -> None:
    """No native tools: the model writes JSON, the program answers with user text."""
    lead = app.task("t").agent("lead", "You are the Module Agent. Call tools by writing JSON.", tools=0)
    first = lead.say(
        "Explain the cache module.",
        reply('I ask around. {"tool": "ask_agent", "input": {"question": "How does the cache module expire entries?"}}'),
    )
    helper = lead.task.agent("helper", 'You are a specialist agent for the "cache" module.', opened_by=first.key, parent=lead, tools=0)
    told = helper.say("Question: How does the cache module expire entries?", reply('{"tool": "read_file", "input": {"path": "cache.py"}}'))
    assert told.text
    final = helper.say("Tool result from read_file: def expire(): sweep()", reply("Entries of the cache expire by a sweep every minute."))
    lead.say(f"Tool result from ask_agent: {final.text}", reply("The cache sweeps every minute."), brings=[final.key])


def planner(app: App) -> None:
    """A planner's JSON becomes the workers' prompts; a fresh conversation sums up what they found."""
    task = app.task("t")
    lead = task.agent("planner", "You are the Planner Agent. Answer in JSON.", tools=0)
    jobs = (
        "Measure the latency of the search endpoint.",
        "Measure the memory of the search endpoint.",
        "Measure the error rate of the search endpoint.",
    )
    plan = lead.say(
        "Find out why search is slow.",
        reply(
            "```json\n"
            + json.dumps({"goal": "speed", "subtasks": [{"name": f"w{n}", "task": job} for n, job in enumerate(jobs)]}, indent=1)
            + "\n```"
        ),
    )
    found: dict[int, Answer] = {}

    def work(number: int) -> None:
        worker = task.agent(f"w{number}", "You are a measuring agent.", opened_by=plan.key, parent=lead)
        prompt = f"Goal: speed\nYour task: {jobs[number]}\nReport one figure."
        found[number] = worker.run(
            prompt,
            reply(tools=[shell(f"measure {number}")], wait_ms=20),
            reply(f"Figure {number}: it is {17 * (number + 1)} units, which is too much."),
        )

    together(*(lambda number=number: work(number) for number in range(len(jobs))))
    summing = task.agent("summary", "You are the Summary Agent.", tools=0)
    results = "\n".join(f"- {found[number].text}" for number in range(len(jobs)))
    summing.say(
        f"Sum up what the measuring agents found:\n{results}",
        reply("Search is slow for three reasons."),
        brings=[found[n].key for n in range(len(jobs))],
    )


PROGRAMS: tuple[Program, ...] = (
    sequential,
    parallel,
    nested,
    identical,
    retries,
    compaction,
    model_switch,
    interleaved,
    processes,
    text_results,
    planner,
    *HARD_PROGRAMS,
)
