"""Frameworks in the field: LangGraph, LangChain, pydantic-ai, OpenAI Agents, CrewAI.

Held out: written from how these frameworks build their prompts, before looking at how linking would treat them. Frameworks send
no ids of their own, so with native headers they say X-Trace-ID, as our documentation asks. Where an agent gets the whole conversation
of another and goes on with it (handoffs, supervisors), that is one conversation, as docs/call-graph.md has it.
"""
# ruff: noqa: E501 - prompts stand here as they are sent

import json

from tests.linking.apps import Answer
from tests.linking.teamwork import reply, together
from tests.linking.voices import Chat, House, Responses


def back_to_supervisor(boss: Chat, worker: Chat, name: str, answer: Answer) -> None:
    """What LangGraph writes into the supervisor's history when a worker is done: its last message, between two transfers."""
    use = f"call_back_{worker.id}"
    transfer = {"id": use, "type": "function", "function": {"name": "transfer_back_to_supervisor", "arguments": "{}"}}
    boss.history += [
        {"role": "assistant", "content": answer.text, "name": name},
        {"role": "assistant", "content": "Transferring back to supervisor", "name": name, "tool_calls": [transfer]},
        {"role": "tool", "tool_call_id": use, "content": "Successfully transferred back to supervisor"},
    ]


def langgraph_supervisor(house: House) -> None:
    """A supervisor hands the whole conversation to a worker and gets its last message back, between two transfers."""
    job = house.task()
    boss = Chat(
        job,
        "supervisor",
        "You are a team supervisor managing a research expert and a math expert.",
        tools=("transfer_to_research_expert", "transfer_to_math_expert"),
    )
    first = boss.ask(
        reply(tools=[{"name": "transfer_to_research_expert", "input": {}}]),
        said="What is the combined headcount of the five largest bakeries in 2024?",
    )
    boss.history += boss.results({first.uses[0]: "Successfully transferred to research_expert"})
    research = Chat(
        job,
        "supervisor",
        "You are a world class researcher with access to web search. Do not do any math.",
        first.key,
        boss,
        tools=("web_search",),
    )
    research.history = list(boss.history)
    searched = research.ask(reply(tools=[{"name": "web_search", "input": {"query": "bakery headcount 2024"}}]))
    found = research.give(
        {searched.uses[0]: "1. Crumb: 67,317 2. Loaf: 164,000 3. Rye: 1,551,000 4. Bun: 14,000 5. Oat: 181,269"},
        reply("The headcounts are: Crumb 67,317, Loaf 164,000, Rye 1,551,000, Bun 14,000, Oat 181,269."),
    )
    back_to_supervisor(boss, research, "research_expert", found)
    second = boss.ask(reply(tools=[{"name": "transfer_to_math_expert", "input": {}}]))
    boss.history += boss.results({second.uses[0]: "Successfully transferred to math_expert"})
    maths = Chat(job, "supervisor", "You are a math expert. Always use one tool at a time.", second.key, boss, tools=("add", "multiply"))
    maths.history = list(boss.history)
    summed = maths.ask(reply(tools=[{"name": "add", "input": {"a": 67317, "b": 164000}}]))
    total = maths.give({summed.uses[0]: "1977586"}, reply("The combined headcount is 1,977,586."))
    back_to_supervisor(boss, maths, "math_expert", total)
    boss.ask(reply("The five largest bakeries had 1,977,586 people in 2024."))


