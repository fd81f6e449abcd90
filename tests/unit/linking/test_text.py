"""A piece is found where it stands word for word, whatever white space stands between its words."""

import sys

import pytest

from modular_agents.proxy.linking.text import Reading, said, squeezed

SPACES = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
PIECE = "Look after the token bucket of module seven and write down what is missing"


@pytest.mark.parametrize("space", SPACES, ids=[f"U+{ord(space):04X}" for space in SPACES])
def test_any_white_space_is_one_space(space: str) -> None:
    spaced = PIECE.replace(" ", space)
    for told, asked in ((PIECE, spaced), (spaced, PIECE), (spaced, spaced)):
        piece = said(told)
        assert piece is not None
        reading = Reading([squeezed(f"Your task: {asked} today.")])
        assert reading.holds(piece)
        assert any(piece.anchor in pairs for pairs in reading.pairs())
        assert Reading([squeezed(asked)]).equals(piece)


@pytest.mark.parametrize("words", [4, 5, 8, 14])
def test_a_piece_is_found_at_either_end_and_counted(words: int) -> None:
    piece = said(" ".join(PIECE.split()[:words]))
    assert piece is not None
    text = " ".join(PIECE.split()[:words])
    assert Reading([f"{text} then rest"]).count(piece) == 1
    assert Reading([f'({text}) and again "{text}"']).count(piece) == 2
    assert not Reading([text.replace("the", "another")]).holds(piece)
