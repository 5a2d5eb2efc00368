"""``gristmill check`` and ``train`` refuse trainings once the datasets are built; ``allow`` takes refusals back."""

import json
from pathlib import Path

import pytest

from curate.storage.sql_views import connect
from curate.storage.store import Store
from tests.command import call, process
from tests.optional import needs

pytestmark = [needs("torch", "tokenizers", "jinja2", "trl"), pytest.mark.slow]  # the tiny model

ROWS = [{"prompt": f"answer {n} the cat sings", "completion": f"the cat {n}", "ground_truth": str(n)} for n in range(9)]
SFT = "one: {trainer: sft, dataset: sft, model: student%s}"
GRPO = (
    "one: {trainer: grpo, dataset: rl, model: student, rewards: [%s], max_steps: 1, num_generations: 2, "
    "per_device_train_batch_size: 2, max_completion_length: 4%s}"
)


@pytest.fixture
def built(tiny: Path, tmp_path: Path):
    """A function that writes a recipe and builds its datasets."""

    def build(train: str, rows: list[dict] = ROWS, split: str = "{test: 0.3}", more: str = "") -> Path:
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (tmp_path / "r.yaml").write_text(
            f"name: r\nmodels:\n  student: {tiny}\nprompts:\n  - source: rows.jsonl\n{more}datasets:\n"
            f"  sft: {{type: sft}}\n  rl: {{type: prompt}}\nsplit: {split}\ntrain:\n  {train}\n",
            encoding="utf-8",
        )
        assert call(tmp_path, "run", "r.yaml").code == 0
        return tmp_path

    return build


def test_a_good_recipe_has_no_warning(built):
    rows = [row | {"completion": row["ground_truth"]} for row in ROWS]
    done = call(built(GRPO % ("exact_match", ""), rows), "check", "r.yaml", "--rows", "0", "--strict")
    assert done.code == 0 and done.err == "", done.err


def test_shared_prompts_are_refused_and_allowed(built):
    copied = [*ROWS, {"prompt": "ANSWER 3 the cat sings", "completion": "no", "metadata": {"held": True}}]
    split = "{test: \"metadata like '%held%'\"}"
    folder = built(SFT % "", copied, split)
    for command in ("check", "train"):
        done = call(folder, command, "r.yaml")
        assert done.code == 2
        assert (
            "train.one: 1 of 1 held-out prompts ('test' of the dataset 'sft') is trained on too: 1 the same" in done.err
        )
        assert "allow: [shared_prompts] in train.one" in done.err
    allowed = call(built(SFT % ", allow: [shared_prompts]", copied, split), "check", "r.yaml", "--rows", "0")
    assert allowed.code == 0 and "warning: train.one: 1 of 1 held-out prompts" in allowed.err


def test_a_constant_reward_is_refused_before_torch_is_there(built):
    without = [{key: value for key, value in row.items() if key != "ground_truth"} for row in ROWS]
    folder = built(GRPO % ("exact_match", ""), without)
    code = "import sys\nsys.argv = ['gristmill', 'train', 'r.yaml']\nfrom cli.main import main\ntry:\n    main()\n"
    done = process(folder, code=f"{code}except SystemExit as end:\n    print(end.code, 'torch' in sys.modules)")
    assert done.out.split() == ["2", "False"], done.err
    assert "train.one: the reward 'exact_match' has no value for any of " in done.err
    assert "allow: [constant_reward] in train.one" in done.err


def test_a_row_whose_truth_is_not_accepted_is_left_out(built):
    broken = [{**row, "ground_truth": r"\frac{1}{"} if n == 4 else row for n, row in enumerate(ROWS)]
    folder = built(GRPO % ("math", ""), broken, "{test: \"prompt like '%8%'\"}")
    checked = call(folder, "check", "r.yaml", "--rows", "0")
    said = "train.one: 1 of 8 ground truths (12%) is not accepted by its own verifier (row r_"
    assert checked.code == 0 and said in checked.err and "these rows are left out" in checked.err, checked.err
    trained = call(folder, "train", "r.yaml")
    assert trained.code == 0 and said in trained.err, trained.err
    with connect(Store(folder / "store")) as con:
        fates = dict(con.execute("SELECT fate, count(*) FROM training_rows GROUP BY 1").fetchall())
    assert fates.pop("its own verifier does not accept its ground truth") == 1 and sum(fates.values()) == 7
    assert said not in call(folder, "train", "r.yaml").err  # it is done


def test_most_truths_not_accepted_are_refused_and_allowed(built):
    broken = [{**row, "ground_truth": r"\frac{1}{"} for row in ROWS[:7]] + ROWS[7:]
    done = call(built(GRPO % ("math", ""), broken), "check", "r.yaml", "--rows", "0")
    assert done.code == 2 and "allow: [unaccepted_truths] in train.one" in done.err
    allowed = built(GRPO % ("math", ", allow: [unaccepted_truths]"), broken)
    done = call(allowed, "check", "r.yaml", "--rows", "0")
    assert done.code == 0 and "(allow: [unaccepted_truths])" in done.err and "left out" not in done.err


def test_a_later_training_that_learns_nothing_is_refused_first(built):
    both = SFT % "" + "\n  two: {trainer: sft, dataset: sft, model: one, max_length: 4}"
    folder = built(both)
    for command in (("check", "--rows", "0"), ("train",)):
        done = call(folder, command[0], "r.yaml", *command[1:])
        assert done.code == 2 and "train.two: no row is left to train on: " in done.err, done.err
        assert "longer than max_length" in done.err
    assert not [*(folder / "store").glob("stages/*train-one*")]


def test_the_rows_that_max_length_cuts_are_named(built):
    long = [*ROWS, {"prompt": "answer", "completion": "the cat sings " * 30}]
    done = call(built(SFT % ", max_length: 40", long), "check", "r.yaml", "--rows", "1")
    assert done.code == 0
    (line,) = [one for one in done.out.splitlines() if one.startswith("train.one: max_length 40: ")]
    assert " would keep " in line
    assert "train.one: the most is lost by row r_" in done.out
