"""More programs: histories that are cut, answers that are handed on, agents that start early or late, words that mean nothing."""

import threading

from tests.linking.apps import Agent, Answer, App, Use
from tests.linking.teamwork import Program, call, delegate, doing, finish, reply, shell


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


HARD_PROGRAMS: tuple[Program, ...] = (trimmed, map_reduce, relay_race, verbatim, busy, eager, background, unrelated, few_shot)
