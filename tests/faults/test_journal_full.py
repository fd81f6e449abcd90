"""D3: a journal that cannot grow, or whose disk is full, fails no call; what is not recorded is counted exactly, and shown everywhere."""

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_supervisor import ask
from tests.support.anton_process import anton
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.running_proxy import RunningProxy, wait_for
from tests.support.stopping import stopped

from modular_agents.proxy.app import REPORT_NAME, status
from modular_agents.proxy.journal.frames import Kind, decode
from modular_agents.proxy.recorder.report import read_report

pytestmark = pytest.mark.slow
CAP_BYTES = 2**20
FRAMES = 5
"""Of a call whose bodies come in one piece: head and body of each side, END."""
CALLS, BODY_CHARS = 240, 10_000
"""A body of 40,000 came in two pieces once in 2,500 times on a busy machine, and made six frames."""


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def metric(port: int, name: str) -> int:
    with RawClient(port, timeout_s=30) as client:
        client.send(request_bytes("GET", "/-/metrics"))
        found = re.search(rf"^anton_{name} (\d+)$", client.read_response().body.decode(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_what_the_cap_drops_is_counted_exactly_and_shown_everywhere(tmp_path: Path, provider: ProviderServer) -> None:
    with Product(tmp_path, provider.url, environment={"ANTON_JOURNAL_CAP_BYTES": str(CAP_BYTES)}) as product:
        (recorder,) = product.pids("recorder")
        with stopped(recorder):
            for number in range(CALLS):
                assert ask(product.port, f"call {number} {'x' * BODY_CHARS}") == 200
            product.wait_until(lambda: not metric(product.port, "journal_degraded") + metric(product.port, "journal_queued_bytes"), 60)
            dropped = metric(product.port, "journal_dropped_frames_total")
            segments = list(product.db.with_name(product.db.name + ".journal").glob("*.seg"))
            kinds = [frame.kind for segment in segments for frame in decode(segment.read_bytes())]
            kept = sum(kind not in {Kind.SEGMENT, Kind.SEALED, Kind.DROPPED} for kind in kinds)
            assert 0 < dropped == CALLS * FRAMES - kept
            assert sum(segment.stat().st_size for segment in segments) <= CAP_BYTES
            shown = anton(tmp_path, "proxy", "status", "--db", str(product.db)).stdout
            assert f"{dropped:,} records (the calls themselves were relayed)" in shown
            assert product.get("/api/status")["records_dropped"] == dropped
        report = product.db.with_name(product.db.name + ".control") / REPORT_NAME

        def is_told() -> bool:
            """Return whether the recorder knows of every loss: each is told before the next frame that there is room for."""
            found = read_report(report)
            return found is not None and found.dropped_frames == metric(product.port, "journal_dropped_frames_total")

        product.wait_until(lambda: ask(product.port, "afterwards") == 200 and is_told(), 60)
        rows = product.wait_sql("SELECT status FROM llm_calls", lambda rows: all(row["status"] != "running" for row in rows), 30)
        assert len(rows) >= kept // FRAMES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, for root only."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_under_journal_and_store_fails_no_call_and_loses_nothing_that_fits_memory(
    tmp_path: Path, small_disk: Path, provider: ProviderServer
) -> None:
    with RunningProxy(small_disk, {"openai": provider.url}, log_directory=tmp_path) as proxy:
        port = proxy.port
        assert ask(port, "before") == 200
        proxy.wait_for_calls("completed")
        calls = itertools.count(2)
        with (small_disk / "filler").open("wb", buffering=0) as filler:

            def is_degraded() -> bool:
                """Fill what room there is (the store may just have given some back), and make a call."""
                with contextlib.suppress(OSError):
                    while filler.write(bytes(4096)):
                        pass
                return next(calls) > 0 and ask(port, "meanwhile") == 200 and metric(port, "journal_degraded") == 1

            wait_for(is_degraded, 60)
        assert [ask(port, f"meanwhile {number}") for number in range(20)] == [200] * 20
        wait_for(lambda: "JOURNAL DEGRADED" in anton(tmp_path, "proxy", "status", "--db", str(proxy.db)).stdout)
        assert "journal degraded: append: " in proxy.log.read_text()
        (small_disk / "filler").unlink()
        wait_for(lambda: metric(port, "journal_degraded") == 0)
        proxy.wait_for_calls(*["completed"] * (next(calls) - 1 + 20), deadline_s=60)
        assert (now := status(proxy.db)) is not None
        assert (now.records_dropped, metric(port, "journal_dropped_frames_total")) == (0, 0)


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(tmp_path: Path, provider: ProviderServer) -> None:
    """Where nothing can be mounted: RLIMIT_FSIZE makes appends fail the same way, and its signal must not kill a worker."""
    with RunningProxy(tmp_path, {"openai": provider.url}, file_kib=512) as proxy:
        port, workers = proxy.port, proxy.runtime.worker_pids
        large = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 100_000}]}).encode()
        for _ in range(12):
            with RawClient(port, timeout_s=60) as client:
                client.send(request_bytes("POST", "/v1/chat/completions", large))
                assert client.read_response().status == 200
        assert proxy.runtime.worker_pids == workers
        assert metric(port, "journal_degraded_total") >= 1
