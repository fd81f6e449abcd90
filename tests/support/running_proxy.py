"""A whole proxy in processes of its own: supervisor, workers, recorder and, when asked, dashboard; and its database looked at.

with RunningProxy(directory, {"openai": provider.url}) as proxy:
    ...  # calls to proxy.url
    proxy.wait_for(lambda: proxy.count("status = 'completed'") == 3)

Run as a program it is the supervisor itself: settings come in as JSON, the runtime file's content goes out when it is ready.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from modular_agents.proxy.app import build_reader, start
from modular_agents.proxy.config import Limits, Settings, Upstream
from modular_agents.proxy.errors import ProxyError
from modular_agents.proxy.model.query import CallFilter, CallRow
from modular_agents.proxy.supervisor.runtime import Runtime, read_runtime

DEADLINE_S = 30.0


class RunningProxy:
    """`settings` are fields of `config.Settings` besides the database, as plain values."""

    def __init__(
        self,
        directory: Path,
        upstreams: Mapping[str, str],
        log_directory: Path | None = None,
        files: int | None = None,
        file_kib: int | None = None,
        **settings: Any,  # noqa: ANN401 - as `Settings` has them
    ) -> None:
        self.db = directory / "traces.db"
        self.settings = {
            "port": 0,
            "dashboard_port": 0,
            "upstreams": [_upstream(name, url) for name, url in upstreams.items()],
            "default_upstream": next(iter(upstreams)),
        } | settings
        self.process: subprocess.Popen[bytes] | None = None
        self.limits = [f"ulimit -n {files}"] if files else []
        self.limits += [f"ulimit -f {file_kib * 2}"] if file_kib else []
        """What each of its processes may have: open files, and size of a file (in units of 512 bytes, POSIX)."""
        self.log = (log_directory or directory) / "proxy.log"

    @property
    def paths(self) -> Settings:
        return Settings(self.db)

    @property
    def runtime(self) -> Runtime:
        runtime = read_runtime(self.paths.runtime_file)
        assert runtime is not None, self.log.read_text()
        return runtime

    @property
    def url(self) -> str:
        return self.runtime.url

    @property
    def port(self) -> int:
        return self.runtime.port

    def begin(self) -> subprocess.Popen[bytes]:
        """Start the supervisor and do not wait."""
        shell = ["sh", "-c", " && ".join([*self.limits, 'exec "$@"']), "sh"] if self.limits else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*shell, sys.executable, "-m", "tests.support.running_proxy", str(self.db), json.dumps(self.settings)],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        return self.process

    def start(self) -> Self:
        process = self.begin()
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == b"ready\n", line + self.log.read_bytes()
        return self

    def stop(self, number: int = signal.SIGTERM, deadline_s: float = DEADLINE_S) -> int:
        """Send a signal, wait for the end, return the exit code."""
        process = self.process
        assert process is not None
        process.send_signal(number)
        return process.wait(deadline_s)

    @property
    def recorder_pid(self) -> int:
        """The recorder's; waits for one that is being started."""
        wait_for(lambda: self.runtime.recorder_pid is not None)
        pid = self.runtime.recorder_pid
        assert pid is not None
        return pid

    def kill(self, pid: int | None, number: int = signal.SIGKILL) -> None:
        """kill -9 one of its processes, or send it another signal."""
        assert pid is not None
        assert pid > 1, "that would be a whole group of processes"
        os.kill(pid, number)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop(deadline_s=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        if kind is not None:
            sys.stderr.write(self.log.read_text())

    def calls(self) -> list[CallRow]:
        """Return every call in the database, newest first."""
        reader, found, cursor = build_reader(self.db), list[CallRow](), None
        try:
            while True:
                page = reader.calls(CallFilter(), cursor, 500)
                found += page.items
                cursor = page.next_cursor
                if cursor is None:
                    return found
        finally:
            reader.close()

    def wait_for(self, condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
        """Poll until a condition holds; a database that is not there yet is not there yet."""
        wait_for(condition, deadline_s)

    def wait_for_calls(self, *statuses: str, deadline_s: float = DEADLINE_S) -> list[CallRow]:
        """Wait until the calls in the database have exactly these statuses, in any order."""
        found: list[CallRow] = []

        def look() -> bool:
            found[:] = self.calls()
            return sorted(call.status for call in found) == sorted(statuses)

        self.wait_for(look, deadline_s)
        return found


def wait_for(condition: Callable[[], bool], deadline_s: float = DEADLINE_S, every_s: float = 0.02) -> None:
    """Poll a condition; AssertionError when it does not hold in time."""
    until = time.monotonic() + deadline_s
    while True:
        try:
            if condition():
                return
        except (ProxyError, OSError):
            pass
        assert time.monotonic() < until, "a condition did not come true in time"
        time.sleep(every_s)


def _upstream(name: str, url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {"name": name, "scheme": parts.scheme, "host": parts.hostname, "port": parts.port}


def main() -> int:
    given = json.loads(sys.argv[2])
    upstreams = tuple(Upstream(**fields) for fields in given.pop("upstreams"))
    limits = Limits(**given.pop("limits", {}))
    settings = Settings(Path(sys.argv[1]), upstreams=upstreams, limits=limits, **given)

    def ready(_: Runtime) -> None:
        os.write(1, b"ready\n")

    try:
        return start(settings, ready)
    except ProxyError as error:
        os.write(1, msgspec.json.encode({type(error).__name__: str(error)}) + b"\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
