"""Clients that remember what they were answered, and the comparison of their memory with the provider's and the database's.

Every call has a name of its own in its prompt, is sent once and never again. A call is *acknowledged* when its whole answer
reached the client.
"""

import http.client
import itertools
import json
import random
import re
import threading
from collections import Counter
from dataclasses import dataclass, field

from tests.support.provider_server import ProviderServer
from tests.support.running_proxy import RunningProxy
from tests.support.script import Script

from modular_agents.proxy.app import build_reader

_NAME = re.compile(rb"call-\d+-of-\d+")
NAME_HEADER = "x-call-name"
"""The name again, in the head: a call whose worker died before its body came has no prompt to know it by."""
FINAL = {"completed", "failed", "cancelled", "interrupted"}
SCRIPTS = (Script(), Script(chunks=3), Script(chunks=6, gap_ms=15), Script(chunks=12, gap_ms=30), Script(fill_bytes=40_000))


@dataclass
class Clients:
    """`count` clients that call a proxy until told to stop, each `pause_s` after its last answer."""

    port: int
    count: int = 8
    seed: int = 1
    pause_s: float = 0.0
    scripts: tuple[Script, ...] = SCRIPTS
    acknowledged: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def start(self) -> None:
        self._stop.clear()
        self._threads = [threading.Thread(target=self._call_on, args=(n,)) for n in range(self.count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def made(self) -> int:
        return len(self.acknowledged) + len(self.failed)

    def _call_on(self, client: int) -> None:
        dice, connection = random.Random(self.seed * 1000 + client), None
        while not self._stop.is_set():
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            name = f"call-{next(self._numbers)}-of-{client}"
            try:
                self._one(connection, name, dice)
                self.acknowledged.add(name)
            except (OSError, http.client.HTTPException, AssertionError):
                self.failed.add(name)
                connection.close()
                connection = None
            self._stop.wait(self.pause_s)
        if connection is not None:
            connection.close()

    def _one(self, connection: http.client.HTTPConnection, name: str, dice: random.Random) -> None:
        stream = dice.random() < 0.6
        prompt = f"{name} {dice.choice(self.scripts).directive()}"
        body = {"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": prompt}]}
        headers = {"content-type": "application/json", NAME_HEADER: name}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200
        assert text.endswith(b"data: [DONE]\n\n") if stream else json.loads(text)


def named(body: bytes) -> str:
    """Return the name of the call whose request this is."""
    match = _NAME.search(body)
    return match[0].decode() if match else ""


def names_in_heads(proxy: RunningProxy, call_ids: list[str]) -> dict[str, str]:
    """Return the name that the recorded head of each call tells, "" where none stands there."""
    reader, found = build_reader(proxy.db), dict[str, str]()
    try:
        for call_id in call_ids:
            exchange = reader.exchange(call_id)
            headers = exchange.request.headers if exchange else ()
            found[call_id] = next((value for name, value in headers if name.lower() == NAME_HEADER), "")
    finally:
        reader.close()
    return found


def compare(clients: Clients, provider: ProviderServer, proxy: RunningProxy) -> dict[str, int]:
    """Check that nothing is lost, nothing doubled, nothing left open; return the counts.

    A worker that was killed after a head and before its body leaves a row without a prompt: it is known by its head, and must
    say `interrupted` (`misjudged` counts those that do not, `promptless` all of them). `nameless`: rows of no call of ours.
    """
    rows = proxy.calls()
    names = [row.prompt_preview.split(" ")[0] for row in rows]
    heads = names_in_heads(proxy, [row.call_id for row, name in zip(rows, names, strict=True) if not name])
    names = [name or heads[row.call_id] for row, name in zip(rows, names, strict=True)]
    recorded = Counter(names)
    completed = {row.prompt_preview.split(" ")[0] for row in rows if row.status == "completed"}
    seen = {named(request.body) for request in provider.requests if request.complete_at is not None}
    figures = {
        "made": clients.made,
        "acknowledged": len(clients.acknowledged),
        "recorded": len(rows),
        "interrupted": sum(row.status == "interrupted" for row in rows),
        "lost": len(clients.acknowledged - completed),
        "unseen": len(seen - set(recorded)),
        "doubled": sum(times > 1 for times in recorded.values()),
        "nameless": recorded[""],
        "promptless": sum(not row.prompt_preview for row in rows),
        "misjudged": sum(row.status != "interrupted" for row in rows if not row.prompt_preview),
        "open": sum(row.status not in FINAL for row in rows),
        "gaps": sum("gap" in row.flags for row in rows),
    }
    wrong = {name: figures[name] for name in ("lost", "unseen", "doubled", "nameless", "open", "misjudged") if figures[name]}
    twice = [(name, row.call_id, row.status, row.created_at) for name, row in zip(names, rows, strict=True) if recorded[name] > 1]
    assert not wrong, (figures, twice)
    return figures
