"""`anton proxy relink`: every stored call placed anew in traces and threads, by the rules of today.

The calls are read again from their bytes and linked from the first to the last in a database of its own that is thrown away;
what stands otherwise there is then written, so that a relink that is broken off leaves every call placed. What people said of
calls (`anton proxy correct`) holds as before, also what they say meanwhile.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modular_agents.proxy.cli.options import Config, Db, option, reader_of, settings_from

if TYPE_CHECKING:
    from modular_agents.proxy.model.call import Call
    from modular_agents.proxy.model.decision import Decision
    from modular_agents.proxy.model.exchange import Exchange
    from modular_agents.proxy.model.link import Indexed
    from modular_agents.proxy.model.trace import Placement
    from modular_agents.proxy.ports import Reader, Store

WHAT = "What to do"
EXAMPLES = """\
Examples:
  anton proxy relink --dry-run        what would stand elsewhere
  anton proxy relink                  after an upgrade, or when calls came days late

Exit codes: 0 done, 1 a proxy is recording (stop it first), 2 wrong use, 4 nothing recorded yet.
"""
PAGE = 100
"""Calls that one transaction places anew."""
INSTEAD = "Stop it with `anton proxy stop` and try again, or look with --dry-run."


@dataclass(slots=True)
class Relinked:
    """What came of it. A call may be counted in several."""

    looked_at: int = 0
    moved: int = 0
    """Stand elsewhere in any way."""
    traces: int = 0
    threads: int = 0
    edges: int = 0
    names: int = 0
    refreshed: int = 0
    """Stand where they stood, and are found by other tokens."""

    def note(self, before: "Placement", after: "Placement") -> bool:
        """Count a call; return whether it stands elsewhere."""
        self.looked_at += 1
        differs = (
            before.trace_id != after.trace_id,
            (before.thread_id, before.root_id, before.opener_id) != (after.thread_id, after.root_id, after.opener_id),
            (before.parent_id, before.kind, set(before.edges)) != (after.parent_id, after.kind, set(after.edges)),
            before.agent_name != after.agent_name,
        )
        self.traces += differs[0]
        self.threads += differs[1]
        self.edges += differs[2]
        self.names += differs[3]
        self.moved += any(differs)
        return any(differs)


def relink(
    dry_run: Annotated[bool, option("Only say what would stand elsewhere.", WHAT, "--dry-run")] = False,
    db: Db = None,
    config: Config = None,
) -> None:
    """Place stored calls anew in traces and threads, by today's rules.

    Every call is read again from its bytes: a minute or two for ten thousand.
    """
    from modular_agents.proxy import app

    settings = settings_from({"db": db}, config)
    reader = reader_of(settings)
    try:
        with (
            nullcontext() if dry_run else app.writing(settings, INSTEAD) as store,
            tempfile.TemporaryDirectory(prefix="anton-relink-") as folder,
        ):
            shadow = app.build_store(Path(folder) / "relink.db")
            try:
                done = link_anew(reader, store, shadow)
            finally:
                shadow.close()
    finally:
        reader.close()
    would = "would stand" if dry_run else "stand"
    typer.echo(
        f"{done.looked_at:,} calls looked at: {done.moved:,} {would} elsewhere (another trace {done.traces:,}, thread {done.threads:,}, "
        f"other edges {done.edges:,}, agent {done.names:,})."
    )


def link_anew(reader: "Reader", store: "Store | None", shadow: "Store") -> Relinked:
    """Link every call that has ended anew in `shadow`, then write what stands otherwise; with no store only tell."""
    from modular_agents.proxy.linking import revise, settle
    from modular_agents.proxy.model.call import Cost
    from modular_agents.proxy.wire.reader import read_call

    ids: list[str] = []
    decisions = reader.decisions()
    said: dict[str, list[Decision]] = {}
    for one in decisions:
        said.setdefault(one.call_id, []).append(one)
    for page in _pages(reader):
        with shadow.batch() as batch:
            for call_id in page:
                kept = reader.kept(call_id)
                if kept is None:
                    continue
                exchange = kept.exchange
                call = replace(read_call(exchange), process=kept.caller.process if kept.caller else "")
                linked = settle(call, batch.find, said=said.get(call_id, ()))
                batch.put_call(*_slim(call, exchange), linked.placement, Cost(None), linked.indexed)
                revise(linked, batch.find, batch.relink)
                ids.append(call_id)
        _tell(f"{len(ids):,} calls read")
    done = Relinked()
    for start in range(0, len(ids), PAGE):
        _write(reader, store, shadow, ids[start : start + PAGE], done)
        _tell(f"{done.looked_at:,} of {len(ids):,} calls placed")
    if store is not None:
        _follow(store, {one.call_id for one in set(decisions).symmetric_difference(reader.decisions())})
    _tell("")
    return done


def _follow(store: "Store", call_ids: set[str]) -> None:
    """Let calls stand where people put them while all were placed."""
    from modular_agents.proxy.linking import decide

    for call_id in sorted(call_ids):
        with store.batch() as batch:
            decide(call_id, batch.decisions(call_id), batch.find, batch.relink)


def _write(reader: "Reader", store: "Store | None", shadow: "Store", ids: list[str], done: Relinked) -> None:
    from modular_agents.proxy.model.link import LinkChanges, Replaced

    changed: list[Replaced] = []
    for call_id, (placement, indexed) in _stands(shadow, ids):
        kept = reader.kept(call_id)
        if kept is None:
            continue
        moved = done.note(kept.placement, placement)
        is_stale = (kept.indexed.tokens, kept.indexed.facts) != (indexed.tokens, indexed.facts)
        done.refreshed += is_stale and not moved
        if moved or is_stale:
            changed.append(Replaced(call_id, placement, indexed))
    if store is not None and changed:
        with store.batch() as batch:
            batch.relink(LinkChanges(tuple(changed)))


def _stands(shadow: "Store", ids: list[str]) -> "list[tuple[str, tuple[Placement, Indexed]]]":
    """Return where calls stand by today's rules, and what they leave behind, in the order of the ids."""
    from modular_agents.proxy.linking import standing
    from modular_agents.proxy.model.link import Lookup

    with shadow.batch() as batch:
        found = {one.call_id: one for one in batch.find(Lookup(calls=tuple(ids)))}
    stands = ((call_id, standing(found[call_id])) for call_id in ids if call_id in found)
    return [(call_id, one) for call_id, one in stands if one is not None]


def _pages(reader: "Reader") -> Iterator[list[str]]:
    cursor = None
    while True:
        page = reader.priced(cursor, PAGE)
        yield [item.call.call_id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return


def _slim(call: "Call", exchange: "Exchange") -> "tuple[Call, Exchange]":
    """Return a call and its exchange without their contents: only where they stand is wanted."""
    request = replace(exchange.request, body=b"", body_size=0, chunks=())
    response = replace(exchange.response, body=b"", body_size=0, chunks=()) if exchange.response else None
    bare = replace(call, system=(), messages=(), tools=(), params=b"{}", answers=())
    return bare, replace(exchange, request=request, response=response, tunnel=())


def _tell(progress: str) -> None:
    """Show how far it is, in a terminal only."""
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K{progress}", nl=False, err=True)
