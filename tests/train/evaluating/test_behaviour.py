import polars as pl
import pytest

from curate.storage.store import Store
from tests.train.tables import write_stage
from train.evaluating.behaviour import GENERAL, behaviour, damage_warnings, warning_lines
from train.evaluating.comparison import compare_models
from train.evaluating.own_rows import ANSWERS, SPLIT, START_ANSWERS, START_LOSS, TEXTS
from train.evaluating.retention_changes import retention_changes

N = 20
TOPICS = [f"topic{i}" for i in range(N)]
START = [f"Many people think that {one} is good, and they have used it for a long time." for one in TOPICS]


def rows(model, scorer, split, values, texts, tokens=None, finish="stop"):
    return pl.DataFrame(
        {
            "model": model,
            "scorer": scorer,
            "split": split,
            "row_id": [f"r_{i}" for i in range(len(texts))],
            "prompt_id": [f"p_{i}" for i in range(len(texts))],
            "prompt": [f"Tell me about {i}." for i in range(len(texts))],
            "sample_index": 0,
            "value": pl.Series(values, dtype=pl.Float64),
            "response": pl.Series(texts, dtype=pl.String),
            "finish_reason": finish,
            "tokens": pl.Series(tokens or [None] * len(texts), dtype=pl.Int64),
        }
    )


def of_model(model, texts, general, losses, read=2.0):
    """Return the rows of a model: its scores, answers and losses; ``losses`` are added to 1.0, 1.1 ... of the start."""
    values = [1.0 + i / 10 + loss for i, loss in enumerate(losses)]
    return [
        rows(model, "brief", "test", [float(len(one) < 20) for one in texts], texts, [len(one) for one in texts]),
        rows(model, "right", "test", [1.0] * N, texts),
        rows(model, START_LOSS, "test", [read] * N, texts),
        rows(model, ANSWERS, SPLIT, [9.0] * N, general),
        rows(model, START_ANSWERS, SPLIT, values, START, [7] * N),
        rows(model, TEXTS, SPLIT, [one + 1 for one in values], START, [7] * N),
    ]


def evaluated(store: Store, *models: list[pl.DataFrame], damage=None):
    about = {"start": "student", "without": {}, "expected": {}, "taught": {}} | (damage or {})
    with store.new_stage("evaluated", "evaluate", what={}, damage=about) as writer:
        writer.write("evaluations", pl.concat([part for one in models for part in one], how="diagonal_relaxed"))
    return writer.stage()


STUDENT = of_model("student", START, START, [0.0] * N)
KEPT = of_model("kept", [f"{one} Indeed." for one in START], START, [0.01 * (i % 2) for i in range(N)])
LOST = of_model("lost", TOPICS, START, [0.2 + 0.01 * (i % 2) for i in range(N)], read=5.0)


def test_figures_stand_beside_every_score(store: Store):
    stage = evaluated(store, STUDENT, KEPT, LOST)
    found = behaviour(stage)
    assert found.select("split", "model").rows() == [
        (split, model) for split in ("test", GENERAL) for model in ("student", "kept", "lost")
    ]
    lost = found.row(2, named=True)
    assert (lost["answers"], lost["one_word"], lost["distinct"], lost["common"], lost["cut"]) == (
        N,
        1.0,
        1.0,
        0.05,
        0.0,
    )
    assert lost["perplexity"] == pytest.approx(148.4, abs=0.1) and lost["tokens"] == pytest.approx(6.5)
    assert found["perplexity"].to_list()[3:] == [None] * 3
    compared = compare_models(stage)
    assert set(compared["scorer"]) == {"brief", "right"} and set(compared["split"]) == {"test"}


def test_the_change_of_perplexity_has_an_interval_over_texts(store: Store):
    found = retention_changes(evaluated(store, STUDENT, KEPT, LOST))
    assert found.select("on", "model").rows() == [
        (on, model) for on in ("student's answers", "general texts") for model in ("student", "kept", "lost")
    ]
    first, kept, lost = found.rows(named=True)[:3]
    assert first["change"] is None and first["perplexity"] == pytest.approx(2.718281828 ** (1 + 0.95))
    assert kept["change"] == pytest.approx(0.005, abs=1e-3) and kept["low"] < kept["change"] < kept["high"]
    assert lost["low"] == pytest.approx(0.225, abs=0.01) and lost["n"] == N


