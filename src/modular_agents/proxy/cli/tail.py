"""`anton proxy tail`: calls as they begin and end, one line each."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from modular_agents.proxy.cli.options import HOW, WHAT, Config, Db, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.model.query import CallRow
    from modular_agents.proxy.ports import Reader

EXAMPLES = """\
Examples:
  anton proxy tail
  anton proxy tail --agent api --ended
  anton proxy tail --json | jq -c '[.agent_name, .model, .cost_usd]'

Ctrl-C ends it.
"""
LOOK_S = 0.1
"""Ten looks a second: at once, to a person."""
RETRY_S = 0.5
BATCH_EVENTS = 500
AGENT_CHARS, MODEL_CHARS = 13, 18
NARROW_COLUMNS = 110
"""In a terminal narrower than this, token counts and most of the id make room for what was said."""
NARROW_ID_CHARS = 6
"""As many as `show` asks for."""


def tail(
    trace: Annotated[str | None, option("Only this trace.", WHAT, value="TRACE")] = None,
    agent: Annotated[str | None, option("Only this agent.", WHAT, value="NAME")] = None,
    model: Annotated[str | None, option("Only this model.", WHAT, value="NAME")] = None,
    ended: Annotated[bool, option("Only calls that ended.", WHAT, "--ended")] = False,
    as_json: Annotated[bool, option("Print each call as one line of JSON.", HOW, "--json")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Follow calls live, as they begin and end."""
    from modular_agents.proxy.cli.ls import find_trace

    reader = reader_of(settings_from({"db": db}, config))
    try:
        wanted = find_trace(reader, trace) if trace is not None else None
        for call in changes(reader, reader.seq()[1]):
            is_asked_for = wanted in {None, call.trace_id} and agent in {None, call.agent_name} and model in {None, call.model}
            if is_asked_for and not (ended and call.status == "running"):
                tell(call, as_json=as_json)
    finally:
        reader.close()


def changes(reader: "Reader", after: int) -> Iterator["CallRow"]:
    """Yield each call when it appears and when its state changes, for ever, beginning after an event's number."""
    import msgspec

    from modular_agents.proxy.errors import StoreUnavailable
    from modular_agents.proxy.model.event import EventKind
    from modular_agents.proxy.model.query import CallRow

    version, running = -1, dict[str, str]()
    while True:
        try:
            seen = reader.version()
            events = reader.events(after, BATCH_EVENTS) if seen != version else ()
        except StoreUnavailable:
            time.sleep(RETRY_S)
            continue
        if not events:
            version = seen
            time.sleep(LOOK_S)
        for event in events:
            after = event.seq
            if event.kind != EventKind.CALL:
                continue
            call = msgspec.json.decode(event.body, type=CallRow)
            if running.get(call.call_id) != call.status:
                yield call
            running[call.call_id] = call.status
            if call.status != "running":
                del running[call.call_id]


def tell(call: "CallRow", *, as_json: bool) -> None:
    """Print a call on one line."""
    from modular_agents.proxy.cli.terminal import print_json_line

    if as_json:
        print_json_line(call)
    else:
        _print_line(call)


def _print_line(call: "CallRow") -> None:
    from rich.text import Text

    from modular_agents.proxy.cli.ls import MARKS, SHORT_ID_CHARS, STYLES, gist
    from modular_agents.proxy.cli.terminal import console, fit, safe
    from modular_agents.proxy.cli.words import count, duration, money

    out = console()
    is_narrow = out.is_terminal and out.width < NARROW_COLUMNS
    is_running = call.status == "running"
    moment = call.created_at if is_running else call.ended_at or call.created_at
    tokens = () if is_narrow else (count(call.tokens_input), count(call.tokens_output))
    numbers = (duration(call.duration_ms), *tokens, money(call.cost_usd))
    line = Text(f"{moment[11:19]}  ", "dim")
    line.append(f"{MARKS.get(call.status, '?')}  ", STYLES.get(call.status, "none"))
    line.append(f"{fit(call.agent_name or '', AGENT_CHARS)}  {fit(call.model or f'{call.method} {call.path}', MODEL_CHARS)}", "none")
    line.append("".join(f"{number:>8}" for number in (("",) * len(numbers) if is_running else numbers)), "none")
    line.append(f"  {call.call_id[-(NARROW_ID_CHARS if is_narrow else SHORT_ID_CHARS) :]}  ", "dim")
    if is_running:
        line.append(safe(call.prompt_preview), "dim")
    else:
        line.append(safe(call.error or gist(call)), "red" if call.error else "none")
    out.print(line, no_wrap=True, overflow="ellipsis", crop=True)
