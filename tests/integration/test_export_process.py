"""Export and import as a person runs them, beside a running proxy; and the live push to a collector."""

import csv
import io
import json
import subprocess
from pathlib import Path

import pytest
from tests.support import har_schema
from tests.support.anton_process import anton, command, environment
from tests.support.collector import Reply, RunningCollector
from tests.support.product import Product
from tests.support.provider_server import ProviderServer
from tests.support.raw_client import RawClient, request_bytes
from tests.support.running_proxy import wait_for
from tests.support.script import Script

CALLS = 6


def send(product: Product, count: int = CALLS, trace: str = "exported") -> None:
    """Send calls and wait until all that were ever sent are recorded."""
    for number in range(count):
        body = json.dumps({"model": "claude-opus-4-8", "max_tokens": 9, "messages": [{"role": "user", "content": f"question {number} ☃"}]})
        with RawClient(product.port) as client:
            head = (("Content-Type", "application/json"), ("X-Api-Key", "sk-ant-dummy"), ("Connection", "close"))
            client.send(request_bytes("POST", f"/t/{trace}/v1/messages", body.encode(), head))
            assert client.read_response().status == 200
    done = f"SELECT count(*) AS n FROM llm_calls WHERE status = 'completed' AND trace_id = '{trace}'"  # noqa: S608 - a name of ours
    product.wait_sql(done, lambda rows: rows[0]["n"] >= count, 30)


@pytest.fixture(scope="module")
def recorded(product: Product, provider: ProviderServer) -> Product:
    provider.on(Script(text="An answer: =1+1"))
    send(product)
    return product


def export(product: Product, home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return anton(home, "proxy", "export", "--db", str(product.db), *words)


def test_every_format_beside_a_running_proxy(recorded: Product, tmp_path: Path) -> None:
    for name in ("jsonl", "csv", "parquet", "har", "otlp", "html"):
        file = tmp_path / f"calls.{name}"
        done = export(recorded, tmp_path, "--format", name, "--trace", "exported", "-o", str(file), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"format": name, "output": str(file), "calls": CALLS, "bytes": file.stat().st_size}
        assert file.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(io.StringIO((tmp_path / "calls.csv").read_text("utf-8"))))
    assert {row["prompt"] for row in rows} == {f"question {number} ☃" for number in range(CALLS)}
    assert len(har_schema.check(json.loads((tmp_path / "calls.har").read_text("utf-8")))) == CALLS
    assert not any(b"sk-ant-dummy" in (tmp_path / f"calls.{name}").read_bytes() for name in ("jsonl", "csv", "har", "otlp", "html"))
    assert list(tmp_path.glob("*.part")) == []


def test_what_goes_out_comes_back_the_same(recorded: Product, tmp_path: Path) -> None:
    one, other, db = tmp_path / "one.jsonl", tmp_path / "other.jsonl", tmp_path / "copy.db"
    assert export(recorded, tmp_path, "--format", "jsonl", "-o", str(one)).returncode == 0
    refused = anton(tmp_path, "proxy", "import", str(one), "--db", str(recorded.db))
    assert (refused.returncode, "A proxy is recording" in refused.stderr) == (1, True)
    done = anton(tmp_path, "proxy", "import", str(one), "--db", str(db), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["already"], told["refused"], told["read_anew"], told["is_whole"]) == (0, 0, 0, True)
    assert told["calls"] >= CALLS
    assert anton(tmp_path, "proxy", "export", "--format", "jsonl", "-o", str(other), "--db", str(db)).returncode == 0
    assert other.read_bytes() == one.read_bytes()
    again = anton(tmp_path, "proxy", "import", str(one), "--db", str(db))
    assert again.stdout == f"0 calls imported into {db}; {told['calls']} were there already.\n"
    graph = ("SELECT * FROM call_graph ORDER BY edge_id", "SELECT call_id, messages, response, cost_usd FROM llm_calls ORDER BY call_id")
    for query in graph:
        copied = subprocess.run(["sqlite3", "-readonly", "-json", str(db), query], capture_output=True, check=True)
        assert json.loads(copied.stdout or "[]") == recorded.sql(query)


def test_a_bad_line_is_named(recorded: Product, tmp_path: Path) -> None:
    lines = export(recorded, tmp_path, "--format", "jsonl").stdout.splitlines(keepends=True)
    file = tmp_path / "bad.jsonl"
    file.write_text("".join([*lines[:2], '{"call_id": 7}\n', *lines[2:-1]]))
    stopped = anton(tmp_path, "proxy", "import", str(file), "--db", str(tmp_path / "a.db"))
    assert stopped.returncode == 2
    assert "line 3: " in stopped.stderr
    went_on = anton(tmp_path, "proxy", "import", str(file), "--db", str(tmp_path / "b.db"), "--skip-bad")
    assert went_on.returncode == 1
    assert "1 lines left out; the file ends early" in went_on.stdout
    for content in ("", "no export\n", '{"anton_export":"calls","version":99}\n'):
        file.write_text(content)
        assert anton(tmp_path, "proxy", "import", str(file), "--db", str(tmp_path / "c.db")).returncode == 2
    assert anton(tmp_path, "proxy", "import", str(tmp_path / "none"), "--db", str(tmp_path / "c.db")).returncode == 2


