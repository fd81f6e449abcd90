"""What is played: a multi-agent run, long and broken conversations, hostile text, and large numbers of everything."""

import json
from dataclasses import replace

from tests.browser.stage.play import Director, Said, Thread, open_trace
from tests.browser.stage.stage import Stage, iso, part
from tests.support.fake_reader import CALL, TRACE, detail

from modular_agents.proxy.model.query import CallRow, EdgeRow

TASK = "Add rate limiting to the API service and cover it with tests"
TOOLS = tuple(
    json.dumps({"name": name, "description": about, "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}})
    for name, about in (
        ("list_files", "List the files below a folder."),
        ("read_file", "Read a file of the repository. Returns its text, at most 2,000 lines."),
        ("edit_file", "Replace a passage of a file by another one."),
        ("run_tests", "Run the tests of one module and return the report."),
        ("delegate", "Give a task to the agent of one module and wait for its answer."),
    )
)
PLAN = """I read the service. The limiter belongs in front of the router, so that a refused request costs nothing.

## Plan

1. **api**: a `TokenBucket` per client, checked by middleware
2. **store**: counters that several workers share
3. **config**: `RATE_LIMIT_PER_MINUTE`, default 60

```python
class TokenBucket:
    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.tokens, self.at = float(burst), time.monotonic()
```

| module | files | risk |
|---|---|---|
| api | 3 | low |
| store | 2 | *medium*: needs a migration |
"""
HOSTILE = (
    '<script>window.pwned = 1</script><img src=x onerror="window.pwned=1"> [click](javascript:window.pwned=1) '
    "![x](https://example.invalid/track.png) \x1b[31mred\x1b[0m \u202egnp.exe <iframe srcdoc='<script>parent.pwned=1</script>'>"
)


def run(director: Director, trace_id: str = "run-7f3a", task: str = TASK) -> None:
    """Play the orchestrator with four module agents at once, one of which opens another."""
    stage = director.stage
    director.at(0, lambda: open_trace(stage, trace_id, task, director.begin_ms))
    system = "You are the Orchestrator Agent. You explore the repository, decompose the task and delegate to module agents."
    root = Thread(director, trace_id, f"{trace_id}-root", "orchestrator", system=system, tools=TOOLS).hears(task)
    title = Thread(director, trace_id, f"{trace_id}-title", None, "claude-haiku-4-5").hears(f"Write a title for: {task}")
    title.turn(40, Said("Rate limiting for the API", ms=500, kind="title", tokens_in=210, tokens_out=8))

    _, end = root.turn(
        20, Said("I look at the layout first.", tools=(("list_files", {"path": "."}), ("read_file", {"path": "api/router.py"})), ms=1900)
    )
    root.result(
        ("a", "list_files", "api/\nstore/\nconfig.py\ntests/", False),
        ("b", "read_file", "class Router:\n    def route(self, request): ...", False),
    )
    thinking = "The router is the only entrance. A limiter in front of it sees every request, and refuses cheaply."
    plan, end = root.turn(
        end + 350,
        Said(PLAN, thinking=thinking, tools=tuple(("delegate", {"module": m, "task": t}) for m, t in MODULES), ms=6200, cached=1100),
    )
    ends = []
    for index, (module, work) in enumerate(MODULES):
        last, done = _module(director, trace_id, module, work, plan, end + 60 + 35 * index, index)
        ends.append((last, done, module))
    latest = max(done for _, done, _ in ends)
    root.result(*(("d", "delegate", f"{module}: done", False) for _, _, module in ends))
    final, _ = root.turn(
        latest + 120,
        Said(
            "All four modules are done: the limiter refuses with **429** and a `Retry-After` header, and 23 tests pass.",
            ms=2100,
            cached=5200,
        ),
    )
    for last, _, _ in ends:
        root.edge(latest + 121, last, final, "response", "tool_result", 1.0)


MODULES = (
    ("api", "Add a TokenBucket and a middleware that answers 429 with Retry-After."),
    ("store", "Share the counters between workers."),
    ("config", "Read RATE_LIMIT_PER_MINUTE from the environment."),
    ("tests", "Cover the limiter: burst, refill, two clients."),
)


def _module(director: Director, trace_id: str, module: str, work: str, parent: str, at_ms: float, index: int) -> tuple[str, float]:
    system = f'You are a specialist agent for the "{module}" module.'
    model = ("claude-sonnet-4-5", "gpt-5.1", "claude-haiku-4-5", "claude-sonnet-4-5")[index]
    provider = "openai" if model.startswith("gpt") else "claude"
    agent = Thread(director, trace_id, f"{trace_id}-{module}", module, model, provider, system, TOOLS).hears(work)
    call, end = agent.turn(at_ms, Said("", tools=(("read_file", {"path": f"{module}/main.py"}),), ms=1100 + 300 * index))
    agent.edge(at_ms, parent, call, "delegation", "tool_use.input", (1.0, 1.0, 0.92, 0.55)[index])
    agent.result(("r", "read_file", "def main() -> None:\n    ...\n" * 12, False))
    if module == "store":
        broken = Said(error=(529, "provider", "overloaded_error", "Overloaded"), ms=150)
        call, end = agent.turn(end + 200, broken)
        retry, end = agent.turn(
            end + 900,
            Said(
                "The counters live in one table; I add a migration.",
                tools=(("edit_file", {"path": "store/0007.sql"}),),
                ms=2600,
                kind="retry",
            ),
        )
        agent.result(("e", "edit_file", "ok", False))
        inner = Thread(director, trace_id, f"{trace_id}-migrate", "migration", "claude-haiku-4-5").hears(
            "Write the migration for the counters table."
        )
        inner_call, inner_end = inner.turn(
            end + 80, Said("CREATE TABLE counters (client TEXT PRIMARY KEY, tokens REAL NOT NULL, at REAL NOT NULL);", ms=1700)
        )
        inner.edge(end + 80, retry, inner_call, "delegation", "tool_use.input", 0.9)
        call, end = agent.turn(inner_end + 100, Said("The store is done: one table, one migration.", ms=1200))
        agent.edge(inner_end + 101, inner_call, call, "response", "tool_result", 1.0)
        return call, end
    edits = Said(
        "I make the change.",
        tools=(
            ("edit_file", {"path": f"{module}/limit.py"}),
            ("edit_file", {"path": f"{module}/main.py"}),
            ("run_tests", {"path": module}),
        ),
        ms=2300,
    )
    call, end = agent.turn(end + 260, edits)
    agent.result(("e", "edit_file", "ok", False), ("f", "edit_file", "ok", False), ("t", "run_tests", "7 passed, 1 failed in 0.41 s", True))
    return agent.turn(end + 900, Said(f"The {module} module is done; its tests pass.", ms=1400, cached=2300))


def history(stage: Stage, now_ms: float) -> None:
    """Play what happened before: finished, long, failed, unpriced, estimated, unreadable, hostile."""
    for scene in (_finished, _chat, _broken, _local, _hostile):
        scene(stage, now_ms)


def _finished(stage: Stage, now_ms: float) -> None:
    director = Director(stage, now_ms - 600_000)
    run(director)
    director.play()


def _chat(stage: Stage, now_ms: float) -> None:
    director = Director(stage, now_ms - 3_900_000)
    open_trace(
        stage, "chat-50", "Explain the retry policy of the payments client, then rewrite it step by step", director.begin_ms, "continuation"
    )
    chat = Thread(
        director, "chat-50", "chat-50-a", None, "gpt-5.1", "openai", "You are a careful reviewer.", (), path="/v1/chat/completions"
    )
    at = 0.0
    for number in range(1, 31):
        chat.hears(f"Step {number}: what happens when attempt {number} times out?")
        wait = f"Attempt {number} waits `{2 ** min(number, 6)} s`, then gives up the connection."
        answer = f"{wait}\n\n- the caller sees a timeout\n- the payment stays *pending*"
        _, at = chat.turn(at + 4000, Said(answer, ms=1500, cached=number * 380 if number > 1 else 0))
    director.play()


def _broken(stage: Stage, now_ms: float) -> None:
    director = Director(stage, now_ms - 5_400_000)
    open_trace(stage, "broken", "Summarise the incident report", director.begin_ms, "path.t")
    bad = Thread(director, "broken", "broken-a", "summariser", tools=TOOLS).hears("Summarise the incident report in five sentences.")
    bad.turn(
        0,
        Said(
            error=(
                429,
                "provider",
                "rate_limit_error",
                "This request would exceed your organisation's rate limit of 50 requests per minute.",
            ),
            ms=120,
        ),
    )
    cut = Said(
        "At 03:12 the primary database stopped answering because",
        error=(200, "provider", "upstream_cut", "The provider closed the connection before the answer was whole."),
        tokens_out=14,
        usage="partial",
        ms=900,
    )
    bad.turn(2400, replace(cut, kind="retry"))
    director.play()


def _local(stage: Stage, now_ms: float) -> None:
    director = Director(stage, now_ms - 9_000_000)
    open_trace(stage, "local", "Classify 3 tickets with a local model", director.begin_ms, "continuation")
    local = Thread(director, "local", "local-a", "classifier", "llama3.3:70b", "ollama").hears("Classify: the invoice shows the wrong VAT.")
    local.turn(0, Said("billing", usage="estimated", ms=800))
    local.hears("Classify: the app crashes on start.")
    local.turn(2000, Said("The app cr", status="cancelled", usage="partial", ms=300, tokens_out=3))
    odd = Thread(director, "local", "local-b", None, None, "openai", path="/v1/images/generations").hears("")
    odd.turn(
        3000,
        Said(
            stream=False,
            kind="other",
            unreadable="the body is image/png, which is no format we read",
            error=None,
            tokens_in=0,
            tokens_out=0,
            usage="unknown",
        ),
    )
    director.play()


def _hostile(stage: Stage, now_ms: float) -> None:
    director = Director(stage, now_ms - 90_000_000)
    open_trace(stage, "<b>id</b>", HOSTILE, director.begin_ms, "header.x-trace-id")
    evil = Thread(director, "<b>id</b>", "evil-a", "<img src=x onerror=window.pwned=1>", "<script>window.pwned=1</script>", system=HOSTILE)
    evil.hears(HOSTILE).turn(0, Said(HOSTILE, thinking=HOSTILE, tools=(("<svg onload=window.pwned=1>", {"<b>": HOSTILE}),)))
    evil.result(("x", "y", HOSTILE, True))
    image = {"type": "image", "source": {"type": "url", "url": "https://example.invalid/track.png"}}
    evil.turn(4000, Said(HOSTILE, parts=(part("image", raw=json.dumps(image)), part("other", HOSTILE, raw=json.dumps({"html": HOSTILE})))))
    director.play()
    raw = stage.raws[evil.last or ""]
    stage.raws[evil.last or ""] = replace(
        raw, response_body=bytes(range(256)) * 40, response_body_size=10_240, request_headers=((HOSTILE, HOSTILE),)
    )


def many_traces(stage: Stage, count: int, now_ms: float) -> None:
    """Show `count` old traces of one call each, told to nobody."""
    with stage.lock:
        for number in range(count):
            at = iso(now_ms - 86_400_000 - number * 1000)
            status = "failed" if number % 17 == 0 else "completed"
            row = replace(
                TRACE,
                trace_id=f"many-{number:06d}",
                created_at=at,
                ended_at=at,
                last_activity_at=at,
                task_description=f"Task number {number}",
                status=status,
                call_count=1 + number % 9,
                agent_count=1 + number % 3,
                error_count=int(status == "failed"),
                cost_usd=0.001 * (number % 50),
            )
            stage.put_trace(row, quiet=True)


def wide_trace(stage: Stage, agents: int, calls_each: int, now_ms: float) -> str:
    """Show one trace of many agents with many calls, told to nobody; returns its id."""
    trace_id = "wide"
    rows = {row.call_id: row for agent in range(agents + 1) for row in _wide_agent(trace_id, agent, calls_each, now_ms - 400_000)}
    first = next(iter(rows))
    edges = [
        EdgeRow(f"e{row.call_id}", trace_id, row.parent_id, row.call_id, "request", "continuation", 1.0)
        if row.parent_id
        else EdgeRow(f"d{row.call_id}", trace_id, first, row.call_id, "delegation", "tool_use.input", 1.0)
        for row in rows.values()
        if row.call_id != first
    ]
    trace = replace(
        TRACE,
        trace_id=trace_id,
        created_at=iso(now_ms - 400_000),
        ended_at=iso(now_ms),
        last_activity_at=iso(now_ms),
        task_description="A very wide run",
        call_count=len(rows),
        agent_count=agents + 1,
        tokens_input=1200 * len(rows),
        tokens_output=80 * len(rows),
        cost_usd=0.002 * len(rows),
    )
    with stage.lock:
        stage.calls[trace_id] = rows
        stage.edges[trace_id] = edges
        stage.details.update({row.call_id: detail(row) for row in rows.values()})
        stage.put_trace(trace, quiet=True)
    return trace_id


def _wide_agent(trace_id: str, agent: int, calls: int, begin_ms: float) -> list[CallRow]:
    ids = [f"01JW{agent:011d}{turn:011d}" for turn in range(calls)]
    times = [begin_ms + agent * 700 + turn * 1900 for turn in range(calls)]
    return [
        replace(
            CALL,
            call_id=ids[turn],
            trace_id=trace_id,
            thread_id=f"wide-{agent}",
            agent_name="orchestrator" if agent == 0 else f"module {agent}",
            created_at=iso(times[turn]),
            ended_at=iso(times[turn] + 1500),
            duration_ms=1500.0,
            parent_id=ids[turn - 1] if turn else None,
            model="claude-haiku-4-5",
            tool_names=("read_file",) if turn % 3 else (),
            answer_preview=f"turn {turn}",
        )
        for turn in range(calls)
    ]
