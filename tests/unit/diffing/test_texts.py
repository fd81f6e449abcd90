"""Edits give back both texts, whatever the texts; and they are told apart the way a person would."""

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modular_agents.proxy.diffing.myers import steps
from modular_agents.proxy.diffing.texts import edits
from modular_agents.proxy.model.comparison import Edit

LISTS = st.lists(st.sampled_from("abc"), max_size=30)
TEXTS = st.text(alphabet="ab \n.", max_size=60)


@given(LISTS, LISTS)
def test_steps_lead_from_one_list_to_the_other(before: list[str], after: list[str]) -> None:
    old, new = [], []
    for step in steps(before, after):
        if step.kind != "added":
            old += before[step.before : step.before + step.size]
        if step.kind != "removed":
            new += after[step.after : step.after + step.size]
        if step.kind == "same":
            assert before[step.before : step.before + step.size] == after[step.after : step.after + step.size]
    assert old == before
    assert new == after


@given(LISTS, LISTS)
def test_no_way_is_shorter(before: list[str], after: list[str]) -> None:
    changed = sum(step.size for step in steps(before, after) if step.kind != "same")
    assert changed == len(before) + len(after) - 2 * _longest_common(before, after)


def _longest_common(left: list[str], right: list[str]) -> int:
    row = [0] * (len(right) + 1)
    for item in left:
        before = row[:]
        for at, other in enumerate(right):
            row[at + 1] = before[at] + 1 if item == other else max(row[at], before[at + 1])
    return row[-1]


@given(TEXTS, TEXTS)
def test_edits_give_back_both_texts(before: str, after: str) -> None:
    found = edits(before, after)
    assert "".join(edit.text for edit in found if edit.kind != "added") == before
    assert "".join(edit.text for edit in found if edit.kind != "removed") == after
    assert all(edit.text for edit in found)
    assert all(left.kind != right.kind for left, right in pairwise(found))


def test_a_changed_word_is_found_in_its_line() -> None:
    assert edits("one\nit is ten o'clock\nthree\n", "one\nit is noon o'clock\nthree\n") == (
        Edit("same", "one\nit is "),
        Edit("removed", "ten"),
        Edit("added", "noon"),
        Edit("same", " o'clock\nthree\n"),
    )


def test_what_has_little_in_common_is_replaced_whole() -> None:
    assert [edit.kind for edit in edits("call the plumber", "a poem, about: rain")] == ["removed", "added"]


def test_beyond_the_bound_everything_between_is_replaced() -> None:
    before, after = [f"a{at}" for at in range(5000)], [f"b{at}" for at in range(5000)]
    began = time.process_time()
    found = steps(["x", *before, "y"], ["x", *after, "y"])
    assert [(step.kind, step.size) for step in found] == [("same", 1), ("removed", 5000), ("added", 5000), ("same", 1)]
    assert time.process_time() - began < 30, "the search is bounded: it would take hours"
