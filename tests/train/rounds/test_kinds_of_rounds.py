"""Other kinds of rounds by the command line: DPO with a teacher, the first model anew on all data, learned rewards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curate.storage.store import Store
from curate.storage.training_records import training_records
from tests.command import ROOT, call
from tests.killed import COMMAND
from tests.optional import needs
from tests.train.rounds.recipes import LETTERS, done, sql, write

pytestmark = [needs("trl"), pytest.mark.slow]

FEW = {"learning_rate": 1e-2, "per_device_train_batch_size": 4, "max_steps": 2}
SCORED = {"score": {"use": "combine", "as": "es", "sql": LETTERS}}
HELD = {"type": "prompt"}
EVALUATED = {"dataset": "held_out", "by": ["es"], "temperature": 1.0, "max_tokens": 4, "retention": False}
TRAIN_SPLIT = "split = 'train'"


def own(model: str = "student", n: int = 4) -> dict:
    return {"generate": {"use": "sample", "model": model, "n": n, "max_tokens": 6, "where": TRAIN_SPLIT}}


def ids_of(folder: Path, name: str) -> dict[str, str]:
    """Return the id of the training ``name`` by the recipe that it is of."""
    records = training_records(Store(folder / "store"))
    return {one.recipes[-1]: one.id for one in records if one.name == name}


def test_dpo_on_fresh_answers_beside_a_teacher(tiny, lively, tmp_path):
    pairs = {"type": "preference", "select": "best_vs_worst", "by": "es", "margin": 1}
    write(
        tmp_path,
        tiny,
        models={"student": str(tiny), "teacher": str(lively)},
        completions=[own(), own("teacher", 2), SCORED],
        datasets={"pairs": pairs, "held_out": HELD},
        train={"dpo": {"trainer": "dpo", "dataset": "pairs", "model": "student", "lora": {"r": 4}, **FEW}},
        evaluate={"models": ["student", "dpo"], **EVALUATED},
        rounds={"most": 2, "split": "dev", "patience": 2},
    )
    done(tmp_path, "train", "r.yaml")
    ids = ids_of(tmp_path, "dpo")
    base = dict(sql(tmp_path, "SELECT training_id, base FROM trainings"))
    assert base[ids["loop.round2"]].endswith(f">{ids['loop']}")
    models = dict(sql(tmp_path, "SELECT model, count(*) FROM completions GROUP BY 1", "loop.round2"))
    assert sorted(models.values()) == [48, 96] and sum(one.endswith(f">{ids['loop']}") for one in models) == 1
    # The teacher's answers are asked once, and are in both rounds.
    asked = sql(tmp_path, "SELECT recipe, sum(requests) FROM runs WHERE command = 'run' GROUP BY 1 ORDER BY 1")
    assert asked == [("loop", 24 * 6), ("loop.round2", 24 * 4)]
    told = done(tmp_path, "why", "loop.round2/dpo").out
    assert "loop/dpo" in told and "dpo.round1 (tiny" in told and "+ dpo.round1)" in told


def test_the_first_model_is_trained_anew_on_all_answers(tiny, tmp_path):
    write(
        tmp_path,
        tiny,
        completions=[own(), SCORED],
        train={"sft": {"trainer": "sft", "dataset": "sft", "model": "student", **FEW}},
        evaluate={"models": ["sft"], **EVALUATED},
        rounds={"most": 2, "split": "dev", "from": "first", "data": "all"},
    )
    said = done(tmp_path, "train", "r.yaml")
    assert "its trainings start from student again and learn from the answers of all rounds so far" in said.err
    ids = ids_of(tmp_path, "sft")
    bases = sql(tmp_path, "SELECT DISTINCT base, model FROM trainings")
    assert len(ids) == 2 and len(bases) == 1 and ">" not in bases[0][0] and bases[0][1] == "student"
    models = dict(sql(tmp_path, "SELECT model, count(*) FROM completions GROUP BY 1", "loop.round2"))
    assert sorted(models.values()) == [96, 96] and sum(one.endswith(f">{ids['loop']}") for one in models) == 1
    requests = sql(tmp_path, "SELECT sum(requests) FROM runs WHERE command = 'run'")
    assert requests == [(2 * 24 * 4,)], "the first round's answers are asked once"
    # Of 24 prompts each has its best answer of both rounds.
    assert sql(tmp_path, "SELECT count(DISTINCT prompt_id), count(*) FROM sft", "loop.round2") == [(24, 24)]
    assert "student, sft.round1" in said.out


def test_the_same_rows_from_the_same_start_end_the_rounds(tiny, tmp_path):
    """The teacher's answers alone are trained on: the second round would be the first."""
    write(
        tmp_path,
        tiny,
        models={"student": str(tiny), "teacher": str(tiny)},
        completions=[own(n=1), own("teacher"), SCORED],
        datasets={
            "sft": {"type": "sft", "select": "best_of_n", "by": "es", "where": "sample_index > 0"},
            "held_out": HELD,
        },
        train={"sft": {"trainer": "sft", "dataset": "sft", "model": "student", **FEW}},
        evaluate=None,
        rounds={"most": 5, "from": "first"},
    )
    said = done(tmp_path, "train", "r.yaml")
    assert "ended after round 1: the next round has the rows and the start of round 1" in said.err
    assert "without 'evaluate' all 5 are done" in said.err and "the last model: loop/sft" in said.err
    assert sql(tmp_path, "SELECT count(*) FROM trainings") == [(1,)]
    assert "ended after round 1" in done(tmp_path, "train", "r.yaml").err


