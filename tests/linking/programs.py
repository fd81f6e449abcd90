"""Programs of several agents, as people write them. Each gets an `App` and may ask for more; what it does is its answer key.

The words differ from program to program, so that all of them can run through one proxy at once; where two runs say the
same words, that is the point of the program.
"""

import json
import threading
from collections.abc import Callable, Sequence

from tests.linking.apps import Agent, Answer, App, Use
from tests.support.script import Script

Program = Callable[[App], None]


def reply(text: str = "", *, tools: Sequence[dict[str, object]] = (), wait_ms: float = 0, **more: object) -> Script:
    return Script(text=text, tools=tuple({"name": "act"} | tool for tool in tools), first_ms=wait_ms, **more)  # type: ignore[arg-type]


def call(prompt: str, **more: object) -> dict[str, object]:
    return {"name": "task", "input": {"prompt": prompt} | more}


def shell(command: str) -> dict[str, object]:
    return {"name": "bash", "input": {"command": command}}


def together(*jobs: Callable[[], None]) -> None:
    """Run jobs in threads; their failures are the program's."""
    failures: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - handed to the program's thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def delegate(
    lead: Agent, answer: Answer, work: Callable[[Agent, Use], Answer], *, name: str = "worker", parallel: bool = False
) -> dict[Use, Answer]:
    """Give every tool use of an answer to an agent of its own."""
    done: dict[Use, Answer] = {}

    def one(number: int, use: Use) -> None:
        worker = lead.task.agent(f"{lead.name.rpartition('/')[2]}.{name}{number}", f"You are a {name}.", opened_by=answer.key, parent=lead)
        done[use] = work(worker, use)

    jobs = [lambda number=number, use=use: one(number, use) for number, use in enumerate(answer.uses, 1)]
    if parallel:
        together(*jobs)
    else:
        for job in jobs:
            job()
    return {use: done[use] for use in answer.uses}


def doing(*replies: Script) -> Callable[[Agent, Use], Answer]:
    """Return what a worker does: it gets the prompt as it is and works through the scripted answers."""
    return lambda worker, use: worker.run(use.input["prompt"], *replies)


def finish(lead: Agent, done: dict[Use, Answer], text: str) -> Answer:
    return lead.give({use: answer.text for use, answer in done.items()}, reply(text), brings=[answer.key for answer in done.values()])


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


def trimmed(app: App) -> None:
    """A sliding window: old messages are dropped, later old tool results are cleared."""
    agent = app.task("t").agent("lead", "You are the Forgetful Agent.")
    agent.run(
        "Count the books in every room of the library.",
        *(reply(f"Room {n}.", tools=[shell(f"count room{n}")]) for n in range(1, 6)),
        reply("Five rooms are counted."),
    )
    if not hasattr(agent, "previous"):
        agent.history = [agent.user("(earlier messages were removed)"), *agent.history[5:]]
    agent.run("And the cellar?", reply("The cellar.", tools=[shell("count cellar")]), reply("Ninety books in the cellar."))
    agent.run("And the attic?", reply("The attic.", tools=[shell("count attic")]), reply("Twelve books in the attic."))


def map_reduce(app: App) -> None:
    """No planner: code asks three questions and one more agent reads the three answers."""
    task = app.task("t")
    parts = ("first", "second", "third")
    read = {
        part: task.agent(part, "You summarise chapters.", tools=0).say(
            f"Summarise the {part} chapter of the sea novel.", reply(f"In the {part} chapter the ship meets a storm and turns.")
        )
        for part in parts
    }
    reader = task.agent("reader", "You write blurbs.", tools=0)
    reader.say(
        "Write a blurb from these summaries:\n\n" + "\n\n".join(a.text for a in read.values()),
        reply("A ship, three storms."),
        brings=[a.key for a in read.values()],
    )


def relay_race(app: App) -> None:
    """Each agent gets the whole answer of the one before: research, draft, edit."""
    task = app.task("t")
    facts = task.agent("research", "You research.", tools=0).say(
        "Research the history of the bicycle bell.", reply("Facts: the bell was patented in 1877.\nIt was made of brass.\nIt rang twice.")
    )
    draft = task.agent("draft", "You draft.", tools=0).say(
        f"Draft an article from these facts:\n{facts.text}",
        reply("In 1877 a brass bell began to ring.\nIt has not stopped since."),
        brings=[facts.key],
    )
    task.agent("edit", "You edit.", tools=0).say(
        f"<draft>\n{draft.text}\n</draft>\nEdit the draft.", reply("In 1877, a brass bell rang. It rings still."), brings=[draft.key]
    )


