"""The composition root: the one place that names concrete classes and joins rooms that do not know each other.

It is also the program that child processes run (`python -m modular_agents.proxy.app ROLE`, settings on standard input).
Each function imports what it joins when it is called: a relay worker loads no parser and no store, and `anton --help` loads nothing.
"""
# ruff: noqa: PLC0415 - a process loads only the rooms of its own role

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modular_agents.proxy.errors import AlreadyRunning, NotRunning, OwnFault, ProxyError, StoreUnavailable, UsageError

if TYPE_CHECKING:
    from modular_agents.proxy.config import Retention, Settings
    from modular_agents.proxy.correcting.correct import Corrector
    from modular_agents.proxy.dashboard.access import Access
    from modular_agents.proxy.dashboard.guard import Site
    from modular_agents.proxy.dashboard.server import DashboardParts
    from modular_agents.proxy.model.call import Call, Cost
    from modular_agents.proxy.model.status import ProxyStatus, Trouble
    from modular_agents.proxy.ports import Reader, Store
    from modular_agents.proxy.recorder.pipeline import Rooms
    from modular_agents.proxy.supervisor.lifeline import Lifeline
    from modular_agents.proxy.supervisor.runtime import Runtime
    from modular_agents.proxy.verify.report import RecordsReport, WireReport
    from modular_agents.proxy.verify.selftest import Row

REPORT_NAME = "recorder.json"
"""The recorder's report, in the control directory."""
RECORDER_LOCK = "recorder.lock"
"""In the journal directory: an old recorder that is still finishing keeps a new one waiting, or both would commit the same frames."""
LOCK_RETRY_S = 0.05
VERIFY_LOCK = "verify.lock"
"""In the control directory: two self-tests at once would hear each other's requests."""
READY, UNAUTHORIZED = 200, 401
"""Answers of `/-/ready`."""
GC_ALLOCATIONS = 40_000
"""Objects that the recorder makes before it looks for cycles: it leaves hardly any, and one batch makes thousands of objects."""
JOURNAL_BYTES = 4 * 1024 * 1024
"""Read at a time when the journal is checked: bounds memory."""
_NO_ALIASES: Mapping[str, str] = {}

_log = logging.getLogger("anton")


def build_store(path: Path, retention: "Retention | None" = None) -> "Store":
    """Open the database for writing; None keeps everything. Raises `StoreUnavailable`, `StoreDamaged` or `UsageError`."""
    from modular_agents.proxy.store.sqlite.store import KEEP_ALL, SqliteStore

    return SqliteStore(path, retention or KEEP_ALL)


def build_reader(path: Path) -> "Reader":
    """Open the database for reading. Raises `StoreUnavailable`, `StoreDamaged` or `UsageError`."""
    refuse_foreign(path)
    from modular_agents.proxy.store.sqlite.reader import SqliteReader

    return SqliteReader(path)


def refuse_foreign(path: Path) -> None:
    """Refuse a file that is no database and was none of ours either: a damaged one of ours is the recorder's. Raises `UsageError`."""
    from modular_agents.proxy.config import Settings
    from modular_agents.proxy.store.sqlite.engine import is_database

    if not is_database(path) and not Settings(path).secrets_file.exists():
        raise UsageError(f"{path} is not a database: it is left as it is. Name another file with --db")


@contextmanager
def writing(settings: "Settings", instead: str) -> Iterator["Store"]:
    """Open the database for writing by a command, in the recorder's place: a database has one writer at a time.

    Raises `AlreadyRunning`, which ends in `instead`, while a proxy records into it; else as `build_store`. The recorder
    of a proxy that is started meanwhile waits.
    """
    from modular_agents.proxy.journal.segment import hold_lock, make_private

    refuse_foreign(settings.db)
    try:
        make_private(settings.journal_dir)
        lock = hold_lock(settings.journal_dir / RECORDER_LOCK)
    except OSError as error:
        raise StoreUnavailable(f"{settings.journal_dir} cannot be written: {error.strerror}.") from error
    if lock is None:
        raise AlreadyRunning(f"A proxy is recording into {settings.db}, and a database has one writer at a time. {instead}")
    try:
        store = build_store(settings.db)
        try:
            yield store
        finally:
            store.close()
    finally:
        os.close(lock)


