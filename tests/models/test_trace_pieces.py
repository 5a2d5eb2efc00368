"""The streamed text is split into reasoning trace and answer, wherever a piece ends."""

import pytest

from curate.models.trace_pieces import TracePieces
from schemas.reasoning import MARKS


def split(parts, opening=""):
    """The trace and the answer of a text that comes in these parts."""
    pieces = TracePieces(opening)
    found = [piece for part in parts for piece in pieces.add(part)] + pieces.end()
    assert all(piece.text for piece in found)
    return tuple("".join(piece.text for piece in found if piece.reasoning == kind) for kind in (True, False))


TEXTS = [(f"\n{m.opening}\nfirst a < b,\n\nthen{m.closing}\n\nThe answer: 4 < 5.\n", m) for m in MARKS]


@pytest.mark.parametrize(("text", "marks"), TEXTS)
def test_it_is_the_same_wherever_the_text_is_cut(text, marks):
    expected = ("first a < b,\n\nthen", "The answer: 4 < 5.\n")
    for size in (1, 2, 3, 7, len(text)):
        assert split([text[i : i + size] for i in range(0, len(text), size)]) == expected
    behind = text.partition(marks.opening)[2]
    if marks.by_template:
        assert split(list(behind), marks.opening) == expected


@pytest.mark.parametrize("text", ["plain", "<b>bold</b>", "  indented\n", "<", "<thin", "\n\n", "a <think> b </think>"])
def test_a_text_without_a_trace_is_left_as_it_is(text):
    assert split(list(text)) == ("", text)


@pytest.mark.parametrize("rest", ["so far", "so far </thi"])
def test_a_trace_that_is_cut_has_no_answer(rest):
    assert split(list(f"<think>{rest}")) == (rest, "")


def test_nothing_is_held_back_longer_than_a_mark():
    pieces = TracePieces()
    assert pieces.add("<thi") == []
    assert [piece.text for piece in pieces.add("s is no mark")] == ["<this is no mark"]
    assert [piece.text for piece in pieces.add(" <think>")] == [" <think>"]
