"""Nothing in the repository belongs to one machine: no registry host, no path of a developer's disk, no key, nothing left undone."""

import json
import re
from pathlib import Path

import pytest
from tests.support.repository import ROOT, files, name_of, tracked_files

TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".in",
    ".json",
    ".ts",
    ".tsx",
    ".js",
    ".css",
    ".html",
    ".sh",
    ".sql",
    ".yml",
    ".yaml",
    ".cfg",
    "",
}
TEXTS = tuple(p for p in tracked_files() if p.suffix in TEXT_SUFFIXES)
CAPTURES = "tests/corpus/"
"""What real clients sent and got stands as it was captured; keys in it are dummies all the same."""


def spelled(*parts: str) -> str:
    """Join pieces: this file must not contain what it looks for."""
    return "".join(parts)


HOSTS = re.compile(
    "|".join(
        re.escape(spelled(*parts))
        for parts in (
            ("py", "pi.org"),
            ("python", "hosted.org"),
            ("registry.np", "mjs.org"),
            ("registry.yarn", "pkg.com"),
            ("proxy.go", "lang.org"),
            ("cra", "tes.io"),
        )
    )
)
PLACES = re.compile(r"(?<![\w.:/-])/(?:work|root|tmp|home/\w+|Users/\w+)/")
KEY_SHAPES = (
    r"sk-ant-(?:api|oat)\d\d-[\w-]{60,}",
    r"sk-proj-[\w-]{60,}",
    r"sk-or-v1-[0-9a-f]{64}",
    r"AIza[\w-]{35}",
    r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b",
    r"gsk_\w{50,}",
    r"\bhf_[A-Za-z]{34}\b",
    r"\bgh[pousr]_\w{36,}",
    r"xox[abprs]-\d{10,}-\w+",
    r"eyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+\w{40,}",
)
KEYS = re.compile("|".join(KEY_SHAPES))
UNDONE = re.compile(r"\b(?:" + "|".join((spelled("TO", "DO"), spelled("FIX", "ME"), spelled("XX", "X"), spelled("HA", "CK"))) + r")\b")


def hits(pattern: re.Pattern[str], paths: tuple[Path, ...]) -> list[str]:
    return [
        f"{name_of(path)}:{number}: {match.group()[:60]}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for match in pattern.finditer(line)
    ]


def test_the_patterns_find_what_they_are_for() -> None:
    assert HOSTS.search(spelled("https://files.python", "hosted.org/x"))
    assert PLACES.search(spelled("see /ro", "ot/x"))
    assert not PLACES.search(spelled("GET /a/ro", "ot/x"))
    assert KEYS.search(spelled("AKIA", "ABCDEFGHIJKLMNOP"))
    assert UNDONE.search(spelled("# TO", "DO later"))


def test_no_registry_host_is_named() -> None:
    assert hits(HOSTS, TEXTS) == []


def test_no_path_of_one_machine_is_named() -> None:
    assert hits(PLACES, tuple(p for p in TEXTS if not name_of(p).startswith(CAPTURES))) == []


def test_no_key_that_could_be_real() -> None:
    assert hits(KEYS, TEXTS) == []


def test_nothing_is_left_for_later() -> None:
    assert hits(UNDONE, tuple(p for p in TEXTS if p.suffix in {".py", ".ts", ".tsx", ".sql", ".sh"})) == []


def test_every_tracked_text_is_utf8_with_a_last_newline() -> None:
    bad = [
        name_of(p)
        for p in TEXTS
        if not name_of(p).startswith(CAPTURES) and (data := p.read_bytes()) and (b"\r\n" in data or data[-1:] != b"\n")
    ]
    assert bad == []


@pytest.mark.parametrize("path", files("requirements/*.txt"), ids=name_of)
def test_python_locks_hold_hashes_and_no_place(path: Path) -> None:
    text = path.read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
    assert entries
    assert [e.split()[0] for e in entries if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", e)] == []
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []
    assert "://" not in text


def test_the_page_lock_holds_hashes_and_no_place() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if "integrity" not in entry and not entry.get("link")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
