"""More frameworks in the field: Aider, Strands, Google's ADK, the Vercel AI SDK, AutoGen, OpenHands, instructor.

Held out, as `field_frameworks`: written from how these build their prompts, and run once before any rule was changed. Frameworks send
no ids of their own, so with native headers they say X-Trace-ID.
"""
# ruff: noqa: E501 - prompts stand here as they are sent

import json

from tests.linking.apps import Answer
from tests.linking.teamwork import reply, together
from tests.linking.voices import Chat, Gemini, House, Messages


def aider_architect(house: House) -> None:
    """The architect's whole answer is the editor's prompt, behind example messages; a weak model then words the commit from a diff."""
    job = house.task()
    architect = Chat(
        job, "architect", "Act as an expert architect engineer and provide direction to your editor engineer.", tools=(), model="o3"
    )
    architect.history = [
        {
            "role": "user",
            "content": "I have *added these files to the chat* so you see all of their contents.\n\nferry.py\n```\ndef fare(age):\n    return 12\n```",
        },
        {"role": "assistant", "content": "Ok, I will use that as the true, current contents of the files."},
    ]
    plan = architect.ask(
        reply("In ferry.py let fare() return 6 for anyone under 14.\nAdd a docstring that names the rule, and touch nothing else."),
        said="Children under fourteen pay half.",
    )
    editor = Chat(
        job, "editor", "Act as an expert software developer who edits source code. Return SEARCH/REPLACE blocks.", tools=(), model="gpt-4.1"
    )
    editor.history = [*architect.history[:2]]
    edit = editor.ask(
        reply("ferry.py\n<<<<<<< SEARCH\n    return 12\n=======\n    return 6 if age < 14 else 12\n>>>>>>> REPLACE"),
        said=plan.text,
        brings=[plan.key],
    )
    assert edit.text
    again = editor.ask(
        reply("ferry.py\n<<<<<<< SEARCH\ndef fare(age):\n=======\ndef fare(age: int) -> int:\n>>>>>>> REPLACE"),
        said="# Fix any errors below, if possible.\n\nferry.py:1: error: Function is missing a type annotation",
    )
    assert again.text


def strands_tools(house: House) -> None:
    """Agents as tools, three deep: each tool hands its `query` to a new agent and gives back what that said."""
    job = house.task()
    lead = Messages(
        job, "teacher", "You are TeachAssist, and you route questions to specialists.", tools=("history_assistant", "math_assistant")
    )
    question = "In which year did the old mill at the weir burn down?"
    first = lead.ask(
        reply(tools=[{"name": "history_assistant", "input": {"query": question}}]),
        said=f"A pupil asks this: {question} And how long ago is that?",
    )
    historian = Messages(job, "historian", "You are a historian of small towns.", first.key, lead, tools=("archive_reader",))
    search = "Read the parish chronicle from 1870 to 1880 for fires at the weir."
    asked = historian.ask(reply(tools=[{"name": "archive_reader", "input": {"query": search}}]), said=question)
    reader = Messages(job, "reader", "You read old handwriting.", asked.key, historian, tools=("page",))
    read = reader.work(
        search,
        reply(tools=[{"name": "page", "input": {"number": 212}}]),
        reply("On page 212: the mill burnt in the night of 3 March 1874."),
    )
    told = historian.give({asked.uses[0]: read.text}, reply("The mill at the weir burnt down on 3 March 1874."), brings=[read.key])
    second = lead.give(
        {first.uses[0]: told.text},
        reply(tools=[{"name": "math_assistant", "input": {"query": "2026 minus 1874"}}]),
        brings=[told.key],
    )
    counter = Messages(job, "counter", "You are a math wizard.", second.key, lead, tools=())
    count = counter.ask(reply("2026 - 1874 = 152"), said="Please solve the following mathematical problem: 2026 minus 1874")
    lead.give({second.uses[0]: count.text}, reply("It burnt in 1874, 152 years ago."), brings=[count.key])


