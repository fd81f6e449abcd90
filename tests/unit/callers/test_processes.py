"""Finding the process of a connection, in a made-up /proc and with made-up commands of macOS; and hearing of connections by a pipe."""

import os
from collections.abc import Sequence
from pathlib import Path

from modular_agents.proxy.callers.asked import Asked, read_lines
from modular_agents.proxy.callers.darwin import DarwinProcesses, run_command
from modular_agents.proxy.callers.linux import LinuxProcesses, Process
from modular_agents.proxy.callers.resolver import Resolver, processes_here
from modular_agents.proxy.model.secret import Secrets
from modular_agents.proxy.relay.callers import announce, is_local

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
SECRETS = Secrets(b"key")


def line(local: str, remote: str, inode: int) -> str:
    return f"   0: {local} {remote} 01 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1 0000000000000000 20 4 30 10 -1\n"


def made_up(root: Path) -> LinuxProcesses:
    """Processes 100 and 200; port 40000 (0x9C40) is 200's, port 40001 is 100's over IPv6; the proxy listens on 8000 (0x1F40)."""
    (root / "net").mkdir()
    own = line("0100007F:1F40", "0100007F:9C40", 7)
    (root / "net" / "tcp").write_text(HEAD + own + line("0100007F:9C40", "0100007F:1F40", 4711) + line("0100007F:9C40", "0100007F:2328", 5))
    (root / "net" / "tcp6").write_text(HEAD + line("0" * 24 + "01000000:9C41", "0" * 24 + "01000000:1F40", 4712))
    (root / "stat").write_text("cpu 1 2 3\nbtime 1795300000\n")
    for pid, inode in ((100, 4712), (200, 4711)):
        (root / str(pid) / "fd").mkdir(parents=True)
        (root / str(pid) / "fd" / "0").symlink_to("/dev/null")
        (root / str(pid) / "fd" / "5").symlink_to(f"socket:[{inode}]")
        (root / str(pid) / "cmdline").write_bytes(b"python\0agent.py\0--token\0hush\0")
        ticks = 5 * os.sysconf("SC_CLK_TCK")
        (root / str(pid) / "stat").write_text(f"{pid} (odd) name)) S {' '.join(['0'] * 18)} {ticks} 0 0")
        (root / str(pid) / "exe").symlink_to("/usr/bin/python3")
        (root / str(pid) / "cwd").symlink_to("/srv/project")
    return LinuxProcesses(root, lambda _source, _target: None)


ONE, TWO, NONE = Asked("w-1", "127.0.0.1", 40000, 8000), Asked("w-2", "::1", 40001, 8000), Asked("w-3", "127.0.0.1", 40002, 8000)


def test_linux_finds_both_families_and_leaves_out_what_is_gone(tmp_path: Path) -> None:
    found = made_up(tmp_path).find([ONE, TWO, NONE])
    assert {one.connection_id: process.pid for one, process in found.items()} == {"w-1": 200, "w-2": 100}
    arguments = (b"python", b"agent.py", b"--token", b"hush")
    assert found[ONE] == Process(200, 1_795_300_005 * 10**9, "/usr/bin/python3", arguments, "/srv/project")


def test_the_kernel_is_asked_first(tmp_path: Path) -> None:
    made_up(tmp_path)
    (tmp_path / "net" / "tcp").unlink()
    asked = []

    def ask(source: tuple[str, int], target: tuple[str, int]) -> int:
        asked.append((source, target))
        return 4711

    assert LinuxProcesses(tmp_path, ask).find([ONE])[ONE].pid == 200
    assert asked == [(("127.0.0.1", 40000), ("127.0.0.1", 8000))]


def test_linux_without_proc_finds_nothing(tmp_path: Path) -> None:
    assert LinuxProcesses(tmp_path / "nothing", lambda _source, _target: 5).find([ONE]) == {}


def test_a_process_that_vanishes_is_told_with_what_was_seen(tmp_path: Path) -> None:
    processes = made_up(tmp_path)
    for name in ("cmdline", "stat", "exe", "cwd"):
        (tmp_path / "200" / name).unlink()
    assert processes.find([ONE])[ONE] == Process(200, None, "", (), "")


def test_macos_asks_lsof_and_ps() -> None:
    asked: list[str] = []

    def run(command: Sequence[str]) -> str:
        asked.append(command[0])
        match command:
            case ("lsof", "-nP", "-iTCP:40000", "-Fpn"):
                return "p50\nf9\nn127.0.0.1:8000->127.0.0.1:40000\np77\nf3\nn127.0.0.1:40000->127.0.0.1:8000\n"
            case ("lsof", "-a", *_):
                return "p77\nfcwd\nn/srv/project\n"
            case ("ps", "-ww", *_):
                return "Sun Nov 22 09:30:00 2026 python agent.py --verbose\n"
            case ("ps", *_):
                return "/usr/bin/python\n"
        return ""

    processes = DarwinProcesses(run)
    found = processes.find([ONE, NONE])
    assert list(found) == [ONE]
    process = found[ONE]
    assert (process.pid, process.executable, process.directory) == (77, "/usr/bin/python", "/srv/project")
    assert process.arguments == (b"python", b"agent.py", b"--verbose")
    assert process.started_ns is not None
    asked.clear()
    assert processes.find([ONE])[ONE] == process
    assert asked == ["lsof", "ps"], "what is known of a process is not asked again"


def test_a_command_that_fails_prints_nothing() -> None:
    assert run_command(("no-such-command-here",)) == ""


def test_the_pipe_carries_questions_and_the_answers_are_clean(tmp_path: Path) -> None:
    resolver = Resolver(-1, made_up(tmp_path), SECRETS, lambda: 99)
    reading, writing = os.pipe()
    try:
        announce(writing, "w-1", "127.0.0.1", 40000, 8000)
        announce(writing, "w-3", "127.0.0.1", 40002, 8000)
        data = os.read(reading, 4096)
    finally:
        os.close(reading)
        os.close(writing)
    assert read_lines(data) == [ONE, NONE]
    resolver.hear(data[:7])
    assert resolver.take() == []
    resolver.hear(data[7:])
    (caller,) = resolver.take()
    assert (caller.connection_id, caller.seen_ns, caller.pid, caller.process) == ("w-1", 99, 200, "200@1795300005000000000")
    assert "hush" not in caller.command
    assert caller.command.startswith("python agent.py --token")
    assert resolver.take() == []


def test_a_full_pipe_and_a_closed_one_harm_nobody() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in range(10_000):
        announce(writing, f"w-{number}", "127.0.0.1", 40000, 8000)
    os.close(reading)
    announce(writing, "w-1", "127.0.0.1", 40000, 8000)
    os.close(writing)


def test_what_is_no_question_is_left_out() -> None:
    assert read_lines(b"\xff\xfe\n w \nw-1 127.0.0.1 port 1\n") == []
    broken = Resolver(-1, _Broken(), SECRETS, lambda: 0)
    broken.hear(b"w-1 127.0.0.1 1 2\n")
    assert broken.take() == []


class _Broken:
    def find(self, asked: Sequence[Asked]) -> dict[Asked, Process]:
        raise ValueError(asked)


def test_local_addresses_and_systems() -> None:
    assert [is_local(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.0.0.1", "::2")] == [True] * 4 + [False] * 2
    assert isinstance(processes_here("linux"), LinuxProcesses)
    assert isinstance(processes_here("darwin"), DarwinProcesses)
    assert processes_here("sunos5") is None