def build_rooms(aliases: Mapping[str, str] = _NO_ALIASES) -> "Rooms":
    """Return the pure rooms that the recorder works with. aliases: as `Settings.price_aliases`."""
    from modular_agents.proxy.linking import read, revise, settle
    from modular_agents.proxy.recorder.pipeline import Rooms
    from modular_agents.proxy.wire.memo import Memo
    from modular_agents.proxy.wire.reader import CallReader

    return Rooms(partial(CallReader, memo=Memo()), settle, build_price(aliases), revise, read)


def build_price(aliases: Mapping[str, str]) -> "Callable[[Call], Cost]":
    """Return what prices a call. aliases: as `Settings.price_aliases`."""
    from modular_agents.proxy.pricing.price import price

    return partial(price, aliases=aliases)


def corrector(db: Path) -> "Corrector":
    """Return what keeps a person's word on the graph, beside a recorder or without one."""
    import time

    from modular_agents.proxy.correcting.correct import Corrector

    return Corrector(lambda: build_reader(db), lambda: build_store(db), time.time_ns)


def start(settings: "Settings", on_ready: Callable[["Runtime"], None]) -> int:
    """Run a proxy until it is told to stop; return the exit code. Raises `UsageError` or `OwnFault` when it cannot start."""
    from modular_agents import __version__
    from modular_agents.proxy.supervisor.logs import log_to_stderr
    from modular_agents.proxy.supervisor.supervise import supervise

    log_to_stderr("supervisor", settings.log_level, settings.log_format)
    refuse_foreign(settings.db)
    return supervise(settings, __version__, on_ready)


def status(db: Path) -> "ProxyStatus | None":
    """Return how the proxy that records into `db` stands; None when none has left its runtime file."""
    from modular_agents.proxy.config import Settings
    from modular_agents.proxy.export.standing import status_of
    from modular_agents.proxy.model.status import ProxyStatus
    from modular_agents.proxy.recorder.report import read_report
    from modular_agents.proxy.relay.counters import add_up
    from modular_agents.proxy.supervisor.runtime import is_running, read_runtime

    settings = Settings(db)
    runtime = read_runtime(settings.runtime_file)
    if runtime is None:
        return None
    running = is_running(settings.journal_dir)
    troubles = _troubles(settings, runtime.recorder_pid) if running else ()
    counts = add_up(settings.control_dir) if running else None
    report = read_report(settings.control_dir / REPORT_NAME)
    return ProxyStatus(
        running=running,
        url=runtime.url,
        dashboard_url=runtime.dashboard_url,
        pid=runtime.pid,
        worker_pids=runtime.worker_pids,
        recorder_pid=runtime.recorder_pid,
        dashboard_pid=runtime.dashboard_pid,
        started_at=runtime.started_at,
        version=runtime.version,
        calls=counts["requests_total"] if counts else None,
        calls_open=counts["requests_open"] if counts else None,
        journal_lag_bytes=report.lag_bytes if report else None,
        journal_degraded=bool(counts and counts["journal_degraded"]),
        records_dropped=counts["journal_dropped_frames_total"] if counts else 0,
        troubles=troubles,
        otlp=status_of(settings.otlp_file) if running else None,
    )


def _troubles(settings: "Settings", recorder_pid: int | None) -> "tuple[Trouble, ...]":
    """Return what the supervisor says does not work, and what the living recorder says of the store."""
    from modular_agents.proxy.model.status import Trouble, read_troubles
    from modular_agents.proxy.recorder.report import read_report

    report = read_report(settings.control_dir / REPORT_NAME)
    try:
        troubles = read_troubles(settings.troubles_file.read_bytes())
    except OSError:
        troubles = ()
    if report is not None and report.pid == recorder_pid and report.store_trouble:
        troubles += (Trouble("store", report.store_trouble),)
    return troubles


