"""What is typed in a search box, as the command line reads it."""

import pytest

from modular_agents.proxy.dashboard.asking import BadQuestion
from modular_agents.proxy.dashboard.searching import read_search


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("", {}),
        ("login page", {"q": "login page"}),
        ('"login page" agent:api', {"q": '"login page"', "agent": "api"}),
        ('agent:"the planner" has:error', {"agent": "the planner", "error": "1"}),
        ("cost:>0.50 since:2h status:failed", {"min_cost": "0.50", "since": "2h", "status": "failed"}),
        ("cost:>=$2 MODEL:m", {"min_cost": "2", "model": "m"}),
        ("http://x word:y", {"q": "http://x word:y"}),
    ],
)
def test_filters_and_words_are_told_apart(said: str, read: dict[str, str]) -> None:
    assert read_search(said) == read


@pytest.mark.parametrize("said", ["has:fun", "cost:0.5", "cost:", "agent:", "model:a model:b"])
def test_a_filter_that_cannot_be_is_said(said: str) -> None:
    with pytest.raises(BadQuestion):
        read_search(said)
