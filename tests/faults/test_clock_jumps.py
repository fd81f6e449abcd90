"""The wall clock jumps a day ahead and a day back under the whole product: calls go on, and no duration is bent."""

import struct
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_supervisor import ask
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.repository import ROOT
from tests.support.script import Script

pytestmark = pytest.mark.slow
DAY_S = 86_400
CLOCK = """
    import os, struct, time
    _fd, _real = os.open({file!r}, os.O_RDONLY), time.time_ns
    def _shifted_ns():
        return _real() + struct.unpack("<q", os.pread(_fd, 8, 0))[0] * 1_000_000_000
    time.time_ns, time.time = _shifted_ns, lambda: _shifted_ns() / 1e9
"""
"""Runs in each process of the product before anything of it is imported."""


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def test_a_clock_that_jumps_a_day_bends_nothing(tmp_path: Path, provider: ProviderServer) -> None:
    offset = tmp_path / "offset"

    def jump(seconds: int) -> None:
        offset.write_bytes(struct.pack("<q", seconds))

    jump(0)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(textwrap.dedent(CLOCK.format(file=str(offset))))
    with Product(tmp_path, provider.url, environment={"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT / 'src'}"}) as product:
        assert ask(product.port, "before") == 200
        for number, seconds in enumerate((DAY_S, -DAY_S, 0)):
            provider.hold()
            script, answers = Script(stall_at=1, chunks=4), list[int]()
            asking = threading.Thread(
                target=lambda text, script, to: to.append(ask(product.port, text, script, stream=True)),
                args=(f"open {number}", script, answers),
            )
            asking.start()
            product.wait_sql("SELECT status FROM llm_calls WHERE status = 'running'", lambda rows: len(rows) == 1, 30)
            jump(seconds)
            assert ask(product.port, f"after {number}") == 200
            provider.release()
            asking.join()
            assert answers == [200]
            before = product.kill("relay")
            product.wait_until(lambda: product.pids("relay") not in ([], before), 30)  # noqa: B023 - waited for here
            assert ask(product.port, f"anew {number}") == 200
            product.wait_calls(4 + 3 * number, 30)
        rows = product.sql("SELECT messages, status, duration_ms, ttft_ms, created_at, ended_at FROM llm_calls")
        assert [(len(rows), row["status"]) for row in rows] == [(10, "completed")] * 10
        assert all(0 <= row["ttft_ms"] <= row["duration_ms"] < 60_000 for row in rows if row["ttft_ms"] is not None)
        assert all(row["created_at"] <= row["ended_at"] for row in rows)
        assert len({row["created_at"][:10] for row in rows}) == 3, "a worker takes the time when it begins, and goes on from there"
        assert len(product.get("/api/calls")["items"]) == 10
        assert sum(item["call_count"] for item in product.get("/api/traces")["items"]) == 10
