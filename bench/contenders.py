"""Who is measured: how each one is started in front of the same origin."""

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.origins import nginx_proxying
from bench.processes import Running, free_port, running

PYTHON = sys.executable


@dataclass(frozen=True, slots=True)
class Contender:
    """Starts in front of an origin's port, in a folder of its own, on some CPUs."""

    name: str
    says: str
    start: Callable[[int, Path, set[int]], AbstractContextManager[Running]]


def nginx(upstream: int, folder: Path, cpus: set[int]) -> AbstractContextManager[Running]:
    port = free_port()
    return running("nginx", nginx_proxying(folder, port, upstream), port, cpus)


def relay(recording: str, workers: int = 1) -> Callable[[int, Path, set[int]], AbstractContextManager[Running]]:
    """Return how to start the relay alone, its journal `on` or `off`."""

    def start(upstream: int, folder: Path, cpus: set[int]) -> AbstractContextManager[Running]:
        port = free_port()
        command = [PYTHON, "-m", "bench.relay_process", str(port), str(upstream), str(folder / "journal"), recording, str(workers)]
        return running(f"relay-{recording}-{workers}", command, port, cpus)

    return start


@contextlib.contextmanager
def product(upstream: int, folder: Path, cpus: set[int]) -> Iterator[Running]:
    """Everything a user runs but the dashboard: supervisor, relay, recorder, SQLite."""
    port = free_port()
    command = [
        PYTHON, "-m", "modular_agents.cli", "proxy", "start", "--port", str(port), "--db", str(folder / "traces.db"),
        "--anthropic-upstream", f"http://127.0.0.1:{upstream}", "--config", os.devnull,
    ]  # fmt: skip
    with running("product", command, port, cpus) as server:
        yield server


def aiohttp(upstream: int, _folder: Path, cpus: set[int]) -> AbstractContextManager[Running]:
    port = free_port()
    return running("aiohttp", [PYTHON, "-m", "bench.aiohttp_proxy", str(port), str(upstream)], port, cpus, quiet=True)


def uvicorn(upstream: int, _folder: Path, cpus: set[int]) -> AbstractContextManager[Running]:
    port = free_port()
    return running("uvicorn", [PYTHON, "-m", "bench.uvicorn_proxy", str(port), str(upstream)], port, cpus, quiet=True)


def mitmproxy(upstream: int, folder: Path, cpus: set[int]) -> AbstractContextManager[Running]:
    """mitmproxy as a reverse proxy that streams, as its documentation shows it; bodies are not kept."""
    port = free_port()
    command = [
        find(MITMDUMP) or MITMDUMP, "--quiet", "--mode", f"reverse:http://127.0.0.1:{upstream}@127.0.0.1:{port}",
        "--set", "stream_large_bodies=1", "--set", f"confdir={folder}", "--set", "http2=false", "--set", "flow_detail=0",
    ]  # fmt: skip
    return running("mitmproxy", command, port, cpus)


MITMDUMP = "mitmdump"
WHERE = "ANTON_BENCH_PATH"
"""Variable: a folder with programs to compare with, such as the `bin` of a throw-away virtual environment."""
OTHERS = {
    "aiohttp": "aiohttp is not installed (it is with `make test`): that row is left out",
    "mitmproxy": f"mitmproxy is not installed: install it in a virtual environment of its own, and name its bin folder in {WHERE}",
    "litellm": "LiteLLM is not measured: releases of it carried malware twice in 2026, so this bench neither installs nor starts it",
}


def find(program: str) -> str | None:
    """Return where a program is, None when it is not installed."""
    return shutil.which(program, path=os.pathsep.join(filter(None, (os.environ.get(WHERE), os.environ.get("PATH")))))


def _missing(name: str) -> bool:
    has_aiohttp = importlib.util.find_spec("aiohttp") is not None
    return name == "litellm" or (name == "mitmproxy" and find(MITMDUMP) is None) or (name in {"aiohttp", "uvicorn"} and not has_aiohttp)


def contenders(names: list[str]) -> list[Contender]:
    """Return those asked for that can run here; say what is missing. Raises SystemExit for a name that nobody has."""
    known = [
        Contender("nginx", "nginx as a streaming reverse proxy: nothing recorded", nginx),
        Contender("relay-off", "our relay, everything but the journal's writes", relay("off")),
        Contender("relay", "our relay: head redaction, journal on disk with group fsync", relay("on")),
        Contender("product", "supervisor, relay, recorder, SQLite: everything but the dashboard", product),
        Contender("aiohttp", "an ordinary Python answer: aiohttp's server with its client, nothing recorded", aiohttp),
        Contender("uvicorn", "the other one: uvicorn (httptools, uvloop) with aiohttp's client, nothing recorded", uvicorn),
        Contender("mitmproxy", "mitmdump as a streaming reverse proxy: parses, offers every flow to scripts, intercepts TLS", mitmproxy),
    ]
    unknown = set(names) - {contender.name for contender in known} - set(OTHERS)
    if unknown:
        raise SystemExit(f"nobody is called {', '.join(sorted(unknown))}: known are {', '.join(contender.name for contender in known)}")
    for name in names:
        if _missing(name):
            print(OTHERS.get(name, OTHERS["aiohttp"]))
    return [contender for contender in known if contender.name in names and not _missing(contender.name)]
