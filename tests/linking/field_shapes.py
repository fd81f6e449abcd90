"""Shapes in the field: plans, votes, fallbacks, group chats, agents that write code, strangers who say the same.

Held out, as `field_frameworks`.
"""

# ruff: noqa: E501 - prompts stand here as they are sent

import json
from typing import Any

from tests.linking.apps import Answer
from tests.linking.teamwork import reply, together
from tests.linking.voices import Chat, House, Messages


def plan_and_execute(house: House) -> None:
    """A planner's JSON becomes numbered prompts, one worker after the other; a replanner reads the results and finishes."""
    job = house.task()
    planner = Chat(job, "planner", "For the given objective, come up with a simple step by step plan. Answer with JSON.", tools=())
    steps = [
        "Look up when the lighthouse at the cape was built",
        "Look up who has kept it since the war",
        "Compare both with the church register",
    ]
    plan = planner.ask(
        reply(json.dumps({"steps": [{"id": n, "description": step} for n, step in enumerate(steps)]})),
        said="Write the history of the lighthouse at the cape.",
    )
    outcome: list[Answer] = []
    for number, step in enumerate(steps):
        worker = Chat(job, f"step{number}", "You are a helpful assistant.", plan.key, planner, tools=("search",))
        lines = "\n".join(f"{n + 1}. {one}" for n, one in enumerate(steps))
        outcome.append(
            worker.work(
                f"For the following plan:\n{lines}\n\nYou are tasked with executing step {number + 1}, {step}.",
                reply(tools=[{"name": "search", "input": {"q": f"lighthouse {number}"}}]),
                reply(
                    (
                        "It was built in 1851 of granite.",
                        "Three generations of one family have kept it.",
                        "The register agrees on both dates.",
                    )[number]
                ),
            )
        )
    done = "\n".join(f"({step!r}, {answer.text!r})" for step, answer in zip(steps, outcome, strict=True))
    replanner = Chat(job, "replanner", "Update your plan accordingly, or respond to the user.", tools=())
    replanner.ask(
        reply('{"response": "Built in 1851, kept by one family."}'),
        said=f"Your objective was this:\nWrite the history of the lighthouse at the cape.\n\nYour original plan was this:\n{lines}\n\nYou have currently done the follow steps:\n{done}",
        brings=[answer.key for answer in outcome],
    )


def map_reduce_alike(house: House) -> None:
    """Code cuts a book into pieces; every worker has the same instructions; one reads all answers. Nobody delegates."""
    job = house.task()
    found: dict[int, Answer] = {}

    def read(number: int) -> None:
        reader = Messages(job, f"map{number}", "You write concise summaries.", tools=())
        text = (
            "The harbour froze in the first winter and ships waited.",
            "A second winter came and the town built sledges.",
            "In spring the sledges were burnt for joy.",
        )[number]
        found[number] = reader.ask(
            reply(
                ("Ships wait in a frozen harbour.", "The town builds sledges for ice.", "Spring comes; sledges burn.")[number], wait_ms=10
            ),
            said=f"Write a concise summary of the following:\n\n{text}",
        )

    together(*(lambda number=number: read(number) for number in range(3)))
    joined = "\n\n".join(found[n].text for n in range(3))
    Messages(job, "reduce", "You write concise summaries.", tools=()).ask(
        reply("A town lives through two winters and burns its sledges."),
        said=f"The following is a set of summaries:\n{joined}\nTake these and distill it into a final, consolidated summary of the main themes.",
        brings=[found[n].key for n in range(3)],
    )


def self_consistency(house: House) -> None:
    """The same question three times at once from code; two of the answers are the same, word for word; a judge gets all."""
    job = house.task()
    votes: dict[int, Answer] = {}

    def vote(number: int) -> None:
        voter = Chat(job, f"voter{number}", "Think step by step, then answer.", tools=())
        said = (
            "The answer is seventeen apples in all.",
            "The answer is seventeen apples in all.",
            "The answer is eighteen apples in all.",
        )[number]
        votes[number] = voter.ask(reply(said, wait_ms=10), said="A farmer had 23 apples, sold 10 and picked 4. How many apples are there?")

    together(*(lambda number=number: vote(number) for number in range(3)))
    lines = "\n".join(f"Candidate {n + 1}: {votes[n].text}" for n in range(3))
    Chat(job, "judge", "Pick the answer that most candidates give.", tools=()).ask(
        reply("Seventeen."), said=f"Question: a farmer and his apples.\n{lines}\nWhich one?", brings=[votes[n].key for n in range(3)]
    )


