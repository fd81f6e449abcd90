"""A process stopped for a while (SIGSTOP), which goes on whatever happens to the test: a stopped one hears of nobody's end.

    with stopped(proxy.recorder_pid):
        ...                                   # it does nothing; it may also be killed

A shell in a session of its own waits on a pipe: when this process is killed, the pipe ends and the shell lets the other go on,
which then sees that its supervisor is gone.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process; let it go on afterwards, or when this one dies."""
    watch = subprocess.Popen(["sh", "-c", 'cat; kill -CONT "$0" 2>/dev/null', str(pid)], stdin=subprocess.PIPE, start_new_session=True)
    assert watch.stdin is not None
    try:
        os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        watch.stdin.close()
        watch.wait(30)
