"""Each import contract catches a deliberate violation: a rule that cannot fail is no rule.

The package is copied, one bad line is added, and the linter must name the contract as broken.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.support.repository import ROOT

P = "modular_agents/proxy"
PKG = "modular_agents.proxy"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

VIOLATIONS = [
    ("proxy-stands-alone", {f"{P}/errors.py": "import modular_agents.cli"}),
    ("layers", {f"{P}/journal/frames.py": f"import {PKG}.relay"}),
    ("layers", {f"{P}/model/ids.py": f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {PKG}.ports"}),
    ("layers", {f"{P}/recorder/__init__.py": f"import {PKG}.relay"}),
    ("layers", {f"{P}/wire/__init__.py": f"import {PKG}.linking"}),
    ("layers", {f"{P}/newroom.py": '"""A room that no layer names."""'}),
    ("pure-rooms", {f"{P}/errors.py": "import socket"}),
    ("pure-rooms", {f"{P}/model/call.py": "import asyncio"}),
    ("pure-rooms", {f"{P}/wire/__init__.py": "import time"}),
    ("pure-rooms", {f"{P}/linking/__init__.py": "import random"}),
    ("layers", {f"{P}/linking/__init__.py": f"import {PKG}.diffing"}),
    ("pure-rooms", {f"{P}/diffing/__init__.py": "import os"}),
    ("pure-rooms", {f"{P}/ports.py": "from pathlib import Path"}),
    ("pure-rooms", {f"{P}/journal/frames.py": "import os"}),
    ("relay-parses-nothing", {f"{P}/relay/__init__.py": "import json"}),
    ("relay-parses-nothing", {f"{P}/relay/__init__.py": f"import {PKG}.wire"}),
    ("only-app-names-engines", {f"{P}/recorder/__init__.py": "import apsw"}),
    ("only-app-names-engines", {f"{P}/dashboard/__init__.py": f"import {PKG}.store"}),
    ("only-app-names-engines", {f"{P}/export/__init__.py": f"import {PKG}.store"}),
    ("layers", {f"{P}/export/__init__.py": f"import {PKG}.relay"}),
    ("only-app-names-engines", {f"{P}/cli/__init__.py": f"import {PKG}.store.sqlite"}),
    ("formats-are-independent", {f"{P}/wire/formats/aa.py": '"""One."""', f"{P}/wire/formats/bb.py": f"import {PKG}.wire.formats.aa"}),
]


def broken(folder: Path) -> set[str]:
    """Return the names of broken contracts of the package copy in `folder`."""
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache", "--no-logo"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Contracts:" in run.stdout, run.stdout + run.stderr
    return set(re.findall(r"^(.*\S) BROKEN", run.stdout, re.MULTILINE))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(
        ROOT / "src" / "modular_agents", tmp_path / "src" / "modular_agents", ignore=shutil.ignore_patterns("__pycache__", "static")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_as_it_stands_every_contract_is_kept(copied: Path) -> None:
    assert broken(copied) == set()


@pytest.mark.parametrize(("contract", "lines"), VIOLATIONS, ids=lambda v: v if isinstance(v, str) else next(iter(v)))
def test_a_violation_is_caught(copied: Path, contract: str, lines: dict[str, str]) -> None:
    for name, line in lines.items():
        path = copied / "src" / name
        path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    names = {c["id"]: c["name"] for c in CONTRACTS}
    assert names[contract] in broken(copied)


def test_every_contract_has_a_violation() -> None:
    assert {c["id"] for c in CONTRACTS} == {contract for contract, _ in VIOLATIONS}


def test_every_source_room_of_a_contract_exists() -> None:
    rooms = {room for c in CONTRACTS for room in c.get("source_modules", [])}
    missing = [room for room in rooms if not any((ROOT / "src" / room.replace(".", "/")).with_suffix(s).exists() for s in ("", ".py"))]
    assert not missing
