"""The relay alone, as a process to measure: `python -m bench.relay_process PORT UPSTREAM_PORT JOURNAL_DIR on|off WORKERS`.

`off` runs everything but the write to the disk: frames are made and thrown away.
"""

import functools
import os
import signal
import socket
import sys

from modular_agents.proxy.config import Limits, RelaySettings, Upstream
from modular_agents.proxy.journal.writer import JournalWriter
from modular_agents.proxy.relay import worker


def main() -> None:
    port, upstream, journal, recording, workers = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
    if recording == "off":
        worker.JournalWriter = functools.partial(JournalWriter, write=lambda _fd, data: len(data))  # type: ignore[misc,assignment]
    sock = socket.create_server(("127.0.0.1", port), backlog=4096)
    names = ("anthropic", "openai")
    settings = RelaySettings(
        upstreams=tuple(Upstream(name, "http", "127.0.0.1", upstream) for name in names),
        default_upstream="openai",
        journal_dir=journal,
        fingerprint_key="ab" * 16,
        limits=Limits(drain_s=0.5),
        control_dir=f"{journal}/control",
        journal_cap_bytes=1 << 40,
    )
    cpus = sorted(os.sched_getaffinity(0))
    children = []
    for number in range(workers - 1):
        pid = os.fork()
        if pid == 0:
            os.sched_setaffinity(0, {cpus[number % len(cpus)]})
            os._exit(worker.run_worker(settings, [sock]))
        children.append(pid)
    if workers > 1:
        os.sched_setaffinity(0, {cpus[-1]})
    worker.run_worker(settings, [sock])
    for pid in children:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
