"""A limit on the whole recipe: a smoke run, kept apart from the run of the whole recipe."""

import json

import polars as pl
import pytest

from curate import load_recipe, open_store, plan, run
from curate.pipeline.source_reader import SourceReader
from schemas.errors import UserError
from tests.command import call, mistake
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs

COUNT = "SELECT count(*) FROM {}"


@pytest.fixture
def folder(tmp_path):
    """A folder with a source of 100 answered prompts and its recipe."""
    rows = [{"prompt": f"question {n}", "completion": f"answer {n}"} for n in range(100)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "r.yaml").write_text(
        "name: job\nprompts:\n  - source: a.jsonl\ndatasets:\n  sft: {type: sft}\nsplit: 0.1\n"
    )
    return tmp_path


def rows(folder, table="sft", **more):
    return open_store(folder / "store").sql(COUNT.format(table), **more).fetchall()[0][0]


def smoke(folder, limit=20):
    return load_recipe(folder / "r.yaml", [f"limit={limit}"])


def test_a_smoke_run_takes_the_first_rows_of_each_source(folder):
    result = run(smoke(folder), folder / "store")
    assert result.recipe.run_name == "job.limit20" and result.summary()["rows"].sum() == 20
    assert result.datasets["sft"].filter(pl.col("split") == "test").height == 2
    assert [one["recipe"] for one in open_store(folder / "store").runs()] == ["job.limit20"]
    assert max(json.loads(text)[-1]["content"] for text in result.datasets["sft"]["prompt"]) == "question 9"


def test_after_the_whole_run_sql_shows_that_alone(folder):
    run(smoke(folder), folder / "store")
    assert rows(folder) == rows(folder, "prompts") == 20, "there is nothing else to show yet"
    run(folder / "r.yaml", folder / "store")
    assert rows(folder) == rows(folder, "prompts") == 100
    assert rows(folder, recipe="job.limit20") == rows(folder, "prompts", recipe="job.limit20") == 20
    assert rows(folder, recipe="job") == 100


def test_a_smoke_run_after_the_whole_run_changes_no_table(folder):
    run(folder / "r.yaml", folder / "store")
    store = open_store(folder / "store")
    before = {table: store.table(table).collect() for table in ("prompts", "completions", "decisions", "sft")}
    run(smoke(folder), folder / "store")
    for table, held in before.items():
        assert store.table(table).collect().sort(pl.all()).equals(held.sort(pl.all())), table
    assert store.dataset_rows("sft").height == 100
    assert store.dataset_rows("sft", recipe="job.limit20").height == 20
    assert store.table("sft", recipe="job.limit20").collect().height == 20
    assert "job.limit20" not in repr(store)


def test_of_several_smoke_runs_the_latest_is_shown(folder):
    for limit in (20, 30, 10):
        run(smoke(folder, limit), folder / "store")
        assert rows(folder) == limit
    assert rows(folder, recipe="job.limit30") == 30
    assert open_store(folder / "store").dataset_rows("sft").height == 10


def test_stages_of_both_runs_are_kept_and_reused(folder):
    run(smoke(folder), folder / "store")
    run(folder / "r.yaml", folder / "store")
    count = len(open_store(folder / "store").stages())
    for recipe in (smoke(folder), folder / "r.yaml"):
        assert all(stage.cached for stage in plan(recipe, folder / "store").stages)
        run(recipe, folder / "store")
    assert len(open_store(folder / "store").stages()) == count == 4


def test_a_limit_in_the_recipe_is_a_limit(folder):
    text = (folder / "r.yaml").read_text()
    (folder / "r.yaml").write_text(f"limit: 7\n{text}")
    assert run(folder / "r.yaml", folder / "store").recipe.run_name == "job.limit7" and rows(folder) == 7
    assert run(smoke(folder, 3), folder / "store").recipe.run_name == "job.limit3"
    assert run(load_recipe(folder / "r.yaml", ["limit=null"]), folder / "store").recipe.run_name == "job"
    assert rows(folder) == 100


@pytest.mark.parametrize("own, taken", [(5, 5), (50, 20), (None, 20)])
def test_the_smaller_of_two_limits_holds(folder, own, taken):
    source = {"path": str(folder / "a.jsonl")} | ({"limit": own} if own else {})
    recipe = {"name": "job", "limit": 20, "prompts": [{"source": source}], "datasets": {"rl": {"type": "prompt"}}}
    assert plan(recipe).prompts == taken


def test_rows_and_weights_count_within_the_limit(folder):
    (folder / "b.jsonl").write_text('{"prompt": "b"}\n{"prompt": "c"}\n')
    a, b = ({"source": {"path": str(folder / f"{name}.jsonl"), "rows": 90}} for name in "ab")
    recipe = {"name": "job", "limit": 20, "prompts": [a, b], "datasets": {"rl": {"type": "prompt"}}}
    assert plan(recipe).sources.select("prompts", "drawn", "repeated").rows() == [(20, 20, 0), (2, 2, 18)]
    del a["source"]["rows"], b["source"]["rows"]
    a["source"]["weight"], b["source"]["weight"] = 3, 1
    assert plan(recipe).sources["drawn"].to_list() == [6, 2]


