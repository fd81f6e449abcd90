"""`anton proxy correct`: what the graph has wrong, said by a person; kept until it is taken back."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, Json, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.correcting.correct import Corrector
    from modular_agents.proxy.model.decision import Decision, DecisionView
    from modular_agents.proxy.ports import Reader

WHAT = "What to say"

EXAMPLES = """\
Examples:
  anton proxy correct ANR00000F5 --opened-by ANR00000B2     that call asked for this one and what goes on from it
  anton proxy correct ANR00000F5 --trace tr-ANR00000A1      it belongs to that trace
  anton proxy correct ANR00000F5 --apart                    it is a trace of its own
  anton proxy correct ANR00000F5 --cut ANR00000B2           the edge that leads here from there is wrong
  anton proxy correct --list
  anton proxy correct --undo 1763800000000

Exit codes: 0 done, 1 the database cannot be written now, 2 wrong use, 4 no such call, trace, edge or decision.
"""
EDGES = ("delegation", "request", "response")


def correct(
    call: Annotated[str | None, typer.Argument(metavar="[CALL]", help="The call; what goes on from it goes along.")] = None,
    opened_by: Annotated[str | None, option("The call that asked for it.", WHAT, "--opened-by", value="CALL")] = None,
    trace: Annotated[str | None, option("The trace to which it belongs.", WHAT, "--trace", value="TRACE")] = None,
    apart: Annotated[bool, option("It is a trace of its own.", WHAT, "--apart")] = False,
    cut: Annotated[str | None, option("The edge from this call to it is wrong.", WHAT, "--cut", value="CALL")] = None,
    edge: Annotated[
        str | None, option("Of --cut: delegation, request or response.", WHAT, value="TYPE", usual="the only edge there is")
    ] = None,
    undo: Annotated[str | None, option("Take back what was said; --list shows its number.", WHAT, value="NUMBER")] = None,
    list_all: Annotated[bool, option("Show what was said, of CALL or of all.", WHAT, "--list")] = False,
    as_json: Json = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Say who opened a thread, where it belongs, or that an edge is wrong.

    It holds against whatever the wire tells, also after `relink`. It can be said while a proxy records.
    """
    from modular_agents.proxy import app
    from modular_agents.proxy.correcting.correct import view, views
    from modular_agents.proxy.errors import UsageError

    said = {"opened_by": opened_by, "trace": trace, "apart": "" if apart else None, "cut": cut}
    wanted = [(kind, other) for kind, other in said.items() if other is not None]
    if len(wanted) + (undo is not None) + list_all != 1:
        raise UsageError("Say one thing: --opened-by, --trace, --apart, --cut, --undo or --list.")
    settings = settings_from({"db": db}, config)
    reader = reader_of(settings)
    try:
        if list_all:
            _show(views(reader.decisions(_full_id(reader, call) if call else None)), as_json=as_json)
            return
        if undo is None and call is None:
            raise UsageError("Name the call: `anton proxy correct CALL …`.")
        edge_type = _edge_type(reader, call or "", cut, edge) if cut is not None else ""
    finally:
        reader.close()
    keeper = app.corrector(settings.db)
    decision = _undone(keeper, undo) if undo is not None else keeper.say(_decision(call or "", *wanted[0], edge_type))
    if as_json:
        _show((view(decision),), as_json=True)
        return
    took = "Taken back" if undo is not None else "Kept"
    again = "" if undo is not None else f" Take it back with `anton proxy correct --undo {decision.decision_id}`."
    typer.echo(f"{took}: {_words(view(decision))}.{again}")


def _decision(call: str, kind: str, other: str, edge_type: str) -> "Decision":
    from modular_agents.proxy.model.decision import Decision, DecisionKind

    return Decision(call, DecisionKind(kind), other, edge_type, made_by=_who())


def _who() -> str:
    """Return the name of the person at this terminal, as the system knows it."""
    try:
        return getpass.getuser()[:80] or "command line"
    except (OSError, KeyError):  # a user without a name, as in a container
        return "command line"


def _undone(keeper: "Corrector", undo: str) -> "Decision":
    from modular_agents.proxy.errors import UsageError

    if not (undo.isascii() and undo.isdigit() and len(undo) < 19):  # noqa: PLR2004 - digits of the largest number of a row
        raise UsageError(f"--undo takes the number of a decision, not {undo!r}. `anton proxy correct --list` shows them.")
    return keeper.take_back(int(undo))


def _full_id(reader: "Reader", call: str) -> str:
    from modular_agents.proxy.errors import NotFound

    found = reader.call(call)
    if found is None:
        raise NotFound(f"There is no call {call!r} here, or more than one. `anton proxy ls --calls` lists them.")
    return found.call.call_id


def _edge_type(reader: "Reader", call: str, cut: str, asked: str | None) -> str:
    """Return the type of the edge to cut: as asked, or of the only one there is."""
    from modular_agents.proxy.errors import NotFound, UsageError

    if asked is not None:
        if asked not in EDGES:
            raise UsageError(f"--edge is one of {', '.join(EDGES)}, not {asked!r}.")
        return asked
    end, start = _full_id(reader, call), _full_id(reader, cut)
    row = reader.call(end)
    trace = reader.trace(row.call.trace_id) if row else None
    found = [edge.edge_type for edge in trace.edges if (edge.from_call_id, edge.to_call_id) == (start, end)] if trace else []
    if not found:
        raise NotFound(f"No edge leads from {start} to {end}.")
    if len(found) > 1:
        raise UsageError(f"Several edges lead from {start} to {end}: name one with --edge {' or --edge '.join(found)}.")
    return found[0]


def _show(said: "tuple[DecisionView, ...]", *, as_json: bool) -> None:
    from modular_agents.proxy.cli.table import Cell, Column, print_table
    from modular_agents.proxy.cli.terminal import console, print_json
    from modular_agents.proxy.model.decision import DecisionList

    if as_json:
        print_json(DecisionList(said))
    elif said:
        rows = [[Cell(one.decision_id), Cell(_words(one)), Cell(one.made_by, "dim"), Cell(one.made_at[:19], "dim")] for one in said]
        print_table(console(), [Column("NUMBER", right=True), Column("WHAT", least=20), Column("BY", least=6), Column("AT (UTC)")], rows)
    else:
        typer.echo("Nobody has corrected the graph.")


def _words(one: "DecisionView") -> str:
    match one.kind:
        case "opened_by":
            return f"{one.call_id} was opened by {one.other}"
        case "trace":
            return f"{one.call_id} belongs to the trace {one.other}"
        case "apart":
            return f"{one.call_id} is a trace of its own"
        case _:
            return f"the {one.edge_type} from {one.other} to {one.call_id} is wrong"
