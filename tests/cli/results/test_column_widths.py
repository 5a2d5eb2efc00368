"""Columns of results fit the line; numbers and ids are whole, texts are cut first."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.plain_console import PlainConsole
from cli.results.cells import cell
from cli.results.column_widths import GAP, Kind, column_widths, head_lines, kind_of_column
from cli.results.text_tables import Result, as_markdown, as_records, as_table

ID, TEXT = "c_0123456789abcdef0123", "A long text about a small thing, which goes on for more than a line. " * 3
HEADS = ["row_id", "prompt_tokens", "value", "messages", "prompt", "response"]
TYPES = ["VARCHAR", "BIGINT", "DOUBLE", "JSON", "VARCHAR", "VARCHAR"]
ROWS = [(ID, 123456, 0.123456, '[{"role": "user", "content": "hi"}]', TEXT, TEXT), (ID, 7, None, None, "short", None)]


def printed(shape, width):
    console = PlainConsole(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(shape, soft_wrap=True)
    return captured.get().splitlines()


def test_numbers_and_ids_are_whole_and_texts_are_cut():
    for width in (100, 120, 200):
        lines = printed(as_table(Result(HEADS, TYPES, ROWS), width), width)
        assert all(cell_len(line) <= width for line in lines)
        assert sum(ID in line for line in lines) == 2 and any("123456" in line and "0.1235" in line for line in lines)
        assert any("…" in line for line in lines)


def test_rows_that_cannot_fit_are_shown_one_below_another():
    lines = printed(as_table(Result(HEADS, TYPES, ROWS), 60), 60)
    assert lines[0].startswith("─ row 1 ") and all(cell_len(line) <= 60 for line in lines)
    assert " ".join(" ".join(lines).split()).count("A long text about") == 4 and "…" in "".join(lines)
    whole = printed(as_records(Result(HEADS, TYPES, ROWS), 60), 60)
    assert " ".join(" ".join(whole).split()).count("A long text about") == 6 and "…" not in "".join(whole)


def test_json_keeps_its_width_longer_than_texts():
    kinds = [Kind.TEXT, Kind.JSON]
    columns = [[cell("x" * 100)], [cell("y" * 40)]]
    assert column_widths(["a", "b"], kinds, columns, 80) == [37, 40]
    assert column_widths(["a", "b"], kinds, columns, 40) == [16, 21]
    assert column_widths(["a", "b"], kinds, columns, 28) is None


def test_the_kind_of_a_column():
    assert kind_of_column("prompt_id", "VARCHAR", []) is Kind.WHOLE
    assert kind_of_column("of", "VARCHAR", [cell(ID), cell(None)]) is Kind.WHOLE
    assert kind_of_column("prompt", "VARCHAR", [cell("abc def")]) is Kind.TEXT
    assert kind_of_column("n", "BIGINT", []) is Kind.WHOLE and kind_of_column("m", "JSON", []) is Kind.JSON
    assert kind_of_column("l", "VARCHAR[]", []) is Kind.JSON


def test_long_names_of_columns_are_broken_after_an_underscore():
    assert head_lines("completion_tokens", 17) == "completion_tokens"
    assert head_lines("completion_tokens", 11) == "completion_\ntokens"


def test_numbers_keep_what_matters():
    shown = [cell(value).text for value in (123456.78, 2136.0, 0.000012345, 12, -3.5, 1e20, float("nan"), 2**70, True)]
    assert shown == ["123456.8", "2136", "1.234e-05", "12", "-3.5", "1e+20", "nan", str(2**70), "true"]


values = st.one_of(st.none(), st.integers(-(2**63), 2**63), st.floats(), st.text(max_size=300), st.booleans())


@given(
    st.lists(st.sampled_from(["BIGINT", "VARCHAR", "JSON", "DOUBLE"]), min_size=1, max_size=9),
    st.data(),
    st.integers(20, 220),
    st.booleans(),
)
def test_whatever_the_values_no_line_is_too_long(types, data, width, grid):
    heads = data.draw(st.lists(st.text(max_size=20), min_size=len(types), max_size=len(types)))
    rows = data.draw(st.lists(st.tuples(*[values] * len(types)), max_size=4))
    result = Result(heads, types, rows)
    widths = column_widths(result.heads, result.kinds, result.columns, width)
    if widths is not None:
        assert sum(widths) + GAP * (len(widths) - 1) <= width
        for kind, wide, cells in zip(result.kinds, widths, result.columns, strict=True):
            assert kind is not Kind.WHOLE or all(cell_len(one.text) <= wide for one in cells)
    for shape in (as_table(result, width, grid=grid), as_records(result, width)):
        printed(shape, width)
    assert len(as_markdown(result).splitlines()) >= 2 + len(rows)


def test_a_text_is_no_markup_in_markdown():
    text = as_markdown(Result(["a|b"], ["VARCHAR"], [("<script>*x*|`y`\n[z](u)",)]))
    assert text.splitlines() == ["| a\\|b |", "| --- |", "| \\<script\\>\\*x\\*\\|\\`y\\`⏎\\[z\\](u) |"]
