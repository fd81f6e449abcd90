"""The whole product as a person starts it: `anton proxy start` on free ports with a database of its own.

    with Product(tmp_path, provider.url, dashboard=True) as product:
        ...                                   # clients call product.url
        product.sql("SELECT * FROM llm_calls")

Every upstream is the one given. The database is only ever read through the `sqlite3` command: one file must not be
opened by two SQLite libraries in one process.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from tests.support.raw_client import RawClient, RawResponse, request_bytes
from tests.support.repository import ROOT
from websockets.sync.client import ClientConnection, connect

T = TypeVar("T")
START_S = 90.0
"""Five processes' imports on a busy two-core machine."""
STOP_S = 60.0
WAIT_S = 45.0
POLL_S = 0.01
UPSTREAMS = ("anthropic", "openai", "gemini", "ollama")


class Product:
    """One running product. Restart it with `stop()` and `start()`: ports may differ then, the database stays."""

    def __init__(
        self,
        folder: Path,
        provider_url: str,
        *,
        dashboard: bool = True,
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.db = folder / "traces.db"
        self.port = 0
        self.dashboard_port = 0
        self._arguments = [
            *("--db", str(self.db), "--port", "0"),
            *(word for name in UPSTREAMS for word in (f"--{name}-upstream", provider_url)),
            *(("--dashboard", "--dashboard-port", "0") if dashboard else ()),
            *arguments,
        ]
        self._with_dashboard = dashboard
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANTON_", "ANTHROPIC_", "OPENAI_"))}
        self._environment |= {"PYTHONPATH": str(ROOT / "src"), "HOME": str(folder), "NO_COLOR": "1", **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "product.log"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # its life

    def start(self) -> Self:
        """Start it and return when it takes requests. Raises AssertionError with its log when it does not."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "modular_agents.cli", "proxy", "start", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def _await_ready(self) -> None:
        self.wait_until(self._ready, START_S, lambda: f"the product is not ready:\n{self.log.read_text()[-4000:]}")

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the product ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}"
        runtime = self.runtime()
        if runtime is None or runtime["pid"] != self.process.pid:
            return False
        self.port = runtime["port"]
        self.dashboard_port = urlsplit(runtime["dashboard_url"] or "").port or 0
        ports = [self.port, self.dashboard_port] if self._with_dashboard else [self.port]
        with contextlib.suppress(OSError):
            return all(self._answers(port) for port in ports)
        return False

    def _answers(self, port: int) -> bool:
        path = "/-/health" if port == self.port else "/api/status"
        return port > 0 and self._get(port, path).status == 200

    def runtime(self) -> dict[str, Any] | None:
        """Return what the runtime file says, None while there is none."""
        try:
            found: dict[str, Any] = json.loads(self.db.with_name(self.db.name + ".runtime.json").read_text())
        except (OSError, ValueError):
            return None
        return found

    def stop(self, *, signal_number: int = signal.SIGTERM) -> int:
        """Ask it to stop, twice when once is not enough, and return its exit code; whatever is left over is killed."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        for number in (signal_number, signal.SIGTERM):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                process.send_signal(number)
                return process.wait(STOP_S / 2)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def pids(self, role: str) -> list[int]:
        """Return the process ids of `relay`, `recorder` or `dashboard`."""
        runtime = self.runtime() or {}
        found = runtime["worker_pids"] if role == "relay" else [runtime[f"{role}_pid"]]
        return [pid for pid in found if pid]

    def kill(self, role: str) -> list[int]:
        """Kill -9 the processes of a role; return their ids."""
        pids = self.pids(role)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    # talking to it

    @property
    def url(self) -> str:
        """The proxy's address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The dashboard's bearer token, as scripts read it."""
        secrets: dict[str, str] = json.loads(self.db.with_name(self.db.name + ".secrets.json").read_text())
        return secrets["dashboard_token"]

    def _get(self, port: int, path: str) -> RawResponse:
        headers = (("Authorization", f"Bearer {self.token}"),) if port != self.port else ()
        with RawClient(port) as client:
            client.send(request_bytes("GET", path, headers=(*headers, ("Connection", "close")), host=f"127.0.0.1:{port}"))
            return client.read_response()

    def get_bytes(self, path: str) -> bytes:
        """Return the body of a dashboard route. Raises AssertionError unless it is a 200."""
        response = self._get(self.dashboard_port, path)
        assert response.status == 200, (path, response.status, response.body[:500])
        return response.body

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a dashboard route."""
        return json.loads(self.get_bytes(path))

    def own(self, path: str) -> RawResponse:
        """Return the answer of one of the relay's own routes (`/-/…`)."""
        return self._get(self.port, path)

    @contextlib.contextmanager
    def follow(self, after: int | None = None) -> Iterator[ClientConnection]:
        """Open the live WebSocket."""
        query = "" if after is None else f"?after={after}"
        headers = {"Authorization": f"Bearer {self.token}"}
        with connect(f"ws://127.0.0.1:{self.dashboard_port}/ws{query}", additional_headers=headers, open_timeout=10) as socket:
            yield socket

    # its database

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Return rows as Debian's `sqlite3 -readonly` gives them. Raises AssertionError with its message."""
        done = subprocess.run(
            ["sqlite3", "-readonly", "-json", "-cmd", ".timeout 5000", str(self.db), query], capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        rows: list[dict[str, Any]] = json.loads(done.stdout.decode("utf-8", "replace") or "[]", strict=False)
        return rows

    def wait_sql(self, query: str, condition: Callable[[list[dict[str, Any]]], object], timeout_s: float = WAIT_S) -> list[dict[str, Any]]:
        """Return the rows of a query once they fulfil a condition."""
        return self.wait_value(lambda: self.sql(query), condition, timeout_s)

    def wait_calls(self, count: int, timeout_s: float = WAIT_S) -> list[dict[str, Any]]:
        """Return every row of `llm_calls`, oldest first, once at least `count` have ended."""
        query = "SELECT * FROM llm_calls ORDER BY created_at, call_id"
        return self.wait_sql(query, lambda rows: sum(row["status"] != "running" for row in rows) >= count, timeout_s)

    @staticmethod
    def wait_until(condition: Callable[[], object], timeout_s: float = WAIT_S, message: Callable[[], str] = lambda: "not in time") -> None:
        """Return when a condition holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, message()
            time.sleep(POLL_S)

    @staticmethod
    def wait_value(ask: Callable[[], T], condition: Callable[[T], object], timeout_s: float = WAIT_S) -> T:
        """Return what `ask()` gives once it fulfils a condition."""
        deadline = time.monotonic() + timeout_s
        while not condition(value := ask()):
            assert time.monotonic() < deadline, f"not in {timeout_s} s; last seen: {str(value)[:2000]}"
            time.sleep(POLL_S * 5)
        return value
