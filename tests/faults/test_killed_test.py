"""What a test process leaves behind when it is killed: nothing that is stopped for good."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.repository import ROOT
from tests.support.running_proxy import wait_for

HOLDS = """
import subprocess, sys, time
from tests.support.stopping import stopped
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with stopped(child.pid):
    print(child.pid, flush=True)
    time.sleep(60)
"""


def state(pid: int) -> str:
    """Return a process's state: `T` for stopped, `` for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here")
def test_a_stopped_process_goes_on_when_the_test_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS], cwd=ROOT, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        pid = int(test.stdout.readline())
        wait_for(lambda: state(pid) == "T")
        test.kill()
        wait_for(lambda: state(pid) != "T")
    subprocess.run(["kill", "-KILL", str(pid)], check=False)
