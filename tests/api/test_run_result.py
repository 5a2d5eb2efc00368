"""A run from Python: a recipe as a mapping, its result to look at, and the store's tables."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import curate
from curate import load_recipe, open_store, plan, run
from curate.storage.store import Store
from schemas.errors import UserError

ROWS = [f'{{"prompt": "p{n}", "completions": ["a", "b <b>{n}</b>"]}}\n' for n in range(4)]


def recipe(folder: Path, **changes) -> dict:
    """A recipe as a mapping: four prompts with two recorded candidates each."""
    (folder / "rows.jsonl").write_text("".join(ROWS), encoding="utf-8")
    return {
        "name": "job",
        "prompts": [{"source": folder / "rows.jsonl"}],
        "completions": [{"score": "length"}, {"filter": {"<i>short": "length < 2"}}],
        "datasets": {"best": {"type": "sft", "select": "best_of_n", "by": "length"}},
        "split": {"test": 0.5},
    } | changes


def test_the_result_shows_datasets_decisions_and_costs(tmp_path):
    result = run(recipe(tmp_path), tmp_path / "store")
    assert list(result.datasets) == ["best"] and "best" in result.datasets and len(result.datasets) == 1
    assert result.datasets["best"].height == 4 and repr(result.datasets) == "Datasets('best': 4 rows)"
    assert result.summary().select("dataset", "rows").group_by("dataset").sum().rows() == [("best", 4)]
    assert result.dropped().rows()[0] == ("completions.filter", "<i>short", 4)
    assert result.decisions.filter(~pl.col("kept")).height == result.dropped()["dropped"].sum()
    assert result.costs.is_empty() and result.costs.columns[:3] == ["run_id", "recipe", "model"]
    assert result.run_id in repr(result) and "<i>short" in repr(result)
    page = result._repr_html_()
    assert "&lt;i&gt;short" in page and "<i>" not in page, "no markup from data"
    with pytest.raises(UserError, match="no dataset 'bst'; did you mean 'best'"):
        result.datasets["bst"]


def test_a_plan_writes_nothing_and_says_what_is_there(tmp_path):
    assert "to run" in repr(plan(recipe(tmp_path), tmp_path / "store")) and not (tmp_path / "store").exists()
    run(recipe(tmp_path), tmp_path / "store")
    assert "to run" not in repr(plan(recipe(tmp_path), tmp_path / "store"))


def test_a_store_shows_its_tables_as_they_are_now(tmp_path):
    store = open_store(tmp_path / "store")
    assert repr(store).endswith(", empty") and store.table("sft").collect().is_empty()
    result = run(recipe(tmp_path), store)
    assert store.table("sft").select("row_id").collect().height == 4
    assert store.sql("SELECT count(*) FROM completions WHERE response = ?", ["a"]).fetchall() == [(4,)]
    assert "best" in repr(store) and "<td>best</td>" in store._repr_html_()
    assert result.store.path == store.path and isinstance(store, Store)
    with pytest.raises(UserError, match="no table 'completion'; did you mean 'completions'"):
        store.table("completion")
    with pytest.raises(UserError, match="no store here"):
        open_store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_recipe_from_a_file_and_from_a_mapping_is_the_same(tmp_path):
    (tmp_path / "job.yaml").write_text(
        "name: job\nprompts:\n  - source: rows.jsonl\ncompletions:\n  - score: length\n"
        '  - filter: {"<i>short": "length < 2"}\n'
        "datasets:\n  best: {type: sft, select: best_of_n, by: length}\nsplit: {test: 0.5}\n",
        encoding="utf-8",
    )
    first = run(recipe(tmp_path), tmp_path / "one")
    second = run(tmp_path / "job.yaml", tmp_path / "two")
    third = run(load_recipe(tmp_path / "job.yaml", ["name=other"]), str(tmp_path / "three"))
    assert first.datasets["best"].equals(second.datasets["best"]) and third.recipe.name == "other"
    again = run(recipe(tmp_path), tmp_path / "two")
    assert [stage.stage_id for stage in again.stages.values()] == [s.stage_id for s in second.stages.values()]


def test_equal_steps_of_a_mapping_are_told_apart(tmp_path):
    twice = [{"score": {"use": "length", "as": "a"}}, {"score": {"use": "length", "as": "b"}}]
    found = run(recipe(tmp_path, completions=twice, datasets={}), tmp_path / "store")
    assert found.store.sql("SELECT DISTINCT scorer FROM scores ORDER BY 1").fetchall() == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"completions": [{"score": "lenght"}]},
            "recipe: completions[0]: no score step 'lenght'; did you mean 'length'",
        ),
        ({"completions": [{"scor": "length"}]}, "recipe: completions[0]: no verb in completions 'scor'"),
        ({"datasets": {"best": {"type": "sfd"}}}, "recipe: datasets.best.type: "),
        ({"split": {"test": 2}}, "recipe: split.test: "),
        ({"prompts": "rows.jsonl"}, "recipe: prompts: expected a list of steps, found text"),
        ({"seed": object()}, "recipe: seed: expected text, a number, a list or a mapping, found <object"),
        ({"name": None}, "recipe: name: "),
        ({"train": {"s": {"trainer": "sft", "dataset": "bst", "model": "m"}}}, "no dataset 'bst'; did you mean 'best'"),
    ],
)
def test_an_error_names_the_place_in_the_mapping(tmp_path, changes, said):
    with pytest.raises(UserError) as caught:
        run(recipe(tmp_path, **changes), tmp_path / "store")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_imports_are_lazy():
    code = "import sys, curate, train; print(sorted({'polars', 'duckdb', 'torch', 'trl', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert all(getattr(curate, name) is not None for name in curate.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'runn'"):
        curate.runn  # noqa: B018