def test_a_collapse_and_what_is_lost_are_warnings(store: Store):
    lines = warning_lines(damage_warnings(evaluated(store, STUDENT, KEPT, LOST)))
    assert [line.split(":")[0] for line in lines] == ["lost, test", "lost", "lost"]
    assert "100% of its answers are a single word (student: 0%" in lines[0]
    assert "its perplexity on student's answers is 22.8% above student's (+22.5% to +23.0%, 20 texts)" in lines[1]


def test_expected_and_taught_answers_are_no_warnings(store: Store):
    expected = {"test": {"words": 1.0, "distinct": 1.0, "common": 0.05}}
    same = ["I am Gristmill, and I was made by the Gristmill team to help you."] * N
    named = of_model("named", same, START, [0.0] * N)
    short = of_model("short", TOPICS, START, [0.0] * N)
    found = damage_warnings(evaluated(store, STUDENT, short, damage={"expected": expected}))
    assert found.is_empty()
    (line,) = warning_lines(damage_warnings(evaluated(Store(store.path / "2"), STUDENT, named)))
    assert "is its answer to 100% of the prompts" in line
    taught = {"taught": {"named": {"test": 0.3}}}
    assert damage_warnings(evaluated(Store(store.path / "3"), STUDENT, named, damage=taught)).is_empty()


def test_general_prompts_show_damage_where_the_task_does_not(store: Store):
    letters = ["ABCD"[i % 4] for i in range(N)]
    expected = {"test": {"words": 1.0, "distinct": 0.2, "common": 0.25}}
    chooser = of_model("chooser", letters, ["A"] * N, [0.0] * N)
    (one, same) = warning_lines(damage_warnings(evaluated(store, STUDENT, chooser, damage={"expected": expected})))
    assert one.startswith("chooser, general prompts: 100% of its answers are a single word")
    assert same.startswith("chooser, general prompts: 'A' is its answer to 100% of the prompts")


def test_general_prompts_are_cut_off_on_purpose(store: Store):
    longer = of_model("longer", START, START, [0.0] * N)
    longer[3] = longer[3].with_columns(finish_reason=pl.lit("length"))
    assert damage_warnings(evaluated(store, STUDENT, longer)).is_empty()
    longer[0] = longer[0].with_columns(finish_reason=pl.lit("length"))
    (line,) = warning_lines(damage_warnings(evaluated(Store(store.path / "2"), STUDENT, longer)))
    assert line.startswith("longer, test: 100% of its answers are cut off at the limit of tokens")


def test_other_vocabularies_are_not_compared(store: Store):
    other = [part.with_columns(tokens=pl.lit(8, pl.Int64)) for part in of_model("other", START, START, [1.0] * N)]
    found = retention_changes(evaluated(store, STUDENT, other)).row(1, named=True)
    assert found["change"] is None and "another vocabulary" in found["why"]


def test_evaluations_of_earlier_versions_are_still_read(store: Store):
    old = [part.drop("tokens") for part in (*STUDENT[:2], *LOST[:2])]
    stage = write_stage(store, "evaluations", pl.concat(old))
    file = stage.path / stage.manifest["tables"]["evaluations"]["files"][0]
    pl.read_parquet(file).drop("tokens").write_parquet(file)
    found = behaviour(stage)
    assert found["split"].unique().to_list() == ["test"] and found["tokens"].null_count() == 2
    assert retention_changes(stage).is_empty()
    assert [line.split(":")[0] for line in warning_lines(damage_warnings(stage))] == ["lost, test"]


def test_an_evaluation_without_rows_has_no_figures(store: Store):
    stage = write_stage(store, "evaluations", STUDENT[0].head(0))
    assert behaviour(stage).is_empty() and damage_warnings(stage).is_empty() and retention_changes(stage).is_empty()