def langchain_tool_agent(house: House) -> None:
    """A sub-agent wrapped as a tool, as LangChain's guide shows: the query goes in, the last message comes out."""
    job = house.task()
    lead = Chat(
        job,
        "assistant",
        "You are a helpful personal assistant. You can schedule calendar events and send emails.",
        tools=("schedule_event", "manage_email"),
    )
    wish = "Book the design team for next Tuesday at 2 pm for one hour and remind them by mail to bring the mockups."
    first = lead.ask(
        reply(
            tools=[
                {"name": "schedule_event", "input": {"request": "Schedule a meeting with the design team next Tuesday at 2 pm for 1 hour"}},
                {"name": "manage_email", "input": {"request": "Send the design team a reminder to bring the new mockups on Tuesday"}},
            ],
            wait_ms=10,
        ),
        said=wish,
    )
    done: dict[int, Answer] = {}

    def work(number: int, system: str, tool: str, answer: str) -> None:
        agent = Chat(job, tool, system, first.key, lead, tools=(tool,))
        done[number] = agent.work(
            first.uses[number].input["request"],
            reply(tools=[{"name": tool, "input": {"day": "2026-12-01"}}], wait_ms=10),
            reply(answer, wait_ms=10),
        )

    together(
        lambda: work(
            0,
            "You are a calendar scheduling assistant.",
            "create_calendar_event",
            "The meeting of the design team stands on 2026-12-01 at 14:00.",
        ),
        lambda: work(1, "You are an email assistant.", "send_email", "The reminder about the mockups went to five people."),
    )
    lead.give(
        {use: done[n].text for n, use in enumerate(first.uses)},
        reply("Booked, and everybody is reminded."),
        brings=[done[0].key, done[1].key],
    )


def pydantic_delegation(house: House) -> None:
    """A tool runs another agent with words of its own and returns its structured result: nothing is repeated verbatim but the result's parts."""
    job = house.task()
    chooser = Chat(
        job,
        "selection",
        "Use the `riddle_factory` to make some riddles, then choose the best. Return just a single riddle.",
        tools=("riddle_factory",),
    )
    first = chooser.ask(reply(tools=[{"name": "riddle_factory", "input": {"count": 3}}]), said="Tell me a riddle.")
    maker = Chat(job, "generation", "", first.key, chooser, tools=("final_result",))
    riddles = [
        "What has keys and opens no door? A piano.",
        "What runs all day and never walks? A river.",
        "What has a neck and no head? A bottle.",
    ]
    made = maker.ask(reply(tools=[{"name": "final_result", "input": {"response": riddles}}]), said="Please generate 3 riddles.")
    chooser.give({first.uses[0]: json.dumps(riddles)}, reply("What runs all day and never walks? A river."), brings=[made.key])


def agents_sdk_handoff(house: House) -> None:
    """Triage hands the conversation over; the new agent goes on with all of it, answers, and keeps the next question."""
    job = house.task()
    triage = Responses(
        job,
        "triage",
        "Help the user with their questions. If they ask about refunds, hand off to the refund agent.",
        tools=("transfer_to_refund_agent",),
        model="gpt-5-mini",
    )
    first = triage.ask(
        reply(tools=[{"name": "transfer_to_refund_agent", "input": {}}]),
        said="The kettle I bought arrived without its lid. I want my money back.",
    )
    triage.history += triage.results({first.uses[0]: json.dumps({"assistant": "Refund agent"})})
    refund = Responses(
        job,
        "triage",
        "You are a refund agent. Find the order and refund it.",
        first.key,
        triage,
        tools=("find_order", "refund"),
        model="gpt-5-mini",
    )
    refund.history = list(triage.history)
    looked = refund.ask(reply(tools=[{"name": "find_order", "input": {"what": "kettle"}}]))
    refund.give({looked.uses[0]: "order 7712, 31.00 EUR"}, reply("I found your kettle, order 7712. Shall I refund 31.00 EUR?"))
    paid = refund.ask(reply(tools=[{"name": "refund", "input": {"order": 7712}}]), said="Yes, please.")
    refund.give({paid.uses[0]: "refunded"}, reply("Your 31.00 EUR are on their way."))