def adk_agent_tools(house: House) -> None:
    """Gemini without ids of calls: two AgentTools at once, each with a `request`; what they said comes back as `result`."""
    job = house.task()
    root = Gemini(
        job,
        "root",
        'You are an agent. Your internal name is "travel_coordinator".\n\nPlan trips with the help of your tools.',
        tools=("boat_agent", "inn_agent"),
        model="gemini-2.5-flash",
    )
    requests = {
        "boat_agent": "Find a boat to the island on the first of May",
        "inn_agent": "Find an inn on the island for the first of May",
    }
    first = root.ask(
        reply(tools=[{"name": name, "input": {"request": request}} for name, request in requests.items()], wait_ms=10),
        said="We want to be on the island on the first of May.",
    )
    answers = {"boat_agent": "The boat leaves at 9:10 from pier two.", "inn_agent": "The Anchor has two rooms under the roof."}
    done: dict[str, Answer] = {}

    def work(name: str) -> None:
        agent = Gemini(
            job,
            name,
            f'You are an agent. Your internal name is "{name}".\n\nAnswer with what your tools know.',
            first.key,
            root,
            tools=("look_up",),
            model="gemini-2.5-flash",
        )
        done[name] = agent.work(
            requests[name], reply(tools=[{"name": "look_up", "input": {"day": "05-01"}}], wait_ms=10), reply(answers[name], wait_ms=10)
        )

    together(lambda: work("boat_agent"), lambda: work("inn_agent"))
    root.give(
        {use: done[use.name].text for use in first.uses},
        reply("Take the boat at 9:10 and sleep at The Anchor."),
        brings=[done[name].key for name in requests],
    )


def ai_sdk_evaluator(house: House) -> None:
    """Code in a loop: a draft, marks for it as a forced tool's JSON, and a new draft whose prompt holds the old one and the remarks."""
    job = house.task()
    text = "Der Nebel zieht vom Fluss herauf und nimmt die Häuser mit."
    draft = Chat(job, "draft", "You are an expert literary translator.", tools=(), model="gpt-4o-mini").ask(
        reply("The fog draws up from the river and takes the houses along."),
        said=f"Translate this text to English, preserving tone and cultural nuances:\n{text}",
    )
    forced = {"tool_choice": {"type": "function", "function": {"name": "json"}}}
    marks = {
        "qualityScore": 6,
        "specificIssues": ["'draws up' reads like a curtain"],
        "improvementSuggestions": ["Let the fog rise, and let it swallow the houses"],
    }
    judge = Chat(job, "judge", "You are an expert in evaluating literary translations.", tools=("json",), model="gpt-4o", extra=forced)
    judged = judge.ask(
        reply(tools=[{"name": "json", "input": marks}]),
        said=f"Evaluate this translation:\n\nOriginal: {text}\nTranslation: {draft.text}\n\nConsider overall quality and nuance.",
        brings=[draft.key],
    )
    better = Chat(job, "better", "You are an expert literary translator.", tools=(), model="gpt-4o").ask(
        reply("The fog rises from the river and swallows the houses."),
        said=f"Improve this translation based on the following feedback:\n{marks['specificIssues'][0]}\n{marks['improvementSuggestions'][0]}\n\nOriginal: {text}\nCurrent Translation: {draft.text}",  # type: ignore[index]
        brings=[judged.key, draft.key],
    )
    assert better.text


def autogen_selector(house: House) -> None:
    """A selector reads the transcript and names who speaks; each speaker sees the others' words as user messages, its own as answers."""
    job = house.task()
    task = "Which bridge carries more carts, the stone one or the wooden one?"
    talk: list[tuple[str, str, Answer]] = []
    agents: dict[str, Chat] = {}
    systems = {
        "PlanningAgent": "You are a planning agent. Break down the task and assign it.",
        "CountingAgent": "You are a counting agent. You count what passes.",
    }

    def select(speaker: str) -> None:
        lines = "\n\n".join([f"user: {task}", *(f"{name}: {words}" for name, words, _ in talk)])
        selector = Chat(job, f"selector{len(talk)}", "", tools=(), model="gpt-4o")
        selector.history = [
            {
                "role": "system",
                "content": f"Select an agent to perform task.\n\nPlanningAgent: plans.\nCountingAgent: counts.\n\nCurrent conversation context:\n{lines}\n\nRead the above conversation, then select an agent. Only select one agent.",
            }
        ]
        selector.history.append({"role": "user", "content": "Who is next?"})
        selector.ask(reply(speaker), brings=[answer.key for _, _, answer in talk if len(answer.text) > 16])

    def speak(speaker: str, words: str) -> None:
        agent = agents.get(speaker)
        if agent is None:
            agent = agents[speaker] = Chat(job, speaker, systems[speaker], tools=())
            agent.history = [{"role": "user", "name": "user", "content": task}]
            heard = talk
        else:
            last = max(number for number, (name, _, _) in enumerate(talk) if name == speaker)
            heard = talk[last + 1 :]
        agent.history += [{"role": "user", "name": name, "content": text} for name, text, _ in heard]
        talk.append((speaker, words, agent.ask(reply(words), brings=[answer.key for _, _, answer in heard])))

    for speaker, words in (
        (
            "PlanningAgent",
            "1. CountingAgent: count the carts on the stone bridge.\n2. CountingAgent: count the carts on the wooden bridge.",
        ),
        ("CountingAgent", "The stone bridge carried 212 carts today, the wooden one 87."),
        ("PlanningAgent", "The stone bridge carries more than twice as many. TERMINATE"),
    ):
        select(speaker)
        speak(speaker, words)