def verify_wire(settings: "Settings", on_row: "Callable[[Row], None]") -> "WireReport":
    """Send the table of awkward requests through the running relay. Raises `NotRunning`, `AlreadyRunning`, `OwnFault` or OSError."""
    import asyncio
    import secrets
    from urllib.parse import urlsplit

    from modular_agents.proxy.config import SELF_TEST
    from modular_agents.proxy.journal.segment import hold_lock
    from modular_agents.proxy.supervisor.runtime import is_running, read_runtime
    from modular_agents.proxy.verify.cases import Way, table
    from modular_agents.proxy.verify.records import check_recorded
    from modular_agents.proxy.verify.report import wire_report
    from modular_agents.proxy.verify.selftest import run, status_of

    runtime = read_runtime(settings.runtime_file)
    if runtime is None or not is_running(settings.journal_dir):
        raise NotRunning(f"No proxy is running on {settings.db}. Start one with `anton proxy start`.")
    if not runtime.echo_port:
        raise OwnFault("The running proxy is of a version that cannot be tested this way. Start it anew.")
    lock = hold_lock(settings.control_dir / VERIFY_LOCK)
    if lock is None:
        raise AlreadyRunning("Another `anton proxy verify` is testing this proxy. Wait for it to end.")
    try:
        address = urlsplit(runtime.url)
        trace_id = f"anton-verify-{secrets.token_hex(4)}"
        own = (b"X-Anton-Token: " + settings.token.encode(),) if settings.token else ()
        prefix = f"/t/{trace_id}/a/verify/u/{SELF_TEST}".encode()
        ready = asyncio.run(status_of(address.hostname or "127.0.0.1", runtime.port, own))
        if ready == UNAUTHORIZED:
            raise UsageError("The running proxy wants its token. Set ANTON_TOKEN to the one it was started with.")
        if ready != READY:
            raise OwnFault(f"The running proxy is not ready ({ready}): it stops, or is stuck.")
        cases = table(Way(prefix, address.netloc.encode(), f"127.0.0.1:{runtime.echo_port}".encode(), own))
        rows = asyncio.run(run(cases, address.hostname or "127.0.0.1", runtime.port, runtime.echo_port, on_row))
        reader = build_reader(settings.db)
        try:
            return wire_report(runtime.url, trace_id, rows, check_recorded(reader, trace_id, cases))
        finally:
            reader.close()
    finally:
        os.close(lock)


def verify_records(settings: "Settings") -> "RecordsReport":
    """Check every stored call and what lies in the journal. Needs no running proxy, disturbs none. Raises `StoreUnavailable`."""
    from modular_agents.proxy.journal.reader import JournalReader
    from modular_agents.proxy.journal.segment import SUFFIX
    from modular_agents.proxy.verify.records import JournalCheck, check_stored
    from modular_agents.proxy.verify.report import RecordsReport

    lying = sum(path.stat().st_size for path in settings.journal_dir.glob(f"*{SUFFIX}") if path.exists())
    journal = JournalReader(settings.journal_dir)
    frames = size = 0
    try:
        while size <= lying and (pieces := journal.poll(JOURNAL_BYTES)):  # a busy proxy goes on writing: what was there is enough
            found = [frame for piece in pieces for frame in piece.frames]
            frames += len(found)
            size += sum(frame.end - frame.offset for frame in found)
    finally:
        journal.close()
    reader = build_reader(settings.db)
    try:
        return RecordsReport(check_stored(reader), JournalCheck(frames, size, journal.damaged_bytes, journal.torn_bytes))
    finally:
        reader.close()


def relay(line: "Lifeline") -> int:
    """Be a relay worker."""
    import msgspec

    from modular_agents.proxy.config import RelaySettings
    from modular_agents.proxy.relay.worker import run_worker

    told = line.told()
    return run_worker(msgspec.json.decode(told.settings, type=RelaySettings), told.sockets(), line.ready)


def recorder(line: "Lifeline") -> int:
    """Be the recorder."""
    import gc
    import time

    import msgspec

    from modular_agents.proxy.callers.resolver import listen
    from modular_agents.proxy.config import RecorderSettings
    from modular_agents.proxy.journal.clock import SystemClock
    from modular_agents.proxy.journal.segment import FolderLock
    from modular_agents.proxy.pricing.catalogue import installed
    from modular_agents.proxy.recorder.heap import trimmer
    from modular_agents.proxy.recorder.loop import Recorder
    from modular_agents.proxy.recorder.redact import Redactor
    from modular_agents.proxy.store.sqlite.engine import set_aside

    settings = msgspec.json.decode(line.told().settings, type=RecorderSettings)
    db, journal = Path(settings.db), Path(settings.journal_dir)
    line.listen()
    lock = FolderLock(journal / RECORDER_LOCK)
    while not lock.take():
        if line.pause(LOCK_RETRY_S):
            return 0
    recording = Recorder(
        journal,
        lambda: build_store(db, settings.retention),
        lambda: set_aside(db, time.time_ns()),
        build_rooms(settings.price_aliases),
        Redactor(bytes.fromhex(settings.fingerprint_key)),
        SystemClock(),
        Path(settings.control_dir) / REPORT_NAME,
        db,
        lock.renew,
        listen(settings.callers_pipe, bytes.fromhex(settings.fingerprint_key), time.time_ns),
        trimmer(),
    )
    recording.turn()
    line.ready()
    installed()  # half a second that the first call would wait for, and with it whoever looks for its process
    gc.freeze()  # what is loaded stays: a search for cycles looks only at what came later, and not so often
    gc.set_threshold(GC_ALLOCATIONS)
    recording.run(line.pause)
    return 0