def test_a_reward_model_is_learned_anew_in_each_round(tiny, tmp_path):
    """A step of the recipe asks a training of its own round: the datasets are made in two parts."""
    pairs = {"type": "preference", "select": "best_vs_worst", "by": "es", "margin": 1}
    best = {"type": "sft", "select": "best_of_n", "by": "rm"}
    write(
        tmp_path,
        tiny,
        completions=[own(), SCORED, {"score": "rm"}],
        datasets={"pairs": pairs, "sft": best, "held_out": HELD},
        train={
            "rm": {"trainer": "reward", "dataset": "pairs", "model": "student", "lora": {"r": 4}, **FEW},
            "sft": {"trainer": "sft", "dataset": "sft", "model": "student", "lora": {"r": 4}, **FEW},
        },
        evaluate={"models": ["student", "sft"], **EVALUATED, "by": ["rm", "es"]},
        rounds={"most": 2, "split": "dev", "patience": 2},
    )
    said = done(tmp_path, "train", "r.yaml")
    assert "all 2 rounds are done" in said.err
    assert sorted(ids_of(tmp_path, "rm")) == sorted(ids_of(tmp_path, "sft")) == ["loop", "loop.round2"]
    # All rounds are measured by the first round's reward model.
    scored = sql(tmp_path, "SELECT count(DISTINCT model) FROM evaluations WHERE scorer = 'rm' AND value IS NOT NULL")
    assert scored == [(3,)]


def test_a_killed_loop_goes_on(tiny, tmp_path):
    """It is killed before the second round's training is in the store; what was made is not made again."""
    write(
        tmp_path,
        tiny,
        completions=[own(), SCORED],
        train={"sft": {"trainer": "sft", "dataset": "sft", "model": "student", **FEW}},
        evaluate={"models": ["student", "sft"], **EVALUATED},
        rounds={"most": 2, "split": "dev", "patience": 2},
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    environment |= {"KILLED_AT": r"os\.rename .*\.train-sft-[0-9a-f]{12}\.\d+$", "KILLED_TIMES": "2"}
    killed = subprocess.run(
        [sys.executable, "-c", COMMAND, "train", "r.yaml"], cwd=tmp_path, env=environment, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list(ids_of(tmp_path, "sft")) == ["loop"]
    again = done(tmp_path, "train", "r.yaml")
    assert "round 1 is done already" in again.err and "= completions.generate.sample" in again.err
    assert sorted(ids_of(tmp_path, "sft")) == ["loop", "loop.round2"]
    answers, evaluated = 2 * 24 * 4, 3 * 16
    assert sql(tmp_path, "SELECT count(*) FROM evaluations") == [(evaluated,)]
    assert sql(tmp_path, "SELECT sum(replies) FROM costs") == [(answers + evaluated,)]


def test_a_budget_is_that_of_all_rounds(tiny, tmp_path):
    write(
        tmp_path,
        tiny,
        completions=[own(), SCORED],
        train={"sft": {"trainer": "sft", "dataset": "sft", "model": "student", **FEW}},
        evaluate=None,
        rounds=2,
    )
    stopped = call(tmp_path, "train", "r.yaml", "--set", "budget.max_requests=120")
    assert stopped.code == 3 and "budget" in stopped.err.splitlines()[-1]
    assert sql(tmp_path, "SELECT recipe, status FROM runs ORDER BY run_id DESC LIMIT 1") == [("loop.round2", "stopped")]
    assert "all 2 rounds are done" in done(tmp_path, "train", "r.yaml").err
    assert sql(tmp_path, "SELECT sum(replies) FROM costs") == [(2 * 24 * 4,)]