def openhands_delegate(house: House) -> None:
    """A tool starts a browsing agent that works in text alone: its goal stands inside long instructions, its result inside a sentence."""
    job = house.task()
    lead = Messages(
        job, "codeact", "You are OpenHands agent, a helpful AI assistant.", tools=("execute_bash", "delegate_to_browsing_agent")
    )
    ran = lead.ask(
        reply(tools=[{"name": "execute_bash", "input": {"command": "cat notes.txt"}}]), said="Which tide table do my notes want?"
    )
    goal = "Open the harbour's page and read when high water is on Sunday. Return the time."
    asked = lead.give(
        {ran.uses[0]: "the harbour's, on Sunday"},
        reply(tools=[{"name": "delegate_to_browsing_agent", "input": {"task": goal, "thought": "I need the page."}}]),
    )
    frame = "# Instructions\nReview the current state of the page and all other information to find the best possible next action to accomplish your goal.\n\n# Goal:\n{}\n\n# Action Space\ngoto(url), click(id), send_msg_to_user(text)\n\n# Current Page URL:\n{}\n"
    pages = ("about:blank", "http://harbour.example/", "http://harbour.example/tides")
    actions = ('goto("http://harbour.example/")', 'click("tides")', 'send_msg_to_user("High water on Sunday is at 14:32.")')
    browser = Messages(job, "browser", "# Instructions\nYou are a browsing agent.", asked.key, lead, tools=())
    last: Answer | None = None
    for page, action in zip(pages, actions, strict=True):
        browser.history = [browser.user(frame.format(goal, page))]
        last = browser.ask(reply(f"In order to accomplish my goal I do this next.\n```{action}```"))
    assert last is not None
    lead.give(
        {asked.uses[0]: "Delegated agent finished with result:\n\nHigh water on Sunday is at 14:32."},
        reply("High water is at 14:32."),
        brings=[last.key],
    )


def structured_tool(house: House) -> None:
    """A tool asks for structured data in words of its own; the forced tool's JSON is what comes back. Twice at once, with other numbers."""
    job = house.task()
    lead = Messages(job, "clerk", "You keep the register of boats.", tools=("read_form",))
    first = lead.ask(
        reply(tools=[{"name": "read_form", "input": {"page": page}} for page in (1, 2)], wait_ms=10), said="Enter both forms of today."
    )
    forms = {
        1: {"name": "Seagull of the North", "length_m": 9.4, "owner": "Widow Hansen"},
        2: {"name": "Morning Star", "length_m": 7.1, "owner": "The Brothers Lund"},
    }
    done: dict[int, Answer] = {}

    def read(page: int) -> None:
        extractor = Messages(
            job, f"form{page}", "", first.key, lead, tools=("Boat",), extra={"tool_choice": {"type": "tool", "name": "Boat"}}
        )
        done[page] = extractor.ask(
            reply(tools=[{"name": "Boat", "input": forms[page]}], wait_ms=10),
            said=f"Extract the boat from the scan of form {page} (image left out).",
        )

    together(lambda: read(1), lambda: read(2))
    lead.give(
        {use: json.dumps(forms[use.input["page"]]) for use in first.uses},
        reply("Both boats stand in the register."),
        brings=[done[1].key, done[2].key],
    )


def chat_server(house: House) -> None:
    """One process serves strangers, two at a time: each asks one thing, one of them twice. As many tasks as strangers."""

    def serve(number: int, question: str, *answers: str) -> None:
        visitor = Chat(house.task(f"visitor{number}"), f"visitor{number}", "You are the assistant of the town library.", tools=())
        for turn, answer in enumerate(answers):
            visitor.ask(reply(answer, wait_ms=15), said=question if turn == 0 else "And on holidays?")

    visits = (
        ("When does the library open on Mondays?", "It opens at ten on Mondays."),
        ("Do you have maps of the coast from before 1900?", "We have eleven, in the reading room."),
        ("How many books may I take home?", "Eight, for four weeks.", "The same, for five weeks."),
        ("Is there a room where children may be loud?", "The blue room, until six."),
    )
    together(lambda: serve(0, *visits[0]), lambda: serve(1, *visits[1]))
    together(lambda: serve(2, *visits[2]), lambda: serve(3, *visits[3]))


FIELD_MORE = (
    aider_architect,
    strands_tools,
    adk_agent_tools,
    ai_sdk_evaluator,
    autogen_selector,
    openhands_delegate,
    structured_tool,
    chat_server,
)
