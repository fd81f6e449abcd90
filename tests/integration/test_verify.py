"""`anton proxy verify` against a running product, against a relay that is not transparent, and over a damaged database."""

import asyncio
import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.anton_process import anton
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes

from modular_agents.proxy.supervisor.binding import reserve
from modular_agents.proxy.verify.cases import Way, table
from modular_agents.proxy.verify.selftest import Row, run


@pytest.mark.slow
def test_the_running_product_changes_no_byte_and_damage_is_found(provider: ProviderServer, tmp_path: Path) -> None:
    with Product(tmp_path, provider.url, dashboard=False, arguments=("--workers", "2")) as product:
        with RawClient(product.port) as client:
            client.send(request_bytes("GET", "/u/anton-verify/x", host="localhost"))
            assert client.read_response().status == 502  # nobody listens there while nobody tests
        done = anton(tmp_path, "proxy", "verify", "--records", "--json", "--db", str(product.db))
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["ok"] is True
        assert (found["wire"]["bytes_changed"], found["wire"]["recorded"]["faults"]) == (0, [])
        assert found["wire"]["bytes_compared"] > 130_000
        assert len(found["wire"]["rows"]) == found["wire"]["recorded"]["calls"] + 2
        assert found["records"]["stored"]["calls"] > len(found["wire"]["rows"])
        assert (found["records"]["stored"]["faults"], found["records"]["stored"]["damage"]) == ([], [])
        assert found["records"]["stored"]["rebuilt"] == 1
        assert not provider.requests
        shown = anton(tmp_path, "proxy", "verify", "--db", str(product.db))
        assert (shown.returncode, shown.stderr) == (0, ""), shown.stdout
        assert "bytes changed: 0" in shown.stdout
    spoil = "UPDATE body SET data = x'00414243' WHERE id = 1; UPDATE asked SET record = x'01ff' WHERE call = (SELECT max(call) FROM asked)"
    subprocess.run(["sqlite3", str(product.db), spoil], check=True, timeout=30)
    spoilt = anton(tmp_path, "proxy", "verify", "--records", "--db", str(product.db))
    assert spoilt.returncode == 1
    assert "Only the records are checked" in spoilt.stderr
    assert "the request is not the one that was recorded" in spoilt.stdout
    assert "it cannot be put together" in spoilt.stdout


@pytest.mark.slow
def test_a_proxy_with_a_token_is_tested_with_it(provider: ProviderServer, tmp_path: Path) -> None:
    token = "dummy-token-of-a-test"
    with Product(tmp_path, provider.url, dashboard=False, environment={"ANTON_TOKEN": token}, arguments=("--host", "0.0.0.0")) as product:  # noqa: S104 - with a token
        assert anton(tmp_path, "proxy", "verify", "--db", str(product.db), ANTON_TOKEN=token).returncode == 0
        kept_out = anton(tmp_path, "proxy", "verify", "--db", str(product.db))
        assert (kept_out.returncode, kept_out.stdout) == (2, "")
        assert "Set ANTON_TOKEN" in kept_out.stderr


async def _through(change: tuple[bytes, bytes]) -> tuple[Row, ...]:
    """Run the table through a plain pipe that puts one text for another in what providers answer, and health as ours."""
    with reserve() as reserved:
        echo_port = reserved.getsockname()[1]
        way = Way(b"", b"127.0.0.1:1", b"127.0.0.1:1")

        async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", echo_port)

            async def back() -> None:
                with contextlib.suppress(OSError):
                    while data := await far_reader.read(65536):
                        writer.write(data.replace(*change))
                writer.close()

            returning = asyncio.create_task(back())
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    if data.startswith(b"GET /-/health"):
                        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                        break
                    far_writer.write(data)
            far_writer.close()
            await returning

        server = await asyncio.start_server(pipe, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        chosen = tuple(case for case in table(way) if case.target in {b"/busy", b"/events", b"/method", b"/cut"})
        rows = await run(chosen, "127.0.0.1", port, echo_port, lambda _: None)
        server.close()
        return rows


def test_a_relay_that_changes_a_byte_is_found_out() -> None:
    rows = {row.name: row for row in asyncio.run(_through((b"retry-After", b"Retry-After")))}
    assert {name for name, row in rows.items() if not row.is_ok} == {"529 with Retry-After"}
    (found,) = rows["529 with Retry-After"].differences
    assert (found.way, found.at, found.changed) == ("to the client", len(b"HTTP/1.1 529 \r\n"), 1)
    assert (found.expected, found.came) == ("retry-After:", "Retry-After:")


def test_a_relay_that_changes_a_stream_is_found_out() -> None:
    rows = {row.name: row for row in asyncio.run(_through((b": a comment", b": b comment")))}
    assert {name for name, row in rows.items() if not row.is_ok} == {"event stream, piece by piece"}
