"""``gristmill diff``: what changed between two runs."""

import json

import pytest

from tests.command import call, mistake

RECIPE = """
name: a
seed: 7
prompts: [{source: rows.jsonl}]
completions: [{score: length}]
datasets: {sft: {type: sft, where: length > %d}}
"""
SOURCES = "[{source: {path: rows.jsonl, limit: %d}}, {source: more.jsonl}]"
ROWS = [{"prompt": f"question {n}", "completion": "x " * n} for n in range(1, 9)]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A folder with two runs of a recipe, of which the second asks for longer answers and has another row."""
    folder = tmp_path_factory.mktemp("two")
    for least, rows in ((2, ROWS[:7]), (4, ROWS)):
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "a.yaml").write_text(RECIPE % least)
        assert call(folder, "run", "a.yaml").code == 0
    return folder


def test_rows_that_entered_and_left_with_the_reason(two):
    shown = call(two, "diff")
    assert shown.code == 0 and "datasets.sft.where" in shown.out and '"length > 4"' in shown.out
    found = json.loads(call(two, "diff", "--json").out)
    tables = {row["what"]: row for row in found["tables"]}
    assert tables["dataset sft"] == {
        "what": "dataset sft",
        "before": 5,
        "after": 4,
        "entered": 1,
        "left": 2,
        "moved": 0,
    }
    assert tables["prompts"]["entered"] == 1 and tables["completions"]["after"] == 8
    left = [row for row in found["rows"] if row["change"] == "left"]
    assert {row["text"] for row in left} == {"question 3", "question 4"}
    assert all("datasets.sft" in row["why"] and "length > 4" in row["why"] for row in left)
    assert [row["where"] for row in found["settings"]] == ["datasets.sft.where"]
    assert found["scores"] == [{"scorer": "length", "rows": 7, "moved": 0, "mean_before": 4.0, "mean_after": 4.0}]


def test_a_file_whose_content_changed_is_named(two, tmp_path):
    (source,) = json.loads(call(two, "diff", "--json").out)["sources"]
    assert source == {"source": "rows.jsonl", "rows_before": 7, "rows_after": 8}
    shown = call(two, "diff").out
    assert "Files and sources whose content changed" in shown and "rows.jsonl" in shown
    (tmp_path / "more.jsonl").write_text(json.dumps({"prompt": "one", "completion": "x"}) + "\n")
    (tmp_path / "a.yaml").write_text((RECIPE % 0).replace("[{source: rows.jsonl}]", SOURCES % 2))
    for last in (
        "z",
        "y",
    ):  # the third row is beyond the limit; the name of a source and its weight are not its content
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*ROWS[:2], {"prompt": last}]))
        assert call(tmp_path, "run", "a.yaml").code == 0
    assert json.loads(call(tmp_path, "diff", "--json").out)["sources"] == []
    (tmp_path / "a.yaml").write_text((RECIPE % 0).replace("[{source: rows.jsonl}]", SOURCES % 3))
    assert call(tmp_path, "run", "a.yaml").code == 0
    assert json.loads(call(tmp_path, "diff", "--json").out)["sources"] == []  # the recipe has changed: it says so


def test_why_takes_a_row_that_left(two):
    left = [row for row in json.loads(call(two, "diff", "--json").out)["rows"] if row["change"] == "left"]
    first, second = call(two, "sql", "SELECT run_id FROM runs ORDER BY 1", "--format", "csv").out.split()[1:]
    told = call(two, "why", left[0]["row_id"]).out
    assert "not in the tables any more" in told and f"the last run that had it: {first}" in told
    assert f"dropped in run {second}: not: length > 4, by datasets.sft.where" in told
    assert left[0]["text"] in told and "scores of completion" in told
    assert "not in the tables" not in call(two, "why", "rows.jsonl:8").out
    assert "no row 'r_none'" in mistake(call(two, "why", "r_none"))


def test_a_row_whose_answer_or_prompt_is_gone_says_so(tmp_path):
    (tmp_path / "a.yaml").write_text(RECIPE % 0)
    for rows in ([ROWS[0], ROWS[1], ROWS[2]], [ROWS[0], ROWS[1] | {"completion": "other"}]):
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert call(tmp_path, "run", "a.yaml").code == 0
    found = json.loads(call(tmp_path, "diff", "--json").out)["rows"]
    left = [row for row in found if row["change"] == "left" and row["what"] == "dataset sft"]
    assert {row["text"]: row["why"] for row in left} == {
        "question 2": "its answer is gone",
        "question 3": "its prompt is gone",
    }
    told = [call(tmp_path, "why", row["row_id"]).out for row in left]
    assert all("not made in run" in one for one in told)
    (tmp_path / "a.yaml").write_text((RECIPE % 0).replace("{sft:", "{other:"))
    assert call(tmp_path, "run", "a.yaml").code == 0
    found = json.loads(call(tmp_path, "diff", "--json").out)["rows"]
    assert {row["why"] for row in found if row["what"] == "dataset sft"} == {"its dataset is gone"}


def test_runs_are_named_by_their_start_or_their_recipe(two):
    first, second = call(two, "sql", "SELECT run_id FROM runs ORDER BY 1", "--format", "csv").out.split()[1:]
    both = [json.loads(call(two, "diff", *runs, "--json").out) for runs in ((second, first), ("a",), ())]
    assert {(one["before"], one["after"]) for one in both} == {(first, second)}
    assert "the same one twice" in mistake(call(two, "diff", first, first))
    assert "no earlier run" in mistake(call(two, "diff", first))
    assert "begins the ids of 2 runs" in mistake(call(two, "diff", "20"))
    assert "no run or recipe" in mistake(call(two, "diff", "b"))


def test_a_score_that_moved_is_shown(two, tmp_path):
    for pattern in ("x", "y"):
        (tmp_path / "rows.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
        scored = RECIPE.replace("score: length", f"score: {{use: regex, pattern: {pattern}, as: has}}") % 0
        (tmp_path / "a.yaml").write_text(scored.replace(", where: length > 0", ""))
        assert call(tmp_path, "run", "a.yaml").code == 0
    found = json.loads(call(tmp_path, "diff", "--json").out)
    assert found["scores"] == [{"scorer": "has", "rows": 1, "moved": 1, "mean_before": 1.0, "mean_after": 0.0}]
    (moved,) = found["moves"]
    assert (moved["before"], moved["after"]) == (1.0, 0.0) and moved["row_id"].startswith("c_")


def test_a_row_left_by_a_decision_of_its_own_dataset(tmp_path):
    for least in (2, 4):
        (tmp_path / "a.yaml").write_text(
            (RECIPE % least).replace("{sft:", "{first: {type: sft, where: length > 7}, sft:")
        )
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        assert call(tmp_path, "run", "a.yaml").code == 0
    found = json.loads(call(tmp_path, "diff", "--json").out)["rows"]
    left = [(row["what"], row["why"]) for row in found if row["change"] == "left"]
    assert left == [("dataset sft", "not: length > 4, by datasets.sft.where")] * 2
