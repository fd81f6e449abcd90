"""`python -m tests.browser.stage [port]`: the dashboard over a played store, for working on the page. Prints its link."""

import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.browser.stage.play import Director
from tests.browser.stage.scenes import history, many_traces, run, wide_trace
from tests.browser.stage.stage import Stage
from tests.support.running_dashboard import running_dashboard

from modular_agents.proxy.dashboard.page import STATIC

PAUSE_S = 20


def main() -> None:
    """Serve until Ctrl-C; a new run is played every while."""
    stage = Stage()
    now_ms = time.time() * 1000
    history(stage, now_ms)
    wide_trace(stage, 99, 20, now_ms)
    many_traces(stage, int(sys.argv[1]) if len(sys.argv) > 1 else 300, now_ms)
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder, running_dashboard(Path(folder), stage, STATIC) as running:
        sys.stdout.write(f"http://{running.host}/login?token={running.link()}\n")
        sys.stdout.flush()
        try:
            for number in range(1, 10_000):
                director = Director(stage, time.time() * 1000, pace=1.0)
                run(director, f"live-{number}", f"Run {number}: add rate limiting to the API service")
                director.play(stop.is_set)
                stop.wait(PAUSE_S)
        except KeyboardInterrupt:
            stop.set()


if __name__ == "__main__":
    main()