def otlp(line: "Lifeline") -> int:
    """Be what sends calls to an OpenTelemetry collector."""
    from modular_agents.proxy.export.follower import run
    from modular_agents.proxy.journal.clock import SystemClock

    told = line.told()
    line.listen()
    line.ready()
    return run(told.settings, build_reader, SystemClock(), line.pause)


def dashboard(line: "Lifeline") -> int:
    """Be the dashboard beside a proxy."""
    import msgspec

    from modular_agents.proxy.config import DashboardSettings
    from modular_agents.proxy.dashboard.access import Access
    from modular_agents.proxy.dashboard.guard import make_site
    from modular_agents.proxy.dashboard.server import run_dashboard

    told = line.told()
    settings = msgspec.json.decode(told.settings, type=DashboardSettings)
    db = Path(settings.db)
    line.follow()
    access, site = Access(settings.token, Path(settings.links_dir)), make_site(settings.port, settings.hosts, settings.names)
    return run_dashboard(_parts(db, access, site), told.sockets(), line.ready)


def serve_dashboard(settings: "Settings", on_ready: Callable[[str], None]) -> int:
    """Run a dashboard alone until it is told to stop; return the exit code. `on_ready` gets its address. Raises `UsageError`."""
    from modular_agents.proxy.dashboard.access import Access
    from modular_agents.proxy.dashboard.guard import make_site
    from modular_agents.proxy.dashboard.presence import present
    from modular_agents.proxy.dashboard.server import BACKLOG, run_dashboard
    from modular_agents.proxy.supervisor.binding import bind, check_exposure
    from modular_agents.proxy.supervisor.plan import port_of, url_of

    check_exposure(settings.dashboard_host, settings.token)
    refuse_foreign(settings.db)
    sockets = bind(settings.dashboard_host, settings.dashboard_port, BACKLOG)
    site = make_site(port_of(sockets), [str(sock.getsockname()[0]) for sock in sockets], settings.dashboard_names)
    parts = _parts(settings.db, Access(dashboard_token(settings), settings.links_dir), site)
    with present(settings.dashboard_file, url_of(sockets)):
        return run_dashboard(parts, sockets, lambda: on_ready(url_of(sockets)))


def _parts(db: Path, access: "Access", site: "Site") -> "DashboardParts":
    from modular_agents import __version__
    from modular_agents.proxy.dashboard.server import DashboardParts

    return DashboardParts(lambda: build_reader(db), lambda: status(db), access, site, __version__, str(db), corrector=corrector(db))


def dashboard_token(settings: "Settings") -> str:
    """Return the bearer token of this database's dashboards, made now when there is none. Raises `UsageError`."""
    from modular_agents.proxy.supervisor.keys import read_or_make_keys

    return read_or_make_keys(settings.secrets_file).dashboard_token


ROLES: dict[str, Callable[["Lifeline"], int]] = {"relay": relay, "recorder": recorder, "dashboard": dashboard, "otlp": otlp}


def main(arguments: list[str]) -> int:
    """Be what the first argument names, logging from the second's level on in the third's format; return the exit code."""
    from modular_agents.proxy.supervisor.lifeline import Lifeline
    from modular_agents.proxy.supervisor.logs import log_to_stderr

    log_to_stderr(*arguments[:3])
    line = Lifeline()
    try:
        return ROLES[arguments[0]](line)
    except EOFError:
        return 0
    except UsageError as error:
        line.refuse(str(error))
        return 2
    except ProxyError as error:
        _log.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
