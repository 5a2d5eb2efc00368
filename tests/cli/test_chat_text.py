"""A model's text is made safe for a terminal, cut to a width, and laid out in columns."""

import io
import re

import pytest
from rich.cells import cell_len

from cli.chat.answers import CLOSE, OPEN, Shown
from cli.chat.columns import CLEAR, Columns, column_width
from cli.chat.text import safe_text, shortened, wrapped
from curate.models.streamed import Piece

HOSTILE = "a\x1b[31mred\x1b]0;t\x07\x9b2J\r\nb\x08\x00\u202egnp\u2066\ud800 \ue000"


def test_what_steers_a_terminal_is_left_out():
    assert safe_text(HOSTILE) == "a[31mred]0;t2J\nbgnp\ufffd \ufffd"
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", safe_text("".join(map(chr, range(0x3000)))))


WRITTEN = ["plain", "two\nlines", "日本語", "می\u200cخواهم", "👩\u200d👧", "naïve\u00a0x", "[bold]x[/bold]"]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_stays(text):
    assert safe_text(text) == text


def test_tabs_and_strange_line_ends():
    assert safe_text("a\tb\r\nc\u2028d") == "a    b\nc\nd"


TEXTS = [
    "",
    "one two three four five six seven",
    "a\n\n  indented line that is long\n",
    "x" * 50,
    "word " * 30,
    "日本語のテキスト" * 6,
    "mixed 日本語 and words, 日本",
    "end   spaces       between",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("width", [5, 11, 36])
def test_lines_fit_and_lose_no_letter(text, width):
    lines = list(wrapped(text, width))
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    if all(cell_len(word) <= width for word in text.split()):
        assert " ".join(" ".join(lines).split()) == " ".join(text.split()), "a word is cut"


def test_names_are_shortened_at_their_start():
    assert shortened("store/stages/train-sft/model", 12) == "…n-sft/model"
    assert shortened("a\nb\x1b", 12) == "a b"


WIDTHS = [(80, 2, 38), (140, 2, 68), (70, 2, 0), (140, 3, 44), (80, 3, 0)]


@pytest.mark.parametrize(("columns", "count", "width"), WIDTHS)
def test_the_width_of_columns(columns, count, width):
    assert column_width(columns, count) == width


def printed(columns_out):
    """The lines that a terminal shows in the end."""
    return [line.rpartition(CLEAR)[2] for line in columns_out.getvalue().split("\n")]


def test_rows_are_printed_once_all_columns_have_them():
    out = io.StringIO()
    columns = Columns(out, ["left", "right"], 10)
    columns.add(0, "one two three four five")
    assert printed(out)[2:] == ["one two    │"], "the right column has nothing yet"
    columns.add(1, "alpha beta gamma")
    assert printed(out)[2:] == ["one two    │ alpha beta", "three four │ gamma"]
    columns.end(1)
    columns.add(0, "\nsix")
    columns.end(0)
    assert printed(out) == [
        "left       │ right",
        "───────────┼───────────",
        "one two    │ alpha beta",
        "three four │ gamma",
        "five       │",
        "six        │",
        "",
    ]


def shown(*pieces, **how):
    made = Shown(**how)
    return "".join(made.add(Piece(*piece)) for piece in pieces) + made.end()


def test_an_answer_has_no_blank_lines_around_it():
    assert shown((" \n a",), ("b\n",), ("\nc \n",), ("\n",)) == "ab\n\nc\n"
    assert shown() == "\n"
    trace = [("\n", True), ("so ", True), ("it is\n", True), ("\n\n",), ("4",)]
    assert shown(*trace) == f"{OPEN}\nso it is\n{CLOSE}\n\n4\n"
    assert shown(*trace[:3]) == f"{OPEN}\nso it is\n{CLOSE}\n", "an answer that is all trace"
    assert shown(*trace, opening="<", closing=">") == "<so it is>\n\n4\n"