def test_the_rest_of_a_file_is_not_read(folder):
    reader, settings = SourceReader(), {"limit": 20}
    with (folder / "a.jsonl").open("a") as file:
        file.write("this is no row\n")
    held = reader.content(folder / "a.jsonl", settings, "r.yaml:3")
    assert reader.read(folder / "a.jsonl", settings, "r.yaml:3").prompts.height == 20
    with (folder / "a.jsonl").open("a") as file:
        file.write("nor is this\n")
    assert SourceReader().content(folder / "a.jsonl", settings, "r.yaml:3") == held, "the limited rows are the same"
    (folder / "a.jsonl").write_text((folder / "a.jsonl").read_text().replace("answer 3", "answer x"))
    assert SourceReader().content(folder / "a.jsonl", settings, "r.yaml:3") != held


@pytest.mark.parametrize("limit", ["0", "-1", "2.5", "many", "true", "1000000001"])
def test_a_limit_has_bounds(folder, limit):
    with pytest.raises(UserError, match=r"r\.yaml:1: limit: "):
        load_recipe(folder / "r.yaml", [f"limit={limit}"])


@pytest.mark.slow
def test_what_a_smoke_run_asked_is_not_asked_again(folder):
    with Stub() as stub:
        model = {"engine": "openai", "base_url": stub.url, "model": "big", "identity": "big"}
        recipe = {
            "name": "job",
            "models": {"a": model},
            "prompts": [{"source": str(folder / "a.jsonl")}],
            "completions": [{"generate": {"use": "sample", "model": "a", "n": 1, "max_tokens": 9}}],
            "datasets": {"rl": {"type": "prompt"}},
            "budget": {"max_requests": 100},
        }
        assert run({**recipe, "limit": 20}, folder / "store").costs["requests"].sum() == 20
        result = run(recipe, folder / "store")
    assert result.costs["requests"].sum() == 80, "and the budget, of 100 requests, is that of both"
    assert result.store.runs()[-1]["requests_reused"] == 20


def test_the_command_line_keeps_the_limit(folder):
    done = call(folder, "run", "r.yaml", "--limit", "20")
    assert done.code == 0, done.err
    assert "gristmill export sft DIR --recipe job.limit20" in done.out
    assert "gristmill show --recipe job.limit20" in done.out
    assert "a smoke run on the first 20 rows of each source" in done.out
    assert call(folder, "run", "r.yaml", "--set", "limit=20").out == done.out
    checked = call(folder, "check", "r.yaml", "--limit", "20")
    assert "with the first 20 rows of each source" in checked.out and "to run" not in checked.out
    assert "to run" in call(folder, "check", "r.yaml").out
    whole = call(folder, "run", "r.yaml")
    assert whole.code == 0 and "limit" not in whole.out and "smoke" not in whole.out
    assert "100" in call(folder, "sql", COUNT.format("sft")).out
    assert "20" in call(folder, "sql", COUNT.format("sft"), "--recipe", "job.limit20").out
    shown = call(folder, "show", "--recipe", "job.limit20").out
    finished = [line for line in shown.splitlines() if "finished" in line]
    assert len(finished) == 2 and all("-job.limit20 " in line for line in finished), "both smoke runs, and no other"
    assert ["sft", "20"] in [[cell.strip() for cell in line.split("│")] for line in shown.splitlines()]
    id = open_store(folder / "store").sql("SELECT row_id FROM sft LIMIT 1", recipe="job.limit20").fetchall()[0][0]
    assert call(folder, "why", id, "--recipe", "job.limit20").code == 0
    assert "did you mean 'job.limit20'?" in mistake(call(folder, "show", "--recipe", "job.limit2"))


def test_nothing_is_trained_or_evaluated_on_a_smoke_run_unawares(folder):
    with (folder / "r.yaml").open("a") as file:
        file.write("models: {m: smollm2-135m}\ntrain:\n  t: {trainer: sft, dataset: sft, model: m}\n"
                   "evaluate: {models: [m], dataset: sft, by: [length]}\n")  # fmt: skip
    assert call(folder, "run", "r.yaml", "--limit", "20").code == 0
    assert "run first: gristmill run r.yaml (in Python" in mistake(call(folder, "train", "r.yaml"))
    assert "run first: gristmill run r.yaml (in Python" in mistake(call(folder, "evaluate", "r.yaml"))
    unmade = mistake(call(folder, "train", "r.yaml", "--limit", "30"))
    assert "run first: gristmill run r.yaml --limit 30 (in Python" in unmade