def agents_as_tools(house: House) -> None:
    """The orchestrator of the Agents SDK's example: each language is an agent called as a tool with `input`."""
    job = house.task()
    lead = Responses(
        job,
        "orchestrator",
        "You are a translation agent. You use the tools given to you to translate. You never translate on your own.",
        tools=("translate_to_spanish", "translate_to_french"),
        model="gpt-5-mini",
    )
    words = "Good morning, the train to the coast leaves from platform nine."
    tools = [{"name": f"translate_to_{language}", "input": {"input": words}} for language in ("spanish", "french")]
    first = lead.ask(reply(tools=tools, wait_ms=10), said=f"Say in Spanish and French: {words}")
    done: dict[int, Answer] = {}

    def translate(number: int) -> None:
        language = ("Spanish", "French")[number]
        text = ("Buenos días, el tren a la costa sale del andén nueve.", "Bonjour, le train pour la côte part du quai neuf.")[number]
        agent = Responses(job, language, f"You translate the user's message to {language}.", first.key, lead, tools=(), model="gpt-5-mini")
        done[number] = agent.work(first.uses[number].input["input"], reply(text, wait_ms=10))

    together(lambda: translate(0), lambda: translate(1))
    last = lead.give({use: done[n].text for n, use in enumerate(first.uses)}, reply("Both are ready."), brings=[done[0].key, done[1].key])
    judge = Responses(
        job,
        "orchestrator",
        "You inspect translations, correct them if needed, and produce a final concatenated response.",
        tools=(),
        model="gpt-5-mini",
    )
    judge.history = [*lead.history]
    judge.opened_by = last.key
    judge.ask(reply("Spanish: Buenos días … French: Bonjour …"))


def crew(house: House) -> None:
    """Text tools in ReAct form; the second task gets the first one's output as context; a coworker is asked through a text tool."""
    job = house.task()

    def system(role: str, goal: str) -> str:
        return f"You are {role}. You have done this for twenty years.\nYour personal goal is: {goal}\nYou ONLY have access to the following tools, and should NEVER make up tools that are not listed here."

    expected = "\n\nThis is the expected criteria for your final answer: a short report.\nyou MUST return the actual complete content as the final answer, not a summary."
    begin = "\n\nBegin! This is VERY important to you, use the tools available and give your best Final Answer, your job depends on it!\n\nThought:"
    researcher = Chat(job, "researcher", system("Senior Tide Researcher", "uncover how tides turn turbines"), tools=())
    found = researcher.ask(
        reply(
            "I now can give a great answer\nFinal Answer: Tidal turbines turn at 2 m/s of current.\nThree straits in the north have it all year."
        ),
        said=f"\nCurrent Task: Research where tidal turbines can stand in the north.{expected}{begin}",
    )
    output = found.text.split("Final Answer: ")[1]
    writer = Chat(job, "writer", system("Report Writer", "write what engineers read to the end"), tools=())
    action = {
        "task": "Check the depth of the three straits",
        "context": "We plan turbines of 20 m diameter.",
        "coworker": "Senior Tide Researcher",
    }
    asked = writer.ask(
        reply(f"Thought: I need the depths.\nAction: Ask question to coworker\nAction Input: {json.dumps(action)}"),
        said=f"\nCurrent Task: Write a one-page report on tidal turbines.{expected}\n\nThis is the context you're working with:\n{output}{begin}",
        brings=[found.key],
    )
    helper = Chat(job, "coworker", system("Senior Tide Researcher", "uncover how tides turn turbines"), asked.key, writer, tools=())
    depth = helper.ask(
        reply("I now can give a great answer\nFinal Answer: The straits are 31, 44 and 52 metres deep."),
        said=f"\nCurrent Task: {action['task']}{expected}\n\nThis is the context you're working with:\n{action['context']}{begin}",
    )
    writer.history[-1] = {"role": "assistant", "content": f"{asked.text}\nObservation: {depth.text.split('Final Answer: ')[1]}"}
    writer.ask(
        reply("Thought: I now know the final answer\nFinal Answer: Turbines of 20 m fit into all three straits."), brings=[depth.key]
    )


FIELD_FRAMEWORKS = (
    langgraph_supervisor,
    langchain_tool_agent,
    pydantic_delegation,
    agents_sdk_handoff,
    agents_as_tools,
    crew,
)
