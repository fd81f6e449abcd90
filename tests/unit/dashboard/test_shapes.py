"""The TypeScript types are the server's shapes, and every shape survives its own encoding."""

import dataclasses

import pytest
from tools import make_types

from modular_agents.proxy.dashboard.shapes import ANSWERS
from modular_agents.proxy.model.query import CallRow


def test_the_types_of_the_page_are_fresh() -> None:
    assert make_types.TARGET.read_text(encoding="utf-8") == make_types.render(), "run `make docs` (python tools/make_types.py)"


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (str, "string"),
        (int | None, "number | null"),
        (tuple[str, ...], "readonly string[]"),
        (tuple[str | None, ...], "readonly (string | null)[]"),
        (tuple[tuple[str, str], ...], "readonly (readonly [string, string])[]"),
        (tuple[CallRow, ...], "readonly CallRow[]"),
        (bool, "boolean"),
    ],
)
def test_annotations_are_spelled(hint: object, expected: str) -> None:
    assert make_types.typescript(hint, {}) == expected


def test_an_unknown_annotation_is_refused() -> None:
    with pytest.raises(TypeError, match="no TypeScript spelling"):
        make_types.typescript(bytes, {})


def test_every_answer_is_a_frozen_value() -> None:
    for shape in ANSWERS:
        assert dataclasses.is_dataclass(shape)
        assert shape.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_notes_under_fields_become_comments() -> None:
    text = make_types.interface(CallRow, {})
    assert "  /** First 200 characters of the answer. */\n  readonly answer_preview: string;" in text
