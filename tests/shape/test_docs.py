"""Documents that lie fail the build: links lead somewhere, and every room of the proxy is described."""

import ast
import re
from pathlib import Path

import pytest
from tests.support.repository import ROOT, files, functions, name_of, tree

DOCUMENTS = files("*.md", "docs/**/*.md", "requirements/*.md", "web/*.md", "bench/**/*.md")
ROOMS = sorted(
    {
        path.name if path.is_dir() else path.stem
        for path in (ROOT / "src/modular_agents/proxy").iterdir()
        if not path.name.startswith(("_", "."))
    }
)


def anchors(path: Path) -> set[str]:
    """Return the anchors that the headings of a document make."""
    headings = re.findall(r"^#+ +(.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        there = (path.parent / place).resolve() if place else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("room", ROOMS)
def test_architecture_describes_every_room(room: str) -> None:
    assert re.search(rf"`{room}[`/.]", (ROOT / "docs/architecture.md").read_text())


def test_every_decision_is_listed() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    assert [p.name for p in files("docs/decisions/0*.md") if p.name not in index] == []


LIFE = ROOT / "docs/life-of-a-call.md"
PROXY = ROOT / "src/modular_agents/proxy"


def named_steps() -> list[tuple[str, str]]:
    """Return (file, function) for each `file.py` and each `Name.verb` after it, in each table row's last cell.

    A row whose first cell is a folder names files of that folder.
    """
    steps = []
    for row in LIFE.read_text().splitlines():
        if not row.startswith("|"):
            continue
        cells = row.strip("| ").split(" | ")
        folder = match.group(1) if (match := re.fullmatch(r"`([\w/]+/)`", cells[0])) else ""
        file = ""
        for word in re.findall(r"`([^`]+)`", cells[-1]):
            if re.fullmatch(r"[\w/-]+\.(?:py|sql|ts|tsx)", word):
                file = folder + word
                steps.append((file, ""))
            elif file and re.fullmatch(r"[\w.]+", word):
                steps.append((file, word))
    return steps


ON_THE_PATH = (
    "relay/*.py",
    "journal/*.py",
    "recorder/*.py",
    "wire/*.py",
    "linking/*.py",
    "pricing/*.py",
    "supervisor/*.py",
    "dashboard/*.py",
)
MODULES = files(*(f"src/modular_agents/proxy/{pattern}" for pattern in (*ON_THE_PATH, "*.py", "store/*.py", "store/sqlite/*.py")))


def test_life_of_a_call_names_every_module_on_the_path() -> None:
    named = {file for file, _ in named_steps()}
    assert [name for p in MODULES if p.name != "__init__.py" and (name := p.relative_to(PROXY).as_posix()) not in named] == []


@pytest.mark.parametrize(("file", "function"), named_steps(), ids=lambda v: v or "file")
def test_life_of_a_call_names_only_what_exists(file: str, function: str) -> None:
    path = (ROOT if file.startswith("web/") else PROXY) / file
    assert path.is_file()
    if function and path.suffix == ".py":
        defined = {name for name, _ in functions(path)} | {n.name for n in ast.walk(tree(path)) if isinstance(n, ast.ClassDef)}
        assert function in defined
    elif function:
        assert re.search(rf"\b{re.escape(function)}\b", path.read_text())


def test_life_of_a_call_fits_one_page() -> None:
    assert len(LIFE.read_text().splitlines()) <= 90
