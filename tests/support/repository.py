"""The repository as the shape tests see it: what is tracked, and nothing that was built."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BUILT = {"node_modules", ".venv", "static", "dist", "__pycache__"}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return tracked files, and new ones that are not ignored; in a copy without git, every file that was not built."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"], capture_output=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        names = sorted(name for name in listed.stdout.decode().split("\0") if name)
        return tuple(path for name in names if (path := ROOT / name).is_file())
    return tuple(path for path in sorted(ROOT.rglob("*")) if path.is_file() and not _BUILT & set(path.relative_to(ROOT).parts))


def files(*patterns: str) -> tuple[Path, ...]:
    """Return tracked files that match one of the patterns: `*` stays inside a folder, `**/` crosses folders."""
    expressions = [re.escape(p).replace(r"\*\*/", "(?:.+/)?").replace(r"\*", "[^/]*") for p in patterns]
    return tuple(path for path in tracked_files() if any(re.fullmatch(e, name_of(path)) for e in expressions))


def name_of(path: Path) -> str:
    """Return a path relative to the root, for messages."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """Return a Python file's syntax tree."""
    return ast.parse(path.read_bytes(), str(path))


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield (qualified name, node) of every function in a Python file."""
    stack: list[tuple[str, ast.AST]] = [("", tree(path))]
    while stack:
        prefix, node = stack.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}.{child.name}".lstrip(".")
                if not isinstance(child, ast.ClassDef):
                    yield name, child
                stack.append((name, child))
            else:
                stack.append((prefix, child))
