from pathlib import Path

import pytest

from modular_agents.proxy.errors import UsageError
from modular_agents.proxy.supervisor.keys import read_or_make_keys


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "secrets.json"
    keys = read_or_make_keys(path)
    assert read_or_make_keys(path) == keys
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(bytes.fromhex(keys.fingerprint_key)) == 32
    assert len(keys.dashboard_token) >= 43
    assert list(path.parent.iterdir()) == [path]


def test_two_proxies_have_different_keys(tmp_path: Path) -> None:
    assert read_or_make_keys(tmp_path / "a") != read_or_make_keys(tmp_path / "b")


@pytest.mark.parametrize("text", ["", "[]", '{"fingerprint_key": 3}'])
def test_a_file_that_holds_no_keys_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="move it away"):
        read_or_make_keys(path)
    assert path.read_text() == text


def test_a_folder_that_cannot_be_used_is_the_persons_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used"):
        read_or_make_keys(tmp_path / "file" / "secrets.json")
