"""The short way for plain rows reads just what the long way does."""

from dataclasses import asdict

from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.sources.rows.plain_rows import plain_row
from curate.sources.rows.row_formats import convert, convert_closely
from schemas.errors import BadRow

KEYS = st.sampled_from(
    ["prompt", "instruction", "question", "query", "input", "context", "completion", "output", "response", "answer"]
    + ["completions", "responses", "text", "system", "model", "source", "id", "score", "label", "category", "chosen"]
    + ["rejected", "metadata", "test", "solution", "history", "Prompt", "reasoning", "title", "passage", "choices"]
)
TEXTS = st.sampled_from(
    ["", " ", "Why?", "Because.", "[1, 2]", '["a", "b"]', "Human: a\n\nAssistant: b", "<think>t</think>a", "a\ud83db"]
    + ["é\n", "none", "<noinput>", "<tool_call>{}</tool_call>", "a <b> [c]", "assert x", "analysis a assistantfinal b"]
    + ["<extra_id_1>User\nx", "<|channel|>final<|message|>x", "◁think▷a◁/think▷b", "</think>b", "on", "high", "A"]
)
VALUES = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(-2, 2), st.floats(allow_nan=False), st.lists(TEXTS, max_size=3)
)
ROWS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=6)


def read(how, row, cut):
    try:
        return [asdict(one) for one in how(dict(row), cut=cut)]
    except BadRow as problem:
        return str(problem)


@settings(max_examples=400, deadline=None)
@given(ROWS, st.booleans())
@example({"instruction": "a", "input": "b", "output": "c"}, False)
@example({"prompt": "a", "completions": ["b", "c"], "source": "d"}, True)
@example({"prompt": "a", "completions": ["b", "c"], "model": "d"}, True)
@example({"prompt": "a", "completions": ["b", "c"], "scores": [1, 2]}, True)
@example({"question": "a", "response": "b", "score": 1}, False)
def test_a_plain_row_is_read_as_a_close_look_reads_it(row, cut):
    assert read(convert, row, cut) == read(convert_closely, row, cut)


def test_the_commonest_rows_are_plain():
    rows = [
        {"prompt": "a", "completion": "b"},
        {"instruction": "a", "input": "", "output": "b"},
        {"instruction": "a", "input": "c", "output": "b"},
        {"prompt": "a", "completions": ["b", "c"]},
        {"prompt": "a", "completion": "b", "id": 3, "source": "web"},
    ]
    assert [plain_row(row) is not None for row in rows] == [True] * len(rows)
    assert plain_row({"prompt": "a", "completion": "<think>b</think>c"}) is None