def verbatim(app: App) -> None:
    """Everybody passes the same words on: the prompt of the lead is that of its worker and of the worker's worker."""
    words = "Find the oldest tree in the park and measure its girth."
    task = app.task("t")
    lead = task.agent("lead", "You are the Front Desk Agent.")
    top = lead.say(words, reply(tools=[call(words)]))

    def middle(sub: Agent, use: Use) -> Answer:
        given = sub.say(use.input["prompt"], reply(tools=[call(words)]))
        deeper = delegate(
            sub,
            given,
            doing(reply(tools=[shell("measure oak")]), reply("The oak by the pond measures six metres.")),
            name="ranger",
        )
        return finish(sub, deeper, "It is the oak by the pond, six metres around.")

    finish(lead, delegate(lead, top, middle, name="forester"), "The oak by the pond is the oldest tree.")


def busy(app: App) -> None:
    """One lead, six turns, two agents each turn, all with nearly the same words."""
    lead = app.task("t").agent("lead", "You are the Survey Agent.")
    answer = lead.say("Survey the twelve villages.", reply(tools=[call(f"Survey the village number {n} of the valley.") for n in (1, 2)]))
    for turn in range(1, 7):
        done = delegate(
            lead,
            answer,
            lambda w, u: w.run(
                u.input["prompt"], reply(tools=[shell("walk")]), reply(f"{u.input['prompt']} Done: it has {len(u.input['prompt'])} roofs.")
            ),
            name=f"s{turn}-",
            parallel=True,
        )
        tools = [call(f"Survey the village number {n} of the valley.") for n in (2 * turn + 1, 2 * turn + 2)] if turn < 6 else []
        answer = lead.give(
            {use: one.text for use, one in done.items()},
            reply("" if tools else "Twelve villages are surveyed.", tools=tools),
            brings=[one.key for one in done.values()],
        )


def eager(app: App) -> None:
    """The agent starts each tool as soon as it has been streamed, before the answer has ended."""
    lead = app.task("t").agent("lead", "You are the Hasty Agent.")
    script = reply(
        "Two at once.", tools=[call("Polish the brass of the front door."), call("Polish the brass of the back door.")], gap_ms=15
    )
    done: dict[Use, Answer] = {}
    jobs: list[threading.Thread] = []

    def begin(key: str, use: Use) -> None:
        worker = lead.task.agent(f"p{len(jobs)}", "You polish.", opened_by=key, parent=lead)

        def work() -> None:
            done[use] = worker.run(use.input["prompt"], reply(tools=[shell("polish")]), reply(f"Done: {use.input['prompt']} It shines."))

        jobs.append(threading.Thread(target=work))
        jobs[-1].start()

    answer = lead.say("Polish all the brass.", script, on_use=begin)
    for job in jobs:
        job.join()
    finish(lead, {use: done[use] for use in answer.uses}, "All the brass shines.")


def background(app: App) -> None:
    """An agent works in the background: its tool use is answered at once, its result comes later as a notification."""
    lead = app.task("t").agent("lead", "You are the Foreman Agent.")
    first = lead.say("Build the garden wall.", reply(tools=[call("Lay two hundred bricks along the garden.", run_in_background=True)]))
    result: list[Answer] = []
    worker = lead.task.agent("mason", "You are a mason.", opened_by=first.key, parent=lead)

    lead_went_on = threading.Event()

    def work() -> None:
        begun = worker.say(first.uses[0].input["prompt"], reply(tools=[shell("lay 100")]))
        lead_went_on.wait(30)
        result.append(worker.give({begun.uses[0]: "laid"}, reply("The wall of two hundred bricks stands straight.")))

    job = threading.Thread(target=work)
    job.start()
    second = lead.give(
        {first.uses[0]: "Agent launched in the background."}, reply("Meanwhile I mix mortar.", tools=[shell("mix")], wait_ms=20)
    )
    lead.give({second.uses[0]: "mixed"}, reply("I wait for the mason."))
    lead_went_on.set()
    job.join()
    notice = f"<task-notification>\n<status>completed</status>\n<result>\n{result[0].text}\n</result>\n</task-notification>"
    lead.say(notice, reply("The garden wall is built."), brings=[result[0].key])


def unrelated(app: App) -> None:
    """Conversations that have nothing to do with each other, with the same agent and much the same words."""
    talks = [app.task(f"t{n}").agent("desk", "You are the Help Desk Agent. Be kind.", tools=0) for n in range(5)]
    hello = [talk.say("Hello", reply("Hello! What can I do for you?")) for talk in talks[:2]]
    assert len(hello) == 2
    for n, talk in enumerate(talks):
        talk.say(f"My order {n} has not arrived. Where is it?", reply("Let me look. It left the warehouse yesterday."))
    for n, talk in enumerate(talks):
        talk.say(f"Thanks. Order {n} is for my aunt.", reply("You are welcome."))


def few_shot(app: App) -> None:
    """Independent classifications, each with the same worked example before it."""
    for n, word in enumerate(("excellent", "terrible", "passable")):
        agent = app.task(f"t{n}").agent("judge", "You judge reviews.", tools=0)
        agent.example("The food was cold.", "negative")
        agent.say(f"The food was {word}.", reply(("positive", "negative", "neutral")[n]))


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
    trimmed,
    map_reduce,
    relay_race,
    verbatim,
    busy,
    eager,
    background,
    unrelated,
    few_shot,
)
