"""Who is measured: how each one is started in front of the same origin."""

import contextlib
import importlib.util
import os
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
    return running("aiohttp", [PYTHON, "-m", "bench.aiohttp_proxy", str(port), str(upstream)], port, cpus)


def contenders(names: list[str]) -> list[Contender]:
    """Return those asked for that can run here; say what is missing."""
    known = [
        Contender("nginx", "nginx as a streaming reverse proxy: nothing recorded", nginx),
        Contender("relay-off", "our relay, everything but the journal's writes", relay("off")),
        Contender("relay", "our relay: head redaction, journal on disk with group fsync", relay("on")),
        Contender("product", "supervisor, relay, recorder, SQLite: everything but the dashboard", product),
        Contender("aiohttp", "the ordinary Python answer: an aiohttp server with an aiohttp client, nothing recorded", aiohttp),
    ]
    chosen = [contender for contender in known if contender.name in names]
    if importlib.util.find_spec("aiohttp") is None and "aiohttp" in names:
        print("aiohttp is not installed (pip install aiohttp): that row is left out")
        chosen = [contender for contender in chosen if contender.name != "aiohttp"]
    return chosen
