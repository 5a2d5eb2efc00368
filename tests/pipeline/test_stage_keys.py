"""A stage's key holds all that it depends on: a change that matters remakes it; and scores may have any name."""

import json

import pytest

from curate.api.run import run
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from tests.jobs import query

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

ROWS = [
    {"prompt": "What is 2+2?", "ground_truth": "4", "completions": ["4", "five"]},
    {"prompt": "And what is three and three?", "ground_truth": "6", "completions": ["6", "seven"]},
]
DATASETS = """datasets:
  sft: {type: sft, select: best_of_n, by: exact_match}
  dpo: {type: preference, by: exact_match}
"""


def build(folder, steps, *, datasets=DATASETS, rows=ROWS):
    """Run a recipe over recorded candidates: ``steps`` follow the source. Returns the store."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "r.yaml").write_text(f"name: r\nprompts:\n  - source: rows.jsonl\n{steps}\n{datasets}", encoding="utf-8")
    store = Store(folder / "store")
    run(load_recipe(folder / "r.yaml"), store)
    return store


def reasons(store):
    """The reasons for which the filter dropped candidates, sorted."""
    found = query(store, "SELECT reason FROM decisions WHERE stage = 'completions.filter' AND NOT kept ORDER BY ALL")
    return found["reason"].to_list()


def test_a_filter_by_a_score_of_the_prompts_follows_that_score(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "size.py").write_text(
        '"""Size."""\n\n\ndef score(prompt, *, factor: int = 1):\n    """Characters, times factor."""\n'
        "    return prompt.str.len_chars() * factor\n"
    )
    steps = (
        "  - score: {{use: size.score, as: big, factor: {}}}\n"
        "completions:\n  - score: exact_match\n  - filter: {{x: big > 20}}"
    )
    assert reasons(build(tmp_path, steps.format(1))) == ["x", "x"]
    assert reasons(build(tmp_path, steps.format(0))) == []


def test_the_order_of_a_filters_reasons_counts(tmp_path):
    steps = "completions:\n  - score: exact_match\n  - filter: {{{}}}"
    conditions = ["word: \"response = 'five'\"", 'long: "length(response) = 4"']
    assert reasons(build(tmp_path, steps.format(", ".join(conditions)))) == ["word"]
    assert reasons(build(tmp_path, steps.format(", ".join(reversed(conditions))))) == ["long"]


def test_a_score_may_be_called_like_a_column_of_a_dataset(tmp_path):
    names = ("turns", "rejected", "rejected_score", "my-len")
    steps = "completions:\n  - score: exact_match\n" + "".join(f"  - score: {{use: length, as: {n}}}\n" for n in names)
    store = build(tmp_path, steps + "  - filter: {x: '\"my-len\" > 9'}")
    assert query(store, "SELECT completion ->> '$[0].content' FROM sft ORDER BY 1").to_series().to_list() == [
        "4",
        "6",
    ]
    pairs = query(
        store, "SELECT chosen ->> '$[0].content', rejected ->> '$[0].content', rejected_score FROM preferences"
    )
    assert sorted(pairs.rows()) == [("4", "five", 0.0), ("6", "seven", 0.0)]


def test_a_dataset_of_prompts_without_candidates_is_empty(tmp_path):
    store = build(tmp_path, "", datasets="datasets: {sft: {type: sft}}", rows=[{"prompt": "Hello?"}])
    assert query(store, "SELECT count(*) FROM sft").item() == 0


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("completions:\n  - score: {use: length, as: [a]}", "'as' must be a name"),
        ("completions:\n  - score: {use: length, as: Response}", "a column 'Response' exists already"),
        ("completions:\n  - select: {use: best_of_n, by: response}", "'response' is no number"),
        ("completions:\n  - dedup: {use: exact, on: [a]}", "no column"),
        ("  - decontaminate: {against: rows.jsonl, ngram: x}", "ngram: expected a number, found 'x'"),
        ("  - decontaminate: {against: []}", "expected a file, or a list of files"),
    ],
)
def test_a_value_of_the_wrong_kind(tmp_path, step, words):
    with pytest.raises(UserError, match=words) as error:
        build(tmp_path, step, datasets="")
    assert "r.yaml:" in str(error.value)
