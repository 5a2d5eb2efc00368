"""``gristmill show NAME``: a table, a view or a dataset, and how its conversations are shown."""

import json

import pytest

from tests.command import call, mistake

RECIPE = """
name: a
prompts: [{source: rows.jsonl}]
completions: [{score: {use: length, as: len}}]
datasets:
  short: {type: sft, select: best_of_n, by: len}
  pairs: {type: preference, select: best_vs_worst, by: len}
  asked: {type: prompt}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a store of three datasets, one of which has the name of a view."""
    folder = tmp_path_factory.mktemp("made")
    rows = [{"prompt": f"question {n}", "completions": ["yes", "yes, and no"]} for n in range(3)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "r.yaml").write_text(RECIPE)
    assert call(folder, "run", "r.yaml").code == 0
    return folder


def test_a_person_is_shown_the_texts_of_a_dataset(made):
    for name in ("sft", "short"):
        found = call(made, "show", name, "-n", "1").out
        assert "question 0" in found and "yes, and no" in found and "role" not in found
    assert "role" in call(made, "show", "short", "--columns", "all").out


def test_a_program_gets_whole_conversations(made):
    (line,) = call(made, "show", "short", "-n", "1", "--format", "jsonl").out.splitlines()
    assert json.loads(line)["prompt"] == [{"role": "user", "content": "question 0"}]


def test_a_dataset_is_shown_by_its_name_but_a_table_first(made):
    assert len(call(made, "show", "asked", "--format", "jsonl").out.splitlines()) == 3
    assert "margin" in call(made, "show", "pairs").out, "the view of that name"


def test_the_overview_names_the_datasets(made):
    assert "and the datasets: short, pairs, asked" in call(made, "show").out


@pytest.mark.parametrize("columns", ["60", "80", "100"])
def test_the_overview_has_whole_ids_of_runs(made, monkeypatch, columns):
    (run_id,) = call(made, "sql", "SELECT run_id FROM runs", "--format", "csv").out.split()[1:]
    monkeypatch.setenv("COLUMNS", columns)
    assert run_id in call(made, "show").out


@pytest.mark.parametrize("option", ["-n", "--rows", "--limit"])
def test_the_number_of_rows_is_limited(made, option):
    assert len(call(made, "show", "prompts", option, "2", "--format", "jsonl").out.splitlines()) == 2


def test_an_unknown_name_is_told_the_nearest_dataset(made):
    assert "did you mean 'short'?" in mistake(call(made, "show", "shor"))
    assert mistake(call(made, "show", "it's'")).startswith('no table or dataset "it')


@pytest.mark.parametrize("command", [("show", "k_curve"), ("sql", "FROM k_curve")])
def test_a_macro_without_brackets_is_told_how_it_is_called(made, command):
    assert "FROM k_curve(scorer)" in mistake(call(made, *command))


def test_a_path_into_plain_text_is_told_that_it_is_no_json(made):
    assert "plain text is read as it is" in mistake(call(made, "sql", "SELECT prompt ->> '$[0]' FROM examples"))
