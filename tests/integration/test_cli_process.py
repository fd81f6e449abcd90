"""The program as a person runs it, from `--help` to a recorded call seen in the dashboard."""

import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.anton_process import anton, command, environment, running
from tests.support.stored import given, put_all

from modular_agents.proxy.store.sqlite import SqliteStore

HELP_CPU_S = 1.5
"""What `--help` may cost; the clock would measure the neighbours."""


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}".rstrip("?"), headers=headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_help_is_quick(tmp_path: Path) -> None:
    anton(tmp_path, "--help")
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "anton proxy start --dashboard" in anton(tmp_path, "--help").stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < HELP_CPU_S


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = ["apsw", "uvicorn", "starlette", "uvloop", "msgspec", "genai_prices", "rich", "asyncio", "platformdirs", "httptools", "tomllib"]
    code = f"import sys; from modular_agents import cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_wrong_use_is_explained(tmp_path: Path) -> None:
    done = anton(tmp_path, "proxy", "strat")
    assert done.returncode == 2
    assert "Did you mean" in done.stderr
    assert "'start'" in done.stderr
    for words, said in (
        (["--port", "http"], "--port: 'http' is not a whole number"),
        (["--upstream", "groq"], "is not NAME=URL"),
        (["--upstream", "groq=ftp://x"], "must begin with http"),
        (["--host", "0.0.0.0"], "Set a token"),  # noqa: S104 - refused
        (["--default-upstream", "opnai"], "Did you mean openai"),
    ):
        done = anton(tmp_path, "proxy", "start", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


@pytest.mark.parametrize("words", [["status"], ["stop"], ["link"], ["verify"]])
def test_what_needs_a_proxy_says_so(tmp_path: Path, words: list[str]) -> None:
    done = anton(tmp_path, "proxy", *words, "--db", str(tmp_path / "none.db"))
    assert done.returncode == 3
    assert done.stderr.startswith("anton: No ")
    assert list(tmp_path.glob("none.db*")) == []


def test_env_is_understood_by_the_shell(tmp_path: Path) -> None:
    lines = anton(tmp_path, "proxy", "env", "--shell", "bash", "--trace", "it's", ANTON_PORT="8123").stdout
    shown = subprocess.run(["sh", "-c", lines + 'echo "$OPENAI_BASE_URL"'], capture_output=True, text=True, check=True).stdout
    assert shown == "http://127.0.0.1:8123/t/it%27s/v1\n"
    assert anton(tmp_path, "proxy", "env", SHELL="/usr/bin/fish").stdout.startswith("set -gx ANTHROPIC_BASE_URL http://127.0.0.1:8000\n")


def test_run_needs_a_proxy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = anton(tmp_path, "run", "--", "true", ANTON_PORT=str(port))
    assert done.returncode == 3
    assert f"No proxy answers at http://127.0.0.1:{port}" in done.stderr


def test_run_becomes_the_command(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = str(proxy.getsockname()[1])
        script = 'echo "$ANTHROPIC_BASE_URL $OPENAI_BASE_URL $1"; exit 7'
        gateway = "https://gateway.example"
        done = anton(tmp_path, "run", "--agent", "a", "--", "sh", "-c", script, "x", "--flag", ANTON_PORT=port, OPENAI_BASE_URL=gateway)
        assert done.returncode == 7
        assert done.stdout == f"http://127.0.0.1:{port}/a/a http://127.0.0.1:{port}/a/a/v1 --flag\n"
        assert f"OPENAI_BASE_URL was {gateway}" in done.stderr
        assert anton(tmp_path, "run", "-q", "--", "no-such-command", ANTON_PORT=port).returncode == 127
        assert anton(tmp_path, "run", "-q", "--", str(tmp_path), ANTON_PORT=port).returncode == 126


@pytest.mark.slow
def test_a_proxy_from_start_to_stop(tmp_path: Path) -> None:
    db = str(tmp_path / "traces.db")
    files = ("--db", db)
    with running(tmp_path, "proxy", "start", *files, "--port", "0", "--dashboard", "--dashboard-port", "0") as proxy:
        url = proxy.wait_for(r"listens on (http://127\.0\.0\.1:\d+)$")[1]
        proxy.wait_for(rf"export ANTHROPIC_BASE_URL={url}$")
        proxy.wait_for(rf"export OPENAI_BASE_URL={url}/v1$")
        link = proxy.wait_for(r"dashboard  (http://127\.0\.0\.1:\d+/\?token=\S+)$")[1]
        proxy.wait_for(f"database   {db}")

        status, headers, _ = get(link)
        assert (status, headers["location"]) == (303, "/")
        cookie = headers["set-cookie"].partition(";")[0]
        site = link.partition("/?")[0]
        shown = json.loads(get(f"{site}/api/status", Cookie=cookie)[2])
        assert (shown["proxy"]["url"], shown["proxy"]["running"], shown["db"]) == (url, True, db)
        assert get(link)[0] == 401

        again = anton(tmp_path, "proxy", "link", *files)
        assert (again.returncode, get(again.stdout.strip())[0]) == (0, 303)
        bearer = anton(tmp_path, "proxy", "link", "--bearer", *files).stdout.strip()
        assert get(f"{site}/api/traces", Authorization=f"Bearer {bearer}")[0] == 200

        said = json.loads(anton(tmp_path, "proxy", "status", "--json", *files).stdout)
        assert (said["pid"], said["url"], said["running"]) == (proxy.process.pid, url, True)
        assert f"{url}   since" in anton(tmp_path, "proxy", "status", *files).stdout
        assert f"ANTHROPIC_BASE_URL={url}\n" in anton(tmp_path, "proxy", "env", "--shell", "sh", *files).stdout
        assert anton(tmp_path, "run", "-q", *files, "--", "sh", "-c", "exit 5").returncode == 5

        second = anton(tmp_path, "proxy", "start", *files, "--port", "0")
        assert second.returncode == 1
        taken = anton(tmp_path, "proxy", "start", "--db", f"{db}2", "--port", url.rpartition(":")[2])
        assert taken.returncode == 1
        assert "is taken" in taken.stderr

        stopped = anton(tmp_path, "proxy", "stop", *files)
        assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
        assert proxy.process.wait(10) == 0
    assert anton(tmp_path, "proxy", "status", *files).returncode == 3


@pytest.mark.slow
def test_a_dashboard_alone(tmp_path: Path) -> None:
    db = str(tmp_path / "traces.db")
    with running(tmp_path, "proxy", "dashboard", "--db", db, "--port", "0") as dashboard:
        link = dashboard.wait_for(r"dashboard  (http://127\.0\.0\.1:\d+/\?token=\S+)$")[1]
        assert get(link)[0] == 303
        again = anton(tmp_path, "proxy", "link", "--db", db).stdout.strip()
        assert again.partition("?")[0] == link.partition("?")[0]
        assert get(again)[0] == 303
        assert dashboard.stop(signal.SIGINT) == 0
    assert anton(tmp_path, "proxy", "link", "--db", db).returncode == 3


@pytest.mark.slow
def test_the_demo_is_recorded_whole(tmp_path: Path) -> None:
    db = str(tmp_path / "demo.db")
    done = anton(tmp_path, "proxy", "demo", "--once", "--fast", "--db", db, "--port", "0", "--dashboard-port", "0")
    assert (done.returncode, done.stderr) == (0, "")
    calls = json.loads(anton(tmp_path, "proxy", "ls", "--calls", "--json", "--db", db).stdout)["items"]
    (trace,) = json.loads(anton(tmp_path, "proxy", "ls", "--json", "--db", db).stdout)["items"]
    assert {call["agent_name"] for call in calls} >= {"orchestrator", "api", "web"}
    assert [call["http_status"] for call in calls].count(529) == 1
    assert {call["status"] for call in calls} == {"completed", "failed"}
    assert (trace["call_count"], trace["error_count"], trace["status"]) == (16, 1, "completed")
    assert trace["cost_usd"] > 0
    edges = subprocess.run(
        ["sqlite3", "-readonly", db, "SELECT edge_type, count(*) FROM call_graph GROUP BY 1 ORDER BY 1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert edges.stdout.splitlines()[0] == "delegation|2"


@pytest.mark.slow
def test_the_demo_stays_until_it_is_stopped_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    with running(tmp_path, "proxy", "demo", "--fast", "--port", "0", "--dashboard-port", "0", TMPDIR=str(folder)) as demo:
        demo.wait_for("The run is over")
        assert list(folder.iterdir())
        assert demo.stop(signal.SIGINT) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_stored_calls_are_searched_summed_up_priced_and_deleted(tmp_path: Path) -> None:
    db, settings = str(tmp_path / "traces.db"), tmp_path / "proxy.toml"
    settings.write_text('[prices.aliases]\n"ours-4.1" = "openai/gpt-4.1"\n')
    files = ("--db", db, "--config", str(settings))
    store = SqliteStore(Path(db))
    put_all(store, *(given(n, thread=f"th-{n}", model="ours-4.1", provider="openai").finished(f"Answer {n}.", usd=None) for n in range(9)))
    while store.tidy():
        pass
    store.close()

    found = json.loads(anton(tmp_path, "proxy", "search", "answer", "7", "--json", *files).stdout)
    assert [item["call_id"] for item in found["items"]] == [given(7).call_id]
    assert ["7", True] in found["snippets"][0]["pieces"]
    assert json.loads(anton(tmp_path, "proxy", "stats", "--json", *files).stdout)["stats"]["total"]["unpriced"] == 9
    with running(tmp_path, "proxy", "start", *files, "--port", "0", ANTON_KEEP_DAYS="0") as proxy:
        proxy.wait_for("listens on")
        for words in (["gc", "--older-than", "1d"], ["reprice"]):
            refused = anton(tmp_path, "proxy", *words, *files)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert "one writer at a time" in refused.stderr
        assert "9 would get another price" in anton(tmp_path, "proxy", "reprice", "--dry-run", *files).stdout
        assert proxy.stop() == 0
    assert "9 calls looked at: 9 got another price." in anton(tmp_path, "proxy", "reprice", *files).stdout
    summed = json.loads(anton(tmp_path, "proxy", "stats", "--json", *files).stdout)
    assert summed["stats"]["total"]["unpriced"] == 0
    assert summed["stats"]["total"]["cost_usd"] == pytest.approx(9 * (100 * 2 + 20 * 8) / 1e6)
    assert sum(row["bytes"] for row in summed["sizes"]) > 100_000
    assert anton(tmp_path, "proxy", "gc", "--older-than", "1d", *files).stdout.startswith("9 of 9 calls deleted. ")
    assert json.loads(anton(tmp_path, "proxy", "ls", "--calls", "--json", *files).stdout)["items"] == []
    assert json.loads(anton(tmp_path, "proxy", "stats", "--json", *files).stdout)["stats"]["total"]["calls"] == 9


def test_a_closed_pipe_is_no_drama(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command("proxy", "--help"), env=environment(tmp_path), stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert b"Traceback" not in done.stderr
