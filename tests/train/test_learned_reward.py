"""A learned reward in one recipe: pairs train a reward model, which scores candidates, rewards, and evaluates."""

import json
from pathlib import Path

import pytest

from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from tests.command import call
from tests.optional import needs

pytestmark = [needs("trl"), pytest.mark.slow]

FEW = "per_device_train_batch_size: 4, max_steps: 2, lora: {r: 4}"
RECIPE = f"""
name: job
models: {{student: "MODEL"}}
prompts:
  - source: pairs.jsonl
completions:
  - generate: {{use: sample, model: student, n: 3, max_tokens: 4}}
  - score: rm
datasets:
  pairs: {{type: preference, where: "sample_index < 2 and preference is not null"}}
  best: {{type: sft, select: best_of_n, by: rm}}
  rl: {{type: prompt}}
split: 0.25
train:
  rm: {{trainer: reward, dataset: pairs, model: student, {FEW}, learning_rate: 1e-2}}
  tuned: {{trainer: sft, dataset: best, model: student, {FEW}}}
  online: {{trainer: grpo, dataset: rl, model: tuned, rewards: [rm], max_completion_length: 4, num_generations: 4,
    {FEW}}}
evaluate: {{models: [student, tuned, online], dataset: rl, by: [rm, length], max_tokens: 3, temperature: 1.0}}
"""


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe, whose run, training, run, training and evaluation were done."""
    folder = tmp_path_factory.mktemp("learned")
    rows = [{"prompt": f"answer {n} now", "chosen": f"the cat {n}", "rejected": f"a dog {n}"} for n in range(12)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "r.yaml").write_text(RECIPE.replace("MODEL", str(tiny)), encoding="utf-8")
    return folder


def sql(folder: Path, query: str) -> list[tuple]:
    with connect(Store(folder / "store"), None, query) as con:
        return con.execute(query).fetchall()


def test_one_recipe_trains_a_reward_and_uses_it_everywhere(folder: Path):
    first = call(folder, "check", "r.yaml", "--rows", "0")
    assert first.code == 0 and "waits for train.rm" in first.out, first.err
    early = call(folder, "train", "r.yaml", "tuned")
    assert early.code == 2 and "dataset 'pairs' is not built" not in early.err

    run = call(folder, "run", "r.yaml")
    assert run.code == 0, run.err
    assert "the other stages wait for the training 'rm'; next: gristmill train r.yaml rm" in run.out
    assert sql(folder, "SELECT count(*) FROM preferences") == [(12,)]
    assert sql(folder, "SELECT count(*) FROM sft") == [(0,)]
    refused = call(folder, "train", "r.yaml", "tuned")
    assert refused.code == 2 and "'gristmill train r.yaml rm' trains that" in refused.err
    assert call(folder, "evaluate", "r.yaml").code == 2

    some = call(folder, "train", "r.yaml")
    assert some.code == 0, some.err
    assert some.out.startswith("rm: ") and "tuned" not in some.out and "'gristmill run r.yaml' then makes" in some.err
    again = call(folder, "run", "r.yaml")
    assert again.code == 0 and "wait" not in again.out, again.err
    scored = sql(folder, "SELECT count(value), count(*) FROM scores WHERE scorer = 'rm'")
    assert scored == [(12 * 5, 12 * 5)], "recorded and generated answers"
    best = sql(
        folder,
        "SELECT bool_and(score = most) FROM sft JOIN (SELECT prompt_id, max(value) most FROM completions "
        "JOIN scores ON row_id = completion_id WHERE scorer = 'rm' GROUP BY 1) USING (prompt_id)",
    )
    assert best == [(True,)]

    rest = call(folder, "train", "r.yaml")
    assert rest.code == 0, rest.err
    values = sql(folder, "SELECT count(value), count(error) FROM rollouts WHERE reward = 'rm'")
    assert values == [(8, 0)]
    done = call(folder, "evaluate", "r.yaml")
    assert done.code == 0, done.err
    counts = dict(sql(folder, "SELECT model, count(value) FROM evaluations WHERE scorer = 'rm' GROUP BY 1"))
    assert counts == dict.fromkeys(("student", "tuned", "online"), 3)

    stages = len(Store(folder / "store").stages())
    for command in ("run", "train", "evaluate"):
        assert call(folder, command, "r.yaml").code == 0
    assert len(Store(folder / "store").stages()) == stages, "all is reused"


def test_another_reward_model_remakes_what_it_scored(folder: Path):
    other = call(folder, "check", "r.yaml", "--rows", "0", "--set", "train.rm.learning_rate=0.02")
    assert other.code == 0, other.err
    lines = {line.split()[0]: line for line in other.out.splitlines() if "." in line[:30]}
    assert "cached" in lines["datasets.pairs"] and "cached" in lines["completions.generate.sample"]
    assert "waits for train.rm" in lines["completions.score.rm"] and "waits for train.rm" in lines["datasets.best"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model: student, " + FEW + ", learning", "model: tuned, " + FEW + ", learning", "trained above) 'tuned'"),
        (
            "dataset: pairs, model: student",
            "dataset: rl, model: student, rewards: [rm]",
            "needs the training 'rm', which",
        ),
        ("rewards: [rm]", "rewards: [tuned]", "train.tuned (trainer 'sft') gives no score"),
        ("rewards: [rm]", "rewards: [rn]", "no score step 'rn'; did you mean 'rm'"),
        ("model: tuned, rewards", "model: rm, rewards", "train.online: needs a model that writes text; 'rm' is"),
        ("[student, tuned, online]", "[student, rm]", "evaluate: needs a model that writes text; 'rm' is"),
        ("sample, model: student", "sample, model: rm", "generate sample: needs a model that writes text"),
        ("- score: rm", "- score: tuned", "no score step 'tuned'"),
        (
            "- source: pairs.jsonl",
            "- source: pairs.jsonl\n  - score: {use: ifd, model: rm}",
            "of 'completions' can ask",
        ),
    ],
)
def test_a_model_that_is_asked_too_early_is_refused(folder: Path, old: str, new: str, message: str):
    text = (folder / "r.yaml").read_text(encoding="utf-8")
    assert old in text
    (folder / "wrong.yaml").write_text(text.replace(old, new), encoding="utf-8")
    done = call(folder, "check", "wrong.yaml")
    assert done.code == 2 and message in done.err


def test_short_forms_of_a_trained_scorer_are_one(folder: Path):
    text = (folder / "r.yaml").read_text(encoding="utf-8")
    forms = ["- score: rm", "- score: {use: reward_model, model: rm, as: rm}", "- score: {use: rm}"]
    for number, form in enumerate(forms):
        (folder / f"form{number}.yaml").write_text(text.replace(forms[0], form), encoding="utf-8")
    steps = [load_recipe(folder / f"form{number}.yaml").completions[1] for number in range(len(forms))]
    assert len({(step.use, step.name, str(sorted(step.settings.items()))) for step in steps}) == 1


def test_equal_trainings_are_both_in_the_result(folder: Path):
    text = (folder / "r.yaml").read_text(encoding="utf-8").replace("name: job", "name: twins")
    twin = next(line for line in text.splitlines() if line.startswith("  rm: ")).replace("  rm:", "  twin:")
    (folder / "twins.yaml").write_text(text.replace("  tuned:", f"{twin}\n  tuned:", 1), encoding="utf-8")
    assert call(folder, "run", "twins.yaml").code == 0
    done = call(folder, "train", "twins.yaml", "rm", "twin")
    assert done.code == 0
    assert [line.split(":")[0] for line in done.out.splitlines() if "curves" not in line] == ["rm", "twin"]


def test_a_reward_model_has_no_built_in_scorers_name(folder: Path):
    text = (folder / "r.yaml").read_text(encoding="utf-8")
    named = text.replace("  rm: ", "  length: ").replace("by: rm}", "by: length}").replace("[rm, length]", "[length]")
    named = named.replace("score: rm", "score: length").replace("[rm]", "[length]")
    (folder / "named.yaml").write_text(named, encoding="utf-8")
    done = call(folder, "check", "named.yaml")
    assert done.code == 2 and "train.length: a built-in scorer has that name" in done.err


def test_a_scorer_that_is_no_training_keeps_its_own_name(tmp_path: Path):
    (tmp_path / "r.yaml").write_text(
        "name: r\nmodels: {m: smollm2-135m}\nprompts: [{source: a.jsonl}]\ncompletions: [{score: math}]\n"
        "datasets: {rl: {type: prompt}}\n"
        "train:\n  math: {trainer: grpo, dataset: rl, model: m, rewards: [math]}\n",
        encoding="utf-8",
    )
    recipe = load_recipe(tmp_path / "r.yaml")
    assert recipe.completions[0].use == "math"
