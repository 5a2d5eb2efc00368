"""``gristmill why`` of a training: by its id, its name, or its recipe and name."""

import polars as pl
import pytest

from curate.storage.sql_views import connect
from curate.storage.training_history import training_history
from schemas.errors import UserError
from tests.command import call, mistake
from tests.trainings import trained, used


@pytest.fixture
def three(store):
    """Trainings: round1/sft, round2/sft on top of it, and round2/rm; returns them by title."""
    one = trained(store, "round1", "sft", "all", [("r_1", 1, 3.0), ("r_1", 2, 0.5), ("r_2", 1, 2.0), ("r_2", 2, 1.5)])
    two = trained(store, "round2", "sft", "all", base=f"tiny@0>{one.stage_id}", made="2026-11-29T06")
    pairs = [("r_3", 1, 0.7, -0.25), ("r_4", 1, 0.7, 0.5)]
    best = {"best": {"metric": "eval_loss", "value": 0.25, "step": 20}}
    reward = trained(store, "round2", "rm", "pairs", pairs, made="2026-11-29T07", trainer="reward", metrics=best)
    return {"round1/sft": one, "round2/sft": two, "round2/rm": reward}


def parts(store, text, recipe=None):
    history = training_history(store, text, recipe)
    return (history.title, dict(history.parts)) if history else None


def test_a_name_means_the_training_that_finished_last(store, three):
    newest = three["round2/sft"].stage_id
    for text in ("sft", "round2/sft", newest, newest[:5]):
        title, told = parts(store, text)
        assert title == f"training round2/sft ({newest})"
        assert ("other trainings of this name" in told) == (text == "sft")
    older = parts(store, "sft")[1]["other trainings of this name"]
    assert older == [f"round1/sft ({three['round1/sft'].stage_id}), finished 2026-11-29 05:00: 2 rows, 3 steps"]
    assert parts(store, "sft", "round1")[0].startswith("training round1/sft")
    assert parts(store, "round1/rm") is parts(store, "p_12") is parts(store, "c") is None


def test_the_start_of_several_ids_is_an_error(store):
    for name in ("a", "b"):
        trained(store, "r", name, "all", stage_id=f"12345678900{name}")
    with pytest.raises(UserError, match="'1234567' is the start of several trainings' ids: 12345678900., 12345678900"):
        training_history(store, "1234567")


def test_it_says_what_the_training_was_and_what_came_of_it(store, three):
    one, two = three["round1/sft"], three["round2/sft"]
    judge = {"what": {"rewards": {"rm": [["reward_model", [[f"tiny@0>{three['round2/rm'].stage_id}", "reward"]]]]}}}
    grpo = trained(store, "round3", "grpo", "rl", made="2026-11-29T08", settings={"rewards": ["rm"]}, **judge)
    with store.new_stage("s1", "completions.score.training", what={"training": one.stage_id}) as writer:
        writer.info["result"] = ""
    used(store, "round3", "run", store.stage("s1"))
    one.rewrite("curves.svg", "<svg/>")
    title, told = parts(store, "round1/sft")
    assert told["curves"] == [str(one.path / "curves.svg")] and "curves" not in parts(store, "round2/sft")[1]
    assert told["started from"] == ["student: tiny@0"]
    assert told["trainer"] == ["sft", "full weights", "seed 0"]
    assert told["dataset"] == ["all, of the recipe round1", "2 rows trained"]
    assert told["figures"] == ["loss 3.25 -> 0.5"]
    assert [line.split("  ")[:2] for line in told["rows with the highest last loss"]] == [
        ["r_2", "2.000 -> 1.500"],
        ["r_1", "3.000 -> 0.500"],
    ]
    assert told["model"] == [str(one.folder("model"))]
    assert told["used by"] == [
        f"train-sft ({two.stage_id}) of the recipe round2: starts from its model",
        "completions.score.training (s1) of the recipe round3: reads its losses",
    ]
    assert parts(store, "round2/sft")[1]["started from"] == [
        f"student: round1/sft ({one.stage_id})",
        "which started from tiny@0",
    ]
    reward = parts(store, "rm")[1]
    assert reward["figures"] == ["loss 3.25 -> 0.5", "kept the model of step 20: eval_loss 0.25"]
    assert reward["pairs with the smallest last margin"][0].startswith("r_3  -0.250")
    assert reward["used by"] == [f"train-grpo ({grpo.stage_id}) of the recipe round3: is rewarded by its model"]
    assert parts(store, "grpo")[1]["learns from"] == [
        "reward rm",
        f"the model of round2/rm ({three['round2/rm'].stage_id})",
    ]


