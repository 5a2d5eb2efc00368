"""``gristmill compare`` from the command line, on a tiny model with random weights."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from schemas.progress import Progress
from tests.command import ROOT, call, mistake
from tests.killed import COMMAND
from tests.optional import needs
from tests.train.tables import WORDS
from train.arms.compare import compare

pytestmark = [needs("trl"), pytest.mark.slow]

RECIPE = """\
name: small
seed: 7
models: {{student: {model}}}
prompts:
  - source: rows.jsonl
completions:
  - score: {{use: length, as: words}}
datasets:
  curated: {{type: sft, select: best_of_n, by: words, control: random{match}}}
  again: {{type: sft, select: best_of_n, by: words}}
  pairs: {{type: preference, select: best_vs_worst, by: words}}
  rl: {{type: prompt}}
split: {{test: 0.3}}
train:
  sft: {{trainer: sft, dataset: curated, model: student, lora: {{r: 2}}, learning_rate: 1e-2, num_train_epochs: 1}}
  dpo: {{trainer: dpo, dataset: pairs, model: sft, lora: {{r: 2}}, max_steps: 1}}
  grpo: {{trainer: grpo, dataset: rl, model: student, max_steps: 2, num_generations: 2, max_completion_length: 6,
    per_device_train_batch_size: 4, rewards: [length]}}
  full: {{trainer: sft, dataset: again, model: student, max_steps: 2}}
evaluate: {{models: [student, sft], dataset: rl, by: [constraints, length], max_tokens: 8, retention: false}}
"""
MATCHED = ", match: tokens"


def write(folder: Path, model: Path, match: str = MATCHED) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "r.yaml").write_text(RECIPE.format(model=model, match=match))
    draw, rows = random.Random(0), []
    for i in range(60):
        answers = [" ".join(draw.choice(WORDS) for _ in range(count)) for count in (4, 5, 5, 6)]
        answers[1] = f"red {answers[1]}"
        prompt = f"answer {WORDS[i % len(WORDS)]} {i} {draw.random()}"
        truth = [{"kind": "max_words", "n": 30}]
        rows.append({"prompt": prompt, "ground_truth": truth, "completions": answers})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert call(folder, "run", "r.yaml").code == 0
    return folder


def trained(folder: Path) -> set[str]:
    """Return the folders of the trainings in a store."""
    return {path.name for path in (folder / "store" / "stages").glob("train-*")}


@pytest.fixture(scope="module")
def built(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("compare") / "built", tiny)


@pytest.fixture(scope="module")
def done(built: Path) -> Path:
    """The folder after a comparison of three arms on two seeds; what it printed is in ``out`` and ``err``."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COLUMNS", "100")
        result = call(built, "compare", "r.yaml", "--arms", "curated,random,dpo", "--seeds", "2", "--markdown", "c.md")
    assert result.code == 0, result.err
    (built / "out").write_text(result.out)
    (built / "err").write_text(result.err)
    return built


def test_what_it_costs_and_can_see_is_said_before(done: Path):
    said = (done / "err").read_text()
    before = said[: said.index("train.sft:")]
    assert "arms from student, on 2 seeds (7 to 8): curated (train.sft on curated: 6 steps" in before
    assert "on top of curated" in before and "compare: disk: 6 adapters" in before
    assert "6 trainings, 0 of them reused; 2 evaluations of 4 models on 18 prompts, 0 of them reused" in before
    assert "assumed, not measured: sd over seeds 0.03" in before
    assert re.search(r"compare: 1 of 8 trainings and evaluations done, about .* left in all", said)
    assert re.search(r"train\.sft\.seed8: step 6 of 6, loss .* left in all\)", said)


def test_the_verdicts_are_printed_in_a_hundred_columns(done: Path):
    out = (done / "out").read_text()
    tables = out[: out.index("curated against random")]
    assert max(map(len, tables.splitlines())) <= 100
    assert "curated - random" in tables and "too few seeds" in tables and "on top of another arm" in tables
    assert "seed by seed:" in out and "drawing: " in out


def test_the_store_has_the_comparison(done: Path):
    with duckdb.connect(str(done / "store" / "gristmill.duckdb"), read_only=True) as con:
        rows = pl.DataFrame(con.execute("SELECT * FROM comparisons").to_arrow_table())
        runs = con.execute("SELECT command, status FROM runs ORDER BY started_at").fetchall()
    assert runs[-1] == ("compare", "finished")
    assert rows.height == 2 * 6 * 3  # scorers, pairs with the start model, all seeds and each
    pair = rows.filter(pl.col("arm") == "curated", pl.col("versus") == "random", pl.col("scorer") == "length")
    assert pair["seed"].to_list() == [None, 7, 8] and pair["verdict"][0] == "too few seeds to tell"
    assert pair["steps"].to_list() == pair["versus_steps"].to_list() == [6, 6, 6]
    assert abs(pair["tokens"][0] - pair["versus_tokens"][0]) <= 0.05 * pair["versus_tokens"][0]
    assert pair["difference"][0] == pytest.approx(pair["difference"][1:].mean())
    stage = next((done / "store" / "stages").glob("compare-*"))
    assert (stage / "comparison.svg").read_text().startswith("<svg")
    text = (done / "c.md").read_text()
    assert text == (stage / "comparison.md").read_text() and "| curated - random |" in text
    assert pair["training_id"][1] != pair["training_id"][2]


def test_the_recipes_own_training_is_the_first_seed(done: Path):
    before = trained(done)
    result = call(done, "train", "r.yaml", "sft", "dpo")
    assert result.code == 0 and trained(done) == before
    assert result.err.count("reused") == 2


