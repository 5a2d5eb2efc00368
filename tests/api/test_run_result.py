"""A run from Python: a recipe as a mapping, its result to look at, and the store's tables."""

import asyncio
import importlib
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import curate
import train
from curate import load_recipe, open_store, plan, run
from curate.storage.store import Store
from schemas.errors import Stopped, UserError
from schemas.progress import Progress
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs

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


def test_a_stopped_run_has_a_result_too(tmp_path):
    with Stub() as stub:
        asking = recipe(
            tmp_path,
            models={"teacher": {"engine": "openai", "model": "stub-1", "base_url": stub.url}},
            completions=[{"generate": {"use": "sample", "model": "teacher", "n": 2}}],
            datasets={"all": {"type": "sft", "select": "all"}},
            budget={"max_requests": 0},
        )
        with pytest.raises(Stopped) as caught:
            run(asking, tmp_path / "store")
    assert list(caught.value.result.datasets) == ["all"] and "0 requests" in repr(caught.value.result)


def test_servers_are_asked_inside_a_running_event_loop(tmp_path):
    with Stub() as stub:
        models = {"teacher": {"engine": "openai", "model": "stub-1", "base_url": stub.url}}
        generate = [{"generate": {"use": "sample", "model": "teacher", "n": 2, "max_tokens": 8}}]
        datasets = {"all": {"type": "sft", "select": "all"}}

        async def cell():
            return run(recipe(tmp_path, models=models, completions=generate, datasets=datasets), tmp_path / "store")

        result = asyncio.run(cell())
        asked = stub.stats()["requests"]
    assert result.store.sql("SELECT count(*) FROM completions").fetchall() == [(16,)]
    assert asked > 0 and result.costs["replies"].sum() == 8


def test_control_characters_do_not_reach_the_screen(tmp_path):
    hostile = run(recipe(tmp_path, completions=[{"filter": {"\x1b[31mred\x07": "true"}}], datasets={}), tmp_path / "s")
    assert "red" in repr(hostile) and not {"\x1b", "\x07"} & {*repr(hostile), *hostile._repr_html_()}


@pytest.mark.parametrize("query", ["INSERT INTO sft SELECT * FROM sft", "SELECT 1; SELECT 2", "", "COPY sft TO 'x'"])
def test_sql_takes_one_query_that_reads(tmp_path, query):
    with pytest.raises(UserError, match="sql: expected one query that reads"):
        open_store(tmp_path / "store").sql(query)


def test_wrong_sql_is_said_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"^sql: .*no_such") as caught:
        open_store(tmp_path / "store").sql("SELECT no_such FROM sft")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [None, 5, [1], b"x.yaml"])
def test_a_wrong_recipe_store_or_display_is_said_in_one_line(tmp_path, wrong):
    for call in (lambda: run(wrong, tmp_path / "s"), lambda: run(recipe(tmp_path), wrong), lambda: open_store(wrong)):
        with pytest.raises(UserError, match="expected a (recipe|store)"):
            call()
    if wrong is not None:
        with pytest.raises(UserError, match="progress: expected a curate.Progress"):
            run(recipe(tmp_path), tmp_path / "s", progress=wrong)


def test_a_plan_writes_nothing_and_says_what_is_there(tmp_path):
    assert "to run" in repr(plan(recipe(tmp_path), tmp_path / "store")) and not (tmp_path / "store").exists()
    run(recipe(tmp_path), tmp_path / "store")
    assert "to run" not in repr(plan(recipe(tmp_path), tmp_path / "store"))


@pytest.mark.parametrize("rows", [-1, "x", 1.5, True, None])
def test_a_plan_of_a_wrong_number_of_rows_is_one_line(tmp_path, rows):
    with pytest.raises(UserError, match="rows: expected a whole number of rows, at least 0, found"):
        plan(recipe(tmp_path), rows=rows)


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
        ({"split": {1: 0.2, "1": 0.3}}, "recipe: split: expected names as keys, each once"),
        ({"split": {"test": float("nan")}}, "recipe: split.test: expected text, a number"),
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
    assert dir(curate) == curate.__all__ and all(getattr(curate, name) is not None for name in dir(curate))
    assert dir(train) == train.__all__ and "length" in dir(importlib.import_module("curate.score"))
    with pytest.raises(AttributeError, match="has no attribute 'runn'"):
        curate.runn  # noqa: B018


def test_warnings_are_in_the_result_and_the_plan_without_markup(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "q", "completion": "x <|im_end|> <b>"}\n', encoding="utf-8")
    (tmp_path / "r.yaml").write_text(
        "name: r\nprompts:\n  - source: rows.jsonl\ndatasets: {sft: {type: sft}}\n", encoding="utf-8"
    )
    planned, made = plan(tmp_path / "r.yaml"), run(tmp_path / "r.yaml", tmp_path / "store")
    assert planned.warnings == made.warnings and [one.stage for one in made.warnings] == ["datasets.sft"]
    told = "warning: datasets.sft: 1 row holds control tokens of a chat template: <|im_end|> (1)"
    assert told in repr(planned) and told in repr(made)
    page = made._repr_html_()
    assert "Warnings" in page and "&lt;|im_end|&gt;" in page and "<|im_end|>" not in page


class Noted(Progress):
    """Notes the warnings and the ends of stages, in order."""

    def __init__(self):
        self.said = []

    def warn(self, warning):
        self.said.append(str(warning))

    def end(self, label, result, *, reused=False):
        self.said.append(label)


def test_a_display_is_given_each_warning_once_after_the_stages(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "q"}\n', encoding="utf-8")
    noted = Noted()
    job = {
        "name": "r",
        "prompts": [{"source": tmp_path / "rows.jsonl"}],
        "datasets": {"sft": {"type": "sft"}, "held_out": {"type": "prompt"}},
    }
    made = run(job, tmp_path / "store", noted)
    assert noted.said[:-1] == ["prompts.source.rows", "datasets.sft", "datasets.held_out"]
    assert noted.said[-1:] == [str(one) for one in made.warnings]


def test_what_is_known_is_said_before_a_model_is_asked(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Hi {{name}}", "completion": "yes"}\n', encoding="utf-8")
    with Stub() as stub:
        job = {
            "name": "r",
            "models": {"m": {"engine": "openai", "base_url": stub.url, "model": "big"}},
            "prompts": [{"source": tmp_path / "rows.jsonl"}],
            "completions": [{"generate": {"use": "sample", "model": "m", "max_tokens": 5}}],
            "datasets": {"sft": {"type": "sft"}},
        }
        noted = Noted()
        made = run(job, tmp_path / "store", noted)
    assert noted.said[0].startswith("datasets.sft: 1 row holds ") and "{{name}}" in noted.said[0]
    assert noted.said[1:-1] == ["prompts.source.rows", "completions.generate.sample", "datasets.sft"]
    (only,) = made.warnings
    assert noted.said[-1] == str(only) and only.text.startswith("2 rows hold "), "the sampled answer's row too"
