"""Mixing sources: what is drawn and repeated, what goes with a repeat, and what is said about it."""

import json

import polars as pl
import pytest

from curate import load_recipe, open_store, plan, run
from curate.pipeline.stage_spec import RunContext
from curate.storage.prompt_origins import source_counts
from curate.storage.run_stages import stages_of_run
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from tests.command import call
from tests.pipeline.test_stage_code import check_all_code_is_in_the_keys

pytestmark = pytest.mark.slow  # whole runs

DATASETS = {"sft": {"type": "sft"}, "rl": {"type": "prompt"}}


def source(folder, name, count, **more):
    """Write a source of ``count`` prompts, each with two scored answers, and return its entry in a recipe."""
    rows = [
        {
            "prompt": f"{name} {n}",
            "ground_truth": str(n),
            "metadata": {"n": n},
            "completions": [
                {"response": f"{name} {n} is good", "quality": 2.0},
                {"response": f"{name} {n} is bad", "quality": 0.0},
            ],
        }
        for n in range(count)
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {"source": {"path": str(folder / f"{name}.jsonl"), **more}}


def recipe_of(*prompts, **sections):
    return {"name": "mix", "prompts": list(prompts), "datasets": DATASETS, **sections}


def mixed(store, recipe):
    """Run a recipe; return the result line of its mix, and its prompts that are still in, by source."""
    result = run(recipe, store)
    (line,) = (s.path for s in _stages(result) if s.manifest["label"] == "prompts.mix")
    manifest = json.loads((line / "stage.json").read_text(encoding="utf-8"))
    counts = result.sources.drop("answers")
    return manifest["result"], {row[0]: row[1:] for row in counts.rows()}


def _stages(result):
    (record,) = (one for one in result.store.runs() if one["run_id"] == result.run_id)
    return stages_of_run(result.store, record)


def test_rows_are_drawn_or_repeated_and_said(tmp_path):
    recipe = recipe_of(
        source(tmp_path, "a", 100, rows=50), source(tmp_path, "b", 30, rows=50), source(tmp_path, "c", 4)
    )
    line, counts = mixed(tmp_path / "store", recipe)
    assert line == "a.jsonl 50 of 100, b.jsonl 50 (30 and 20 repeats)"
    # source: its prompts, those drawn, repeats, rows of sft (two answers each), rows of rl
    assert counts == {"a.jsonl": (100, 50, 0, 100, 50), "b.jsonl": (30, 30, 20, 100, 50), "c.jsonl": (4, None, 0, 8, 4)}
    out = (
        open_store(tmp_path / "store")
        .sql("SELECT reason, count(*) FROM decisions WHERE NOT kept GROUP BY 1")
        .fetchall()
    )
    assert out == [("not drawn: 50 of 100 of a.jsonl (rows: 50)", 50)]


def test_weights_mix_without_repeats_unless_rows_set_the_size(tmp_path):
    a, b = source(tmp_path, "a", 100, weight=3), source(tmp_path, "b", 20, weight=1)
    line, _ = mixed(tmp_path / "store", recipe_of(a, b, source(tmp_path, "c", 3)))
    assert line == "a.jsonl 60 of 100, b.jsonl 20 of 20"
    a["source"]["rows"] = 90
    line, _ = mixed(tmp_path / "store", recipe_of(a, source(tmp_path, "c", 3), b))
    assert line == "a.jsonl 90 of 100, c.jsonl 3 of 3, b.jsonl 30 (20 and 10 repeats)"


def test_a_repeat_is_a_prompt_with_all_that_its_original_has(tmp_path):
    recipe = recipe_of(source(tmp_path, "a", 10, rows=25), split=0.3)
    run(recipe, tmp_path / "store")
    store = open_store(tmp_path / "store")
    prompts = store.table("prompts").collect()
    assert prompts.height == 25 == prompts["prompt_id"].n_unique()
    repeats = prompts.filter(pl.col("parent_ids").is_not_null())
    assert repeats.height == 15 and repeats["family"].null_count() == 0
    own = prompts.rename({"prompt_id": "parent"})
    both = repeats.with_columns(parent=pl.col("parent_ids").list.first()).join(own, on="parent", suffix="_own")
    assert both.height == 15
    for name in ("messages", "prompt", "ground_truth", "metadata", "source", "line"):
        assert both[name].eq_missing(both[f"{name}_own"]).all(), name
    answers = store.sql("SELECT prompt_id, sample_index, response, value FROM completions JOIN scores "
                        "ON row_id = completion_id").pl()  # fmt: skip
    assert answers.height == 50
    expected = answers.rename({"prompt_id": "parent"}).join(both.select("parent", "prompt_id"), on="parent")
    found = answers.filter(pl.col("prompt_id").is_in(repeats["prompt_id"].implode()))
    columns = ["prompt_id", "sample_index", "response", "value"]
    assert found.select(columns).sort(columns).equals(expected.select(columns).sort(columns))
    sides = store.sql("SELECT prompt, count(DISTINCT split), count(*) FROM rl_prompts GROUP BY 1").fetchall()
    assert {side for _, side, _ in sides} == {1} and {count for *_, count in sides} == {2, 3}
    assert abs(store.sql("SELECT count(*) FROM rl_prompts WHERE split = 'test'").fetchall()[0][0] - 7.5) <= 1.5


def drawn(result):
    return set(result.datasets["rl"]["prompt"])


def test_a_source_is_drawn_alike_whatever_the_others_are(tmp_path):
    a = source(tmp_path, "a", 100, rows=50)
    alone = drawn(run(recipe_of(a), tmp_path / "store"))
    beside = drawn(run(recipe_of(source(tmp_path, "b", 30, rows=3), a), tmp_path / "store"))
    assert len(alone) == 50 and len(beside) == 53 and alone < beside
    a["source"]["rows"] = 70
    assert alone < drawn(run(recipe_of(a), tmp_path / "store"))
    assert alone != set(list(drawn(run(recipe_of(source(tmp_path, "a", 100, rows=50), seed=1), tmp_path / "store"))))


def test_what_is_dropped_before_the_mix_does_not_count(tmp_path):
    few = {"filter": {"late": "line > 40"}}
    line, _ = mixed(tmp_path / "store", recipe_of(source(tmp_path, "a", 100), few, source(tmp_path, "b", 9, rows=9)))
    assert line == "a.jsonl 40 of 40, b.jsonl 9 of 9"


def test_a_prompt_of_two_sources_belongs_to_the_first(tmp_path):
    a, again = source(tmp_path, "a", 10, rows=4), source(tmp_path, "a", 10)
    (tmp_path / "b.jsonl").write_text((tmp_path / "a.jsonl").read_text() + '{"prompt": "new"}\n')
    line, counts = mixed(tmp_path / "store", recipe_of(a, {"source": {"path": str(tmp_path / "b.jsonl"), "rows": 5}}))
    assert line == "a.jsonl 4 of 10, b.jsonl 5 (1 and 4 repeats); 10 of b.jsonl are in an earlier source too"
    assert counts["b.jsonl"][:3] == (1, 1, 4) and again


def test_scores_of_prompts_go_with_repeats(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where steps of the user's own are looked for
    (tmp_path / "mixing_size.py").write_text(
        "import polars as pl\n\n\ndef size(prompt: pl.Series) -> pl.Series:\n"
        "    return prompt.str.len_chars().cast(pl.Float64)\n"
    )
    score, scored = {"score": {"use": "mixing_size.size"}}, {"filter": {"unscored": "size IS NULL"}}
    a, b = source(tmp_path, "a", 3, rows=7), source(tmp_path, "b", 3, rows=3)
    result = run(recipe_of(a, score, b, scored), tmp_path / "store")
    assert result.sources["datasets.rl"].to_list() == [7, 0], "the repeats have the scores of their originals"


def test_a_dedup_after_the_mix_is_warned_of(tmp_path):
    def warnings(result):
        return [one.text for one in result.warnings if one.stage == "prompts.mix"]

    a = source(tmp_path, "a", 10, rows=15)
    (warning,) = warnings(plan(recipe_of(a, {"dedup": "exact"})))
    assert warning.startswith("5 repeats are made, and dropped again as duplicates by dedup exact; put dedup before")
    entry = {"sft": {"type": "sft", "dedup": "exact"}}
    result = run(recipe_of(a, datasets=entry), tmp_path / "store")
    (warning,) = warnings(result)
    assert "by datasets.sft.dedup;" in warning and len(result.datasets["sft"]) == 20
    assert not warnings(plan(recipe_of({"source": {**a["source"], "rows": 5}}, {"dedup": "exact"})))
    assert not warnings(plan(recipe_of({"source": {**a["source"], "rows": 15}})))


def test_a_mix_is_made_once_and_again_where_it_changes(tmp_path):
    a, b = source(tmp_path, "a", 10, rows=5), source(tmp_path, "b", 10, weight=1)
    c = source(tmp_path, "c", 10, weight=2)
    run(recipe_of(a, b, c), tmp_path / "store")
    assert all(stage.cached for stage in plan(recipe_of(a, b, c), tmp_path / "store").stages)
    c["source"]["weight"] = 1
    changed = {stage.label: stage.cached for stage in plan(recipe_of(a, b, c), tmp_path / "store").stages}
    assert changed == {
        "prompts.source.a": True,
        "prompts.source.b": True,
        "prompts.source.c": True,
        "prompts.mix": False,
        "datasets.sft": False,
        "datasets.rl": False,
    }


def test_a_plan_counts_what_is_drawn_before_anything_is_made(tmp_path):
    a, b = source(tmp_path, "a", 100, rows=5), source(tmp_path, "b", 10, rows=12)
    found = plan(recipe_of(a, b), None)
    assert found.prompts == 17 and not any(stage.cached for stage in found.stages)
    assert found.sources.rows() == [("a.jsonl", 100, 200, 5, 0), ("b.jsonl", 10, 20, 10, 2)]


@pytest.mark.parametrize(
    "keys, message",
    [
        ("rows: 0", "r.yaml:4: source: rows: expected a number of prompts from 1 to 10,000,000, found 0"),
        ("rows: 10000001", "r.yaml:4: source: rows: expected a number of prompts from 1 to 10,000,000, found 10000001"),
        ("rows: 2.5", "r.yaml:4: source: rows: expected a number of prompts from 1 to 10,000,000, found 2.5"),
        ("rows: true", "r.yaml:4: source: rows: expected a number of prompts from 1 to 10,000,000, found True"),
        ("rows: null", "r.yaml:4: source: rows: expected a number of prompts from 1 to 10,000,000, found None"),
        ("weight: 0", "r.yaml:4: source: weight: expected a number from 0.000001 to 1,000,000, found 0"),
        ("weight: -1", "r.yaml:4: source: weight: expected a number from 0.000001 to 1,000,000, found -1"),
        ("weight: .inf", "r.yaml:4: source: weight: expected a number from 0.000001 to 1,000,000, found inf"),
        ("weight: .nan", "r.yaml:4: source: weight: expected a number from 0.000001 to 1,000,000, found nan"),
        ("weight: half", "r.yaml:4: source: weight: expected a number from 0.000001 to 1,000,000, found 'half'"),
        ("weight: 2, rows: 3", "r.yaml:5: source: rows: the rows of one source with a weight set the size of the mix, "
                               "and r.yaml:4 has them already; remove 'rows' or 'weight' here"),
        ("wieght: 2", "r.yaml:4: no setting of source called 'wieght'; did you mean 'weight'? (there are: fields, "
                      "hub, license, limit, name, on_error, rows, split, sql, unanswered, weight)"),
    ],
)  # fmt: skip
def test_a_wrong_key_names_its_line(tmp_path, keys, message):
    for name in ("a", "b"):
        source(tmp_path, name, 3)
    (tmp_path / "r.yaml").write_text(
        f"name: mix\nmodels: {{}}\nprompts:\n  - source: {{path: a.jsonl, {keys}}}\n"
        "  - source: {path: b.jsonl, weight: 1, rows: 2}\ndatasets:\n  sft: {type: sft}\n"
    )
    done = call(tmp_path, "check", "r.yaml")
    assert (done.code, done.err) == (2, f"error: {message}\n")


def test_one_weight_alone_is_refused_with_what_to_do(tmp_path):
    recipe = recipe_of(source(tmp_path, "a", 3, weight=2), source(tmp_path, "b", 3))
    with pytest.raises(
        UserError, match=r"^recipe: prompts\[0\]: source: weight: no other source has a weight.*rows: 500$"
    ):
        plan(recipe)


def test_a_mix_that_weights_make_huge_is_refused(tmp_path):
    a = source(tmp_path, "a", 3, weight=0.001, rows=1000)
    with pytest.raises(
        UserError, match=r"prompts\[1\]: source: weight: the mix would have 500,000,000 prompts of b.jsonl"
    ):
        plan(recipe_of(a, source(tmp_path, "b", 3, weight=500)))


def test_run_and_check_print_what_came_from_where(tmp_path):
    for name, count in (("a", 20), ("b", 4)):
        source(tmp_path, name, count)
    (tmp_path / "r.yaml").write_text(
        "name: mix\nprompts:\n  - source: {path: a.jsonl, rows: 10}\n  - source: {path: b.jsonl, rows: 6}\n"
        "datasets:\n  prompts: {type: prompt}\n  sft: {type: sft, where: 'quality = 2'}\n"
    )
    done = call(tmp_path, "run", "r.yaml")
    assert done.code == 0, done.err
    table = [[cell.strip() for cell in line.replace("┃", "│").split("│")] for line in done.out.splitlines()]
    assert ["source", "prompts", "answers", "drawn", "repeated", "prompts", "sft"] in table
    assert ["a.jsonl", "20", "40", "10", "0", "10", "10"] in table
    assert ["b.jsonl", "4", "8", "4", "2", "6", "6"] in table
    assert "What came from where" in call(tmp_path, "check", "r.yaml", "--rows", "0").out
    assert call(tmp_path, "run", "r.yaml").out == done.out
    (tmp_path / "r.yaml").write_text("name: one\nprompts:\n  - source: a.jsonl\ndatasets:\n  sft: {type: sft}\n")
    assert "What came from where" not in call(tmp_path, "run", "r.yaml").out


def test_a_prompt_that_a_model_made_counts_for_the_step(tmp_path):
    """A step that makes prompts has a line of its own; a repeat counts for the source of its original."""
    store = Store(tmp_path / "store")

    def stage(number, label, **tables):
        with store.new_stage(f"s{number}", label, what={}) as writer:
            for table, rows in tables.items():
                writer.write(table, pl.DataFrame(rows))
            writer.info["result"] = ""
        return writer.stage()

    stages = [
        stage(1, "prompts.source.a", prompts={"prompt_id": ["p_1", "p_2"]}),
        stage(2, "prompts.generate.evolve", prompts={"prompt_id": ["p_3"], "parent_ids": [["p_1"]]}),
    ]
    rows = stage(3, "datasets.rl", rl_prompts={"prompt_id": ["p_1", "p_3", "p_3"]})
    assert source_counts(stages, {"rl": ("rl_prompts", rows)}).rows() == [
        ("a", 2, 0, 1),
        ("generate.evolve", 1, None, 2),
    ]


def test_the_mix_of_a_recipe_file_is_that_of_a_mapping(tmp_path):
    a, b = source(tmp_path, "a", 10, rows=5), source(tmp_path, "b", 3, rows=5)
    first = run(recipe_of(a, b), tmp_path / "store")
    (tmp_path / "r.yaml").write_text(json.dumps(recipe_of(a, b)), encoding="utf-8")
    assert drawn(run(load_recipe(tmp_path / "r.yaml"), tmp_path / "store")) == drawn(first)


@pytest.mark.slow
def test_all_code_that_draws_is_in_the_key_of_the_mix(tmp_path):
    recipe = load_recipe(recipe_of(source(tmp_path, "a", 20, rows=5), source(tmp_path, "b", 3, rows=9), split=0.3))
    run(recipe, tmp_path / "warm")  # what importing modules runs is not of a stage
    seen = check_all_code_is_in_the_keys(recipe, RunContext(Store(tmp_path / "store"), Progress()))
    assert seen["prompts.mix"] > 5