def test_wrong_use_is_explained(recorded: Product, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    for words, code, said in (
        (["--format", "doc"], 2, "There is no format 'doc'. There are jsonl, csv,"),
        (["--format", "csv", "--trace", "nobody"], 4, "No trace or call has the id 'nobody'"),
        (["--format", "csv", "--filter", "agent:nobody"], 4, "No call that has ended fits: nothing is written."),
        (["--format", "csv", "--filter", "has:fun"], 2, "has:fun is no filter"),
        (["--format", "csv", "--since", "NaN"], 2, "is not a time"),
        (["--format", "csv", "-o", str(there)], 2, "is there already. --force replaces it."),
        (["--format", "csv", "-o", str(tmp_path)], 2, "is a folder"),
        (["--format", "csv", "-o", str(tmp_path / "no" / "where.csv")], 1, "cannot be written: No such file"),
        (["--format", "csv", "--json"], 2, "give --output FILE"),
        (["--format", "csv", "--push"], 2, "belong to --format otlp"),
    ):
        done = export(recorded, tmp_path, *words)
        assert (done.returncode, done.stdout) == (code, ""), words
        assert said in done.stderr
    assert there.read_text() == "mine"
    assert export(recorded, tmp_path, "--format", "csv", "-o", str(there), "--force").returncode == 0
    assert there.read_text().startswith("call_id,")


def test_a_pipe_that_is_closed_ends_it_quietly(recorded: Product, tmp_path: Path) -> None:
    words = command("proxy", "export", "--format", "jsonl", "--db", str(recorded.db))
    with subprocess.Popen(words, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        process.wait(60)
    assert "Traceback" not in said
    assert "Error" not in said


def spans_of(collector: RunningCollector, trace: str) -> list[str]:
    """Return the names of the spans of a trace."""
    found = []
    for span in collector.spans.values():
        known = {one.key: one.value.string_value for one in span.attributes}
        if known.get("anton.trace.id") == trace or span.name.startswith("invoke"):
            found.append(span.name)
    return sorted(found)


def test_calls_are_pushed_as_they_end_and_the_rest_at_the_stop(provider: ProviderServer, tmp_path: Path) -> None:
    with RunningCollector([Reply(503, retry_after="1"), Reply(closes=True)]) as collector:
        with Product(tmp_path, provider.url, dashboard=False, arguments=("--otlp-endpoint", collector.url)) as product:
            wait_for((product.db.parent / "traces.db.control" / "otlp.json").exists, 30)
            send(product)
            wait_for(lambda: spans_of(collector, "exported").count("chat claude-opus-4-8") == CALLS, 60)

            def is_settled() -> bool:
                told = json.loads(anton(tmp_path, "proxy", "status", "--json", "--db", str(product.db)).stdout)["otlp"]
                assert (told["endpoint"], told["rejected_spans"], told["missed_calls"]) == (collector.url, 0, 0)
                return bool(told["sent_spans"] >= CALLS and told["waiting_calls"] == 0)

            wait_for(is_settled, 60)
        wait_for(lambda: "invoke_workflow" in spans_of(collector, "exported"), 30)
        assert all(one.path == "/v1/traces" for one in collector.asked)


def test_a_collector_that_hangs_holds_up_nothing(provider: ProviderServer, tmp_path: Path) -> None:
    with RunningCollector([Reply(hangs_s=60)] * 50) as collector:
        more = {"OTEL_EXPORTER_OTLP_TIMEOUT": "300", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=dummy-of-a-collector"}
        with Product(tmp_path, provider.url, dashboard=False, arguments=("--otlp-endpoint", collector.url), environment=more) as product:
            wait_for((product.db.parent / "traces.db.control" / "otlp.json").exists, 30)
            send(product)
            wait_for(lambda: len(collector.asked) > 1, 30)
            send(product, trace="later")
            wait_for(lambda: "no answer in time" in anton(tmp_path, "proxy", "status", "--db", str(product.db)).stdout, 30)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"dummy-of-a-collector" not in written


def test_a_variable_for_somebody_else_sends_nothing(provider: ProviderServer, tmp_path: Path) -> None:
    with RunningCollector() as collector:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with Product(tmp_path, provider.url, dashboard=False, environment=more) as product:
            send(product, 1)
            assert not (tmp_path / "traces.db.control" / "otlp.json").exists()
        assert collector.asked == []