def test_size_memory_pace_and_cut_rows_are_shown(store):
    facts = {"parameters": 1_000, "trainable": 40, "adapter": "LoRA of rank 4 on 14 modules", "memory": 2.5e9}
    facts |= {"memory_measured": 2.75e9, "seconds_a_step": 1.25, "tokens_a_second": 812.4}
    stage = trained(store, "round1", "sft", "all", [("r_1", 1, 3.0), ("r_2", 1, 2.0)], metrics={"facts": facts})
    file = stage.path / "training_rows-0000.parquet"
    pl.read_parquet(file).with_columns(cut_tokens=pl.Series([7, 0], dtype=pl.Int64)).write_parquet(file)
    told = parts(store, "sft")[1]
    assert told["dataset"][1] == "2 rows trained, 1 of them cut at max_length (7 tokens not learnt)"
    assert told["size, memory and pace"] == [
        "1,000 parameters, 40 trained: LoRA of rank 4 on 14 modules",
        "memory at most 2.8 GB measured, 2.5 GB estimated",
        "1.25 s a step, 812 tokens a second",
    ]


def test_a_training_of_an_earlier_version_has_no_such_columns(store):
    stage = trained(store, "round1", "sft", "all", [("r_1", 1, 3.0)])
    file = stage.path / "training_rows-0000.parquet"
    pl.read_parquet(file).drop("cut_tokens").write_parquet(file)
    title, told = parts(store, "sft")
    assert told["dataset"][1] == "1 row trained" and "size, memory and pace" not in told
    with connect(store) as con:
        assert con.execute("SELECT row_id, fate, cut_tokens FROM training_rows").fetchall() == [
            ("r_1", "trained", None)
        ]


def test_online_rl_shows_its_rewards_and_answers(store):
    told = [("r_1", step, sample, "right", float(step > 5)) for step in range(1, 11) for sample in (0, 1)]
    trained(store, "r", "grpo", "rl", rollouts=[*told, ("r_1", 10, 2, "right", None)])
    _, shown = parts(store, "grpo")
    assert shown["rewards"] == ["right 0 -> 1 (means of the first and last 1 of 10 steps), 1 answer without a value"]
    assert shown["answers at the end"][0] == "r_1  right 1  so" and len(shown["answers at the end"]) == 3


def test_answers_are_ranked_by_their_weighted_rewards(store):
    values = {0: (1.0, 0.0), 1: (0.0, 5.0), 2: (0.5, 0.0)}
    told = [
        ("r_1", 1, n, name, v) for n, pair in values.items() for name, v in zip(("right", "long"), pair, strict=True)
    ]
    settings = {"rewards": ["right", "long"], "reward_weights": [1.0, 0.01]}
    trained(store, "r", "grpo", "rl", rollouts=told, settings=settings)
    lines = parts(store, "grpo")[1]["answers at the end"]
    assert [line.split("  ")[1] for line in lines] == ["right 1, long 0", "right 0.5, long 0", "right 0, long 5"]


def test_margins_of_bad_answers_are_turned_round(store):
    with store.new_stage("d1", "datasets.thumbs", what={}) as writer:
        ids = ["r_good", "r_bad", "r_unlearnt"]
        writer.write("unpaired", pl.DataFrame({"row_id": ids, "label": [True, False, False]}))
        writer.info["result"] = ""
    losses = [("r_good", 1, 0.2, 2.0), ("r_bad", 1, 0.2, -1.5), ("r_unlearnt", 1, 0.8, 0.5)]
    trained(store, "r", "kto", "thumbs", losses)
    told = parts(store, "kto")[1]
    assert "pairs with the smallest last margin" not in told
    lines = told["rows with the smallest last margin, that of a bad answer turned round"]
    assert [line.split() for line in lines] == [["r_unlearnt", "-0.500"], ["r_bad", "1.500"], ["r_good", "2.000"]]


def test_evaluations_of_its_model_are_shown(store, three):
    with store.new_stage("e1", "evaluate", what={}) as writer:
        row = {"evaluation_id": "e1", "model": "tiny>x", "training_id": three["round2/rm"].stage_id, "split": "test"}
        scores = [{"row_id": f"r_{n}", "scorer": "named", "value": float(n)} for n in range(2)]
        writer.write("evaluations", pl.DataFrame([row | one for one in scores]))
        writer.info["result"] = ""
    assert parts(store, "rm")[1]["evaluations"] == ["e1: named 0.5 on 2 prompts of 'test', as tiny>x"]


def test_the_command_line_takes_it_beside_rows(tmp_path, store, three):
    done = call(tmp_path, "why", "round1/sft", "--store", store.path)
    assert done.code == 0 and done.out.startswith("training round1/sft (")
    assert "a training is named by its id or its name" in mistake(call(tmp_path, "why", "sgt", "--store", store.path))
    assert "\n  loss 3.25 -> 0.5\n" in done.out
