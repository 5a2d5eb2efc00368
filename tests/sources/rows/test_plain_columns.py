"""Plain rows that are read as whole columns make the tables that they make one by one, in any order and company."""

from itertools import groupby

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.sources import convert_columns
from curate.sources.convert_columns import NONE, convert_part
from curate.sources.convert_rows import Options, convert_rows
from curate.sources.facts import Facts
from curate.sources.files.raw_row import Raw, Reading
from curate.sources.files.row_blocks import Columns, Rows, cut
from curate.sources.open_source import Opened
from curate.sources.rows import plain_columns
from curate.sources.source_tables import Tables

TEXTS = st.sampled_from(
    [
        "",
        " ",
        "\x1c",
        "Why?",
        "Because.",
        "[1, 2]",
        '["a"]',
        "Human: a\n\nAssistant: b",
        "<think>t</think>a",
        "a\ud83db",
    ]
    + [
        'é\n"\\',
        "none",
        "<noinput>",
        "<tool_call>{}</tool_call>",
        "a <b> [c]",
        "analysis a assistantfinal b",
        "\x7f\x00",
    ]
    + ["<THINK>t</THINK>a", "<th\u0131nk>t</think>a", "<thin\u212a>t</think>a", "◁think▷a◁/think▷b", "</think>b", "A"]
)
OTHERS = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(-2, 2), st.just(2**70), st.floats(), st.lists(TEXTS, max_size=3)
)
LAYOUTS = st.one_of(
    st.fixed_dictionaries({"prompt": TEXTS, "completion": TEXTS}, optional={"id": OTHERS, "\ud83d": OTHERS}),
    st.fixed_dictionaries({"instruction": TEXTS, "input": TEXTS, "output": TEXTS}),
    st.fixed_dictionaries({"question": TEXTS, "answer": TEXTS}, optional={"title": TEXTS, "prompt": OTHERS}),
    st.fixed_dictionaries({"prompt": TEXTS, "completions": st.lists(TEXTS, max_size=3)}, optional={"source": OTHERS}),
    st.fixed_dictionaries({"prompt": TEXTS, "completions": st.lists(OTHERS, max_size=3)}),
    st.fixed_dictionaries({"messages": st.just([{"role": "user", "content": "Why?"}])}),
    st.dictionaries(st.sampled_from(["prompt", "completion", "text", "model", "score"]), OTHERS, max_size=4),
    st.none(),
)
ROWS = st.lists(LAYOUTS, min_size=1, max_size=16)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let two rows be a group."""
    monkeypatch.setattr(plain_columns, "FEW", 1)


def raws(rows):
    return [
        Raw(2 * n + 1, row, "" if row is not None else "broken", None, "x" * (row is None))
        for n, row in enumerate(rows)
    ]


def tables_of(convert, rows, cut=False):
    """Return what rows become: their tables, facts and problems."""
    reading, tables = Reading(), Tables()
    opened = Opened(iter(()), "s", "s.jsonl", "s.jsonl", reading)
    problems = convert(raws(rows), opened, Options("s", None, cut), tables)
    source = tables.source(reading)
    facts = {
        key: list(value.items()) if hasattr(value, "items") else value for key, value in vars(source.facts).items()
    }
    return {name: (table.schema, table.rows()) for name, table in source.tables.items()}, facts, problems


@settings(max_examples=600, deadline=None)
@given(ROWS, st.booleans())
@example(
    [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}, {"prompt": "a", "completion": "e"}], False
)
@example([{"prompt": "a", "completions": ["b", "b"]}, None, {"prompt": "c", "completions": ["d", "e", "f"]}], False)
@example([{"prompt": "a", "completion": "b"}, {"messages": [{"role": "user", "content": "a"}]}], True)
@example([{"prompt": "a", "completion": "b", "id": float("inf")}, {"prompt": "c", "completion": "d", "id": 2.5}], False)
@example(
    [
        {"prompt": "", "completion": ""},
        {"completion": "b", "prompt": "a"},
        {"messages": [{"role": "user", "content": "Why?"}]},
        {"prompt": "c", "completion": "d"},
        {"prompt": "e", "completion": "f"},
    ],
    False,
)
def test_columns_make_the_tables_of_rows(rows, cut):
    found = tables_of(lambda given, *more: convert_part(Rows([given]), *more)[0], rows, cut)
    assert found == tables_of(convert_rows, rows, cut)


@settings(max_examples=300, deadline=None)
@given(ROWS)
@example([{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}, {"prompt": "a", "completion": "e"}])
@example([{"prompt": "a", "completion": "b"}, None, {"completion": "d", "prompt": "c"}, {}])
def test_rows_that_come_as_columns_are_those_rows(rows):
    given = [Raw(line, row, "", None, "", "f") for line, row in enumerate(rows, 5)]
    blocks = []
    for keys, some in groupby(given, lambda raw: tuple(raw.row or ())):
        held = list(some)
        values = {key: [(raw.row or {})[key] for raw in held] for key in keys}
        blocks.append(Columns(values, held[0].line - 1, "f") if keys else held)
    together = Rows(blocks)
    assert list(together) == given == together[:]
    found = tables_of(lambda _, *more: convert_part(together, *more)[0], rows)
    assert found == tables_of(lambda _, *more: convert_rows(given, *more), rows)


def test_blocks_are_cut_where_a_part_ends():
    first, rest = Columns({"a": [1, 2, 3]}, 0), [Raw(4, {"b": 1}), Raw(5, None)]
    parts = [[raw.line for raw in part] for part in cut([first, rest], [2, 2, 4, 1])]
    assert parts == [[1, 2], [3, 4], [5], []]


def test_most_rows_are_columns(monkeypatch):
    asked = []
    monkeypatch.setattr(convert_columns, "read_raw", lambda raw, *rest: asked.append(raw.line) or [])
    rows = [
        {"prompt": "a", "completion": "b <c> [d] \n"},
        {"instruction": "b", "input": "", "output": "b"},
        {"instruction": "c", "input": "d", "output": "e"},
        {"prompt": "d", "completions": ["e", "f"]},
        {"prompt": "e", "completion": "f", "id": 3, "score_of": 2.5},
        {"prompt": "f", "completion": "<think>g</think>h"},
    ]
    opened = Opened(iter(()), "s", "s.jsonl", "s.jsonl", Reading())
    tables = Tables()
    _, numbers = convert_part(Rows([raws(rows)]), opened, Options("s", None, False), tables, NONE)
    assert asked == [11]
    assert len(numbers) == 5
    assert tables.source(Reading()).facts == Facts(
        prompts=5,
        completions=6,
        row_formats=tables.facts.row_formats,
        prompt_keys=tables.facts.prompt_keys,
        leftovers=tables.facts.leftovers,
    )


def test_a_prompt_of_another_part_is_read_by_itself():
    rows = [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}]
    opened = Opened(iter(()), "s", "s.jsonl", "s.jsonl", Reading())
    _, numbers = convert_part(Rows([raws(rows)]), opened, Options("s", None, False), Tables())
    tables = Tables()
    _, left = convert_part(Rows([raws(rows)]), opened, Options("s", None, False), tables, numbers[:1])
    assert left.tolist() == numbers[1:].tolist()
    assert [one.line for one in tables.seen.values()] == [1]