def fallback(house: House) -> None:
    """The model is overloaded: the program asks another one the same, by hand, and goes on with it."""
    job = house.task()
    agent = Chat(job, "agent", "You are a careful bookkeeper.", tools=("ledger",), model="gpt-5.1")
    agent.history.append(agent.user("Find the missing forty crowns in the March ledger."))
    status, _ = agent.try_once(reply(status=529))
    assert status == 529
    agent.model = "claude-sonnet-4-5"
    first = agent.ask(reply(tools=[{"name": "ledger", "input": {"month": "March"}}]))
    found = agent.give({first.uses[0]: "12 rows; row 7 has no amount"}, reply("Row 7 has no amount: it is the forty crowns."))
    helper = Chat(job, "checker", "You check one figure.", tools=(), model="gpt-5.1")
    helper.history.append(helper.user(f"{found.text}\nIs that plausible? Answer yes or no."))
    for model, code in (("gpt-5.1", 500), ("gpt-5-mini", 529)):
        helper.model = model
        assert helper.try_once(reply(status=code), brings=[found.key] if code == 500 else [])[0] == code
    helper.model = "claude-haiku-4-5"
    helper.ask(reply("Yes."))


def group_chat(house: House) -> None:
    """Round robin: each agent sees the others' words as user messages and its own as answers."""
    job = house.task()
    task = "Write a slogan for a shop that mends umbrellas."
    talk: list[tuple[str, Answer]] = []

    def turn(speaker: str, system: str, words: str) -> None:
        agent = Chat(job, speaker, system, tools=())
        messages: list[Any] = [{"role": "user", "content": task, "name": "user"}]
        for name, answer in talk:
            messages.append(
                {"role": "assistant", "content": answer.text} if name == speaker else {"role": "user", "content": answer.text, "name": name}
            )
        agent.history = messages
        brings = []
        for name, answer in reversed(talk):
            if name == speaker:
                break
            brings.append(answer.key)
        talk.append((speaker, agent.ask(reply(words), brings=brings)))

    turn("writer", "You are a copywriter. You write slogans.", "Let it rain: we mend what the wind has broken.")
    turn("critic", "You are a critic. Say APPROVE when it is good.", "Too long. Lose the wind, and say umbrella once.")
    turn("writer", "You are a copywriter. You write slogans.", "Let it rain. We mend umbrellas while you wait.")
    turn("critic", "You are a critic. Say APPROVE when it is good.", "Short, dry and true: APPROVE.")


def code_agent(house: House) -> None:
    """smolagents: the manager writes Python that calls a managed agent; its report comes back as an observation in text."""
    job = house.task()
    manager = Chat(job, "manager", "You are an expert assistant who can solve any task using code blobs.", tools=())
    task = "Find out how many bridges cross the river in the old town, and which of them is the oldest."
    first = manager.ask(
        reply(f'Thought: I ask the search agent.\n<code>\nanswer = search_agent(task="{task}")\nprint(answer)\n</code>'),
        said="New task:\nHow old is the oldest bridge of the old town?",
    )
    agent = Chat(
        job,
        "search",
        "You are an expert assistant who can solve any task using tool calls.",
        first.key,
        manager,
        tools=("web_search", "final_answer"),
    )
    asked = agent.ask(
        reply(tools=[{"name": "web_search", "input": {"query": "bridges old town"}}]),
        said="New task:\nYou're a helpful agent named 'search_agent'.\nYou have been submitted this task by your manager.\n---\nTask:\n"
        f"{task}\n---\nYou're helping your manager solve a wider task: so make sure to not provide a one-line answer.",
    )
    report = (
        "### 1. Task outcome (short version):\nFour bridges; the oldest is the Stone Bridge of 1342.\n### 2. Additional context:\nNone."
    )
    ended = agent.give(
        {asked.uses[0]: "Stone Bridge 1342, Mill Bridge 1604, two of iron"},
        reply(tools=[{"name": "final_answer", "input": {"answer": report}}]),
    )
    manager.ask(
        reply("<code>\nfinal_answer(1342)\n</code>"),
        said=f"Observation:\nExecution logs:\nHere is the final answer from your managed agent 'search_agent':\n{report}\nLast output from code snippet:\nNone",
        brings=[ended.key],
    )


def twins(house: House) -> None:
    """Two strangers at once, word for word the same: question, answer, and the summary that is made of it. Two tasks, not one."""

    def one(number: int) -> None:
        with House(house.url, house.mode, house.key, house.name) as mine:
            job = mine.task(f"t{number}")
            told = Chat(job, "teller", "You tell facts.", tools=()).ask(
                reply("The lake is forty metres deep and never freezes.", wait_ms=15), said="Tell me about the lake behind the mill."
            )
            Chat(job, "shortener", "You shorten.", tools=()).ask(
                reply("Deep, never frozen."), said=f"Shorten this:\n{told.text}", brings=[told.key]
            )

    together(lambda: one(0), lambda: one(1))


FIELD_SHAPES = (
    plan_and_execute,
    map_reduce_alike,
    self_consistency,
    fallback,
    group_chat,
    code_agent,
    twins,
)