def test_more_seeds_reuse_what_is_trained(done: Path):
    before = trained(done)
    result = call(done, "compare", "r.yaml", "--arms", "curated,random,dpo", "--seeds", "3")
    assert result.code == 0, result.err
    assert "9 trainings, 6 of them reused; 3 evaluations of 4 models on 18 prompts, 2 of them reused" in result.err
    assert len(trained(done) - before) == 3 and before < trained(done)
    again = call(done, "compare", "r.yaml", "--arms", "curated,random,dpo", "--seeds", "3")
    assert again.out == result.out and "= compare" in again.err


def test_unequal_tokens_are_refused_before_training(tiny: Path, tmp_path: Path):
    folder = write(tmp_path / "unequal", tiny, match="")
    said = mistake(call(folder, "compare", "r.yaml", "--arms", "curated,random", "--seeds", "2"))
    assert re.search(r"unequal trained tokens: curated learns [\d,]+ in 6 steps, random [\d,]+ in 6 \(-[\d.]+%", said)
    assert "datasets.curated: set 'match: tokens', then 'gristmill run r.yaml'; or set --tolerance" in said
    assert trained(folder) == set()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--arms", ","], "expected 1 to 6 names"),
        (["--arms", "curated,randm"], "no arm (a dataset or a training) 'randm'; did you mean"),
        (["--arms", "sft,dpo", "--seeds", "0"], "--seeds: expected a whole number from 1 to 100"),
        (["--arms", "sft,dpo", "--tolerance", "2"], "--tolerance: expected a share from 0 to 0.5"),
        (["--arms", "sft,dpo", "--seed-sd", "-1"], "--seed-sd: expected"),
        (["--arms", "sft,dpo", "--set", "train.sft.seed=3"], "so that all seeds would be one training"),
        (["--arms", "sft,dpo", "--markdown", "no/where.md"], "there is no folder no"),
        (["--arms", "sft,dpo", "--markdown", "."], "--markdown .: is a folder; expected a file"),
    ],
)
def test_a_wrong_comparison_is_one_line(built: Path, arguments: list[str], said: str):
    assert said in mistake(call(built, "compare", "r.yaml", *arguments))


def test_a_recipe_without_evaluate_is_refused(built: Path):
    text = (built / "r.yaml").read_text()
    (built / "none.yaml").write_text(text[: text.index("evaluate:")])
    assert "has no section 'evaluate'" in mistake(call(built, "compare", "none.yaml", "--arms", "sft,dpo"))


class Interrupted(Progress):
    """Presses Ctrl-C as a training of the second seed is at its second step."""

    def __init__(self) -> None:
        self.label = ""

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        self.label = label

    def advance(self, done: int, note: str = "") -> None:
        if self.label == "train sft.seed8" and done:
            raise KeyboardInterrupt


def test_a_stopped_comparison_goes_on(tiny: Path, tmp_path: Path, done: Path):
    folder = write(tmp_path / "stopped", tiny)
    with pytest.raises(KeyboardInterrupt):
        compare(folder / "r.yaml", folder / "store", "curated,random,dpo", 2, progress=Interrupted())
    before = trained(folder)
    assert len(before) == 3
    found = compare(folder / "r.yaml", folder / "store", ["curated", "random", "dpo"], 2)
    assert before < trained(folder) and len(trained(folder)) == 6
    first = next((done / "store" / "stages").glob("compare-*/comparison.md")).read_text()
    assert found.markdown.splitlines()[4:] == first.splitlines()[4:] or "seed 9" in first
    assert found.seeds.height == 24 and found.verdicts.height == 12
    assert "curated" in repr(found) and "<svg" in found._repr_html_()


def test_a_killed_comparison_goes_on(tiny: Path, tmp_path: Path):
    folder = write(tmp_path / "killed", tiny)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    environment["KILLED_AT"] = "os.rename .*train-curated_random"
    arguments = ["compare", "r.yaml", "--arms", "curated,random", "--seeds", "1"]
    killed = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, timeout=600
    )
    assert killed.returncode == -signal.SIGKILL
    assert {name.split("-")[1] for name in trained(folder)} == {"sft"}
    result = call(folder, *arguments)
    assert result.code == 0 and "2 trainings, 1 of them reused" in result.err
    assert "too few seeds to tell" in result.out


def test_full_weights_and_sampled_answers_are_arms_too(built: Path):
    said: list[str] = []

    class Said(Progress):
        def say(self, message: str) -> None:
            said.append(message)

    found = compare(built / "r.yaml", built / "store", ["full", "grpo"], 2, progress=Said())
    text = "\n".join(said)
    assert "the trained tokens are not known before (the answers are sampled)" in text
    assert re.search(r"compare: disk: about \d+ MB for the models; ", text) or "compare: disk: about 1 MB" in text
    assert "arm grpo differs from full in more than its data: trainer: 'grpo', not 'sft'" in text
    rows = found.seeds.filter(pl.col("arm") == "full", pl.col("versus") == "grpo", pl.col("scorer") == "length")
    assert rows["steps"].to_list() == rows["versus_steps"].to_list() == [2, 2]
    assert rows["versus_tokens"].null_count() == 0 and rows["training_id"].n_unique() == 2
    with duckdb.connect(str(built / "store" / "gristmill.duckdb"), read_only=True) as con:
        sampled = con.execute("SELECT list(response ORDER BY ALL) FROM rollouts GROUP BY training_id").fetchall()
    assert len(sampled) == 2 and sampled[0] != sampled[1]
