"""Real trainings of a tiny model, a few steps each, through ``train_recipe`` and a real store."""

import json
import math
import shutil
from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.reply_log import costs
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.rows import ROLLOUTS, ROW_LOSSES
from tests.optional import needs
from tests.stub_server import Stub
from tests.train.tables import preference_rows, recipe_with, rl_rows, sft_rows, turns, write_stage
from train.api import TrainedModel
from train.plan import plan_trainings, trained_models
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

STEPS = "per_device_train_batch_size: 2, max_steps: 2, learning_rate: 1e-2"


class Lines(Progress):
    """Records the calls it gets."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str, bool]] = []
        self.steps = 0

    def advance(self, done: int, note: str = "") -> None:
        self.steps += done

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        self.ended.append((label, result, reused))


def stages(store: Store, **tables: pl.DataFrame) -> dict[str, Stage]:
    names = {"sft": "sft", "dpo": "preferences", "rl": "rl_prompts"}
    return {name: write_stage(store, names[name], rows) for name, rows in tables.items()}


def train(
    tmp_path: Path,
    store: Store,
    ref: ModelRef,
    sections: str,
    datasets: dict[str, Stage],
    progress: Progress | None = None,
    models: str = "",
) -> list[Stage]:
    recipe = recipe_with(tmp_path / "recipes", sections, models)
    return train_recipe(recipe, store, datasets, {"student": ref}, None, progress or Progress())


def test_sft_trains_records_every_row_and_is_reused(tmp_path, store, ref):
    options = "per_device_train_batch_size: 2, num_train_epochs: 1, learning_rate: 1e-2"
    sections = f"train:\n  s: {{trainer: sft, dataset: sft, model: student, lora: {{r: 4}}, {options}}}\n"
    blank = pl.when(pl.col("row_id") == "r_2").then(pl.lit(turns("assistant", " "))).otherwise("completion")
    rows = sft_rows(7, held_out=1).with_columns(completion=blank)
    progress = Lines()
    datasets = stages(store, sft=rows)
    (stage,) = train(tmp_path, store, ref, sections, datasets, progress)

    assert (stage.path / "model" / "adapter_model.safetensors").exists()
    assert "# tiny: s" in (card := (stage.path / "model" / "README.md").read_text())
    assert "- trained on: 5\n- left out: 1, completion is empty\n" in card and "splits: train 6, test 1" in card
    assert TrainedModel("s", stage).curves == stage.path / "curves.svg"
    assert (stage.path / "curves.svg").read_text() == (stage.path / "model" / "curves.svg").read_text()
    fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
    assert fates == {f"r_{i}": "trained" for i in (0, 1, 3, 4, 5)} | {"r_2": "completion is empty"}
    losses = stage.read("row_losses")
    assert list(losses.columns) == list(ROW_LOSSES)
    assert sorted(losses["row_id"]) == ["r_0", "r_1", "r_3", "r_4", "r_5"]
    assert losses["step"].to_list() == [1, 1, 2, 2, 3]
    assert losses["phase"].unique().to_list() == ["train"]
    (record,) = stage.read("trainings").rows(named=True)
    assert (record["name"], record["trainer"], record["rows"], record["steps"]) == ("s", "sft", 6, 3)
    assert (store.path / record["path"] / "adapter_config.json").exists()
    # The token-weighted mean of a step's row losses is the loss that TRL logs for it.
    logged = [h["loss"] for h in json.loads(record["metrics"])["history"]]
    mean = (pl.col("loss") * pl.col("tokens")).sum() / pl.col("tokens").sum()
    by_step = losses.group_by("step", maintain_order=True).agg(mean)
    assert by_step["loss"].to_list() == pytest.approx(logged, rel=1e-3)
    assert logged[0] == pytest.approx(math.log(340), rel=0.1)  # a random model is uniform over its vocabulary
    assert list((store.path / "work").iterdir()) == []
    assert progress.steps == 3

    again = Lines()
    (same,) = train(tmp_path, store, ref, sections, datasets, again)
    assert same.stage_id == stage.stage_id
    assert [e[2] for e in again.ended] == [True] and again.steps == 0


def test_sft_then_dpo_on_top_of_the_merged_adapter(tmp_path, store, ref):
    sections = (
        f"train:\n  s: {{trainer: sft, dataset: sft, model: student, lora: true, {STEPS}}}\n"
        f"  d: {{trainer: dpo, dataset: dpo, model: s, lora: {{r: 4}}, {STEPS}, gradient_accumulation_steps: 2}}\n"
    )
    datasets = stages(store, sft=sft_rows(6), dpo=preference_rows(8))
    sft, dpo = train(tmp_path, store, ref, sections, datasets)
    losses = dpo.read("row_losses")
    assert losses["row_id"].n_unique() == 8 and losses["step"].to_list() == [1] * 4 + [2] * 4
    first, second = losses.filter(step=1), losses.filter(step=2)
    # The new adapter is nothing yet, so policy and reference agree: the SFT adapter is in both.
    assert first["margin"].to_list() == pytest.approx([0.0] * 4, abs=1e-5)
    assert first["loss"].to_list() == pytest.approx([math.log(2)] * 4, abs=1e-5)
    assert (second["margin"].abs() > 1e-6).all()
    history = json.loads(dpo.read("trainings")["metrics"][0])["history"]
    assert second["margin"].mean() == pytest.approx(history[1]["rewards/margins"], abs=1e-4)
    assert second["loss"].mean() == pytest.approx(history[1]["loss"], abs=1e-4)
    assert second["loss"].to_list() == pytest.approx([math.log1p(math.exp(-m)) for m in second["margin"]], rel=1e-4)

    recipe = recipe_with(tmp_path / "recipes", sections)
    plans = plan_trainings(recipe, store, datasets, {"student": ref})
    refs = trained_models(plans, {"student": ref})
    assert [p.stage and p.stage.stage_id for p in plans] == [sft.stage_id, dpo.stage_id]
    assert refs["d"].adapters == (str(sft.path / "model"), str(dpo.path / "model"))
    assert refs["d"].identity == f"tiny@0>{sft.stage_id}>{dpo.stage_id}"
    assert dpo.read("trainings")["base"][0] == f"tiny@0>{sft.stage_id}"


def test_full_weights_dpo_keeps_a_reference_of_its_own(tmp_path, store, ref):
    sections = f"train:\n  d: {{trainer: dpo, dataset: dpo, model: student, {STEPS}, loss_type: [ipo]}}\n"
    (stage,) = train(tmp_path, store, ref, sections, stages(store, dpo=preference_rows(4)))
    losses = stage.read("row_losses")
    assert losses["loss"].null_count() == 4  # no row's share of this loss is known; its margin is
    assert losses.filter(step=1)["margin"].to_list() == pytest.approx([0.0] * 2, abs=1e-5)
    assert (losses.filter(step=2)["margin"].abs() > 1e-6).all()
    assert (stage.path / "model" / "model.safetensors").exists()
    assert (stage.path / "model" / "tokenizer.json").exists()
    assert not stage.manifest["adapter"]


def test_rows_beyond_max_length_are_reported_also_if_packed(tmp_path, store, ref):
    long = turns("user", "answer " * 60)
    rows = sft_rows(6).with_columns(prompt=pl.when(pl.col("row_id") == "r_3").then(pl.lit(long)).otherwise("prompt"))
    datasets = stages(store, sft=rows)
    for more in ("", ", packing: true"):
        sections = f"train:\n  s: {{trainer: sft, dataset: sft, model: student, {STEPS}, max_length: 64{more}}}\n"
        (stage,) = train(tmp_path, store, ref, sections, datasets)
        fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
        assert fates.pop("r_3") == "longer than max_length: none of the answer is left"
        assert set(fates.values()) <= {"trained", "not reached before the last step"}
        assert stage.rows("row_losses") == (4 if not more else 0)


def test_evaluation_rows_are_recorded_as_such(tmp_path, store, ref):
    options = f"{STEPS}, eval_strategy: steps, eval_steps: 1"
    sections = f"train:\n  s: {{trainer: sft, dataset: sft, model: student, {options}}}\n"
    (stage,) = train(tmp_path, store, ref, sections, stages(store, sft=sft_rows(6, held_out=2)))
    losses = stage.read("row_losses").filter(phase="eval")
    assert sorted(losses.select("step", "row_id").rows()) == [(1, "r_4"), (1, "r_5"), (2, "r_4"), (2, "r_5")]


def test_grpo_records_every_answer_and_survives_a_broken_scorer(tmp_path, store, ref, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(
        "def longest(response):\n    return response.str.len_chars().cast(float)\n"
        "\ndef broken(response):\n    raise RuntimeError('no such thing')\n"
    )
    monkeypatch.chdir(tmp_path)
    options = "num_generations: 4, per_device_train_batch_size: 4, max_steps: 2, max_completion_length: 8"
    sections = (
        f"train:\n  g: {{trainer: grpo, dataset: rl, model: student, lora: true, {options}, "
        f"rewards: [own.mine.longest, own.mine.broken], allow: [constant_reward]}}\n"
    )
    long = turns("user", "answer " * 300)
    rows = rl_rows(4).with_columns(prompt=pl.when(pl.col("row_id") == "r_3").then(pl.lit(long)).otherwise("prompt"))
    (stage,) = train(tmp_path, store, ref, sections, stages(store, rl=rows))
    rollouts = stage.read("rollouts")
    assert list(rollouts.columns) == list(ROLLOUTS)
    good, bad = rollouts.filter(reward="own.mine.longest"), rollouts.filter(reward="own.mine.broken")
    assert good.height == bad.height == 8
    assert good["step"].to_list() == [1] * 4 + [2] * 4 and good["sample_index"].to_list() == [0, 1, 2, 3] * 2
    assert good["value"].to_list() == [float(len(r)) for r in good["response"]]
    assert bad["value"].null_count() == 8 and "no such thing" in bad["error"][0]
    fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
    assert "leaves no room for an answer" in fates["r_3"]
    assert sorted(fates.values()).count("trained") == 2
    assert (stage.path / "model" / "adapter_model.safetensors").exists()


def test_a_reward_may_ask_a_model_and_read_the_scores_above_it(tmp_path, store, ref, monkeypatch):
    (tmp_path / "own.py").write_text(
        "import json\nimport polars as pl\nfrom curate.steps.model_calls import ModelCalls\n\n\n"
        "def rated(response, *, model: str):\n"
        "    asks = [json.dumps([{'role': 'user', 'content': f'say exactly: {len(r) % 5}'}]) for r in response]\n"
        "    how = {'temperature': 0.0, 'max_tokens': 4}\n"
        "    said = yield ModelCalls(pl.Series(asks, dtype=pl.String), model, sampling=how)\n"
        "    return said['response'].cast(pl.Float64)\n"
        "\n\ndef group(prompt_id, rating):\n"
        "    return pl.DataFrame({'p': prompt_id, 'r': rating}).select(value=pl.col('r').max().over('p'))\n"
    )
    monkeypatch.chdir(tmp_path)
    options = "num_generations: 4, per_device_train_batch_size: 4, max_steps: 2, max_completion_length: 8"
    with Stub() as stub:
        sections = (
            f"completions:\n  - score: {{use: own.rated, as: rating, model: judge}}\n"
            f"  - score: {{use: own.group, as: best}}\n"
            f"train:\n  g: {{trainer: grpo, dataset: rl, model: student, lora: true, {options}, "
            f"rewards: [best, rating]}}\n"
        )
        judge = f'judge: {{engine: openai, base_url: "{stub.url}", model: judge}}'
        (stage,) = train(tmp_path, store, ref, sections, stages(store, rl=rl_rows(4)), models=judge)
        asked = stub.stats()["answered"]
    rollouts = stage.read("rollouts")
    rating, best = (rollouts.filter(reward=name) for name in ("rating", "best"))
    assert rating["value"].to_list() == [len(r) % 5 for r in rating["response"]] and rating["error"].null_count() == 8
    groups = rating.group_by("step", "row_id").agg(pl.col("value").max())
    assert best.join(groups, on=["step", "row_id"]).select((pl.col("value") == pl.col("value_right")).all()).item()
    assert set(asked.values()) == {1}, "the log of replies serves rewards too"
    assert sum(row["requests"] for row in costs(store)) == len(asked)


def test_a_plans_keys_depend_on_options_rows_and_base(tmp_path, store, ref):
    def key(sections: str, rows: pl.DataFrame = sft_rows(4), base: ModelRef = ref) -> str:  # noqa: B008 - never written
        shutil.rmtree(store.path / "stages")
        (store.path / "stages").mkdir()
        recipe = recipe_with(tmp_path / "recipes", sections)
        (plan,) = plan_trainings(recipe, store, stages(store, sft=rows), {"student": base})
        assert plan.stage is None
        return plan.stage_id

    plain = "train:\n  s: {trainer: sft, dataset: sft, model: student, learning_rate: 1e-4}\n"
    one = key(plain)
    assert key(plain) == one == key(plain.replace("  s:", "  other:"))
    assert key(plain, sft_rows(5, held_out=1)) == one  # rows that are not trained on change nothing
    changed = [
        key(plain.replace("1e-4", "2e-4")),
        key(plain.replace("student,", "student, lora: true,")),
        key(plain, sft_rows(5)),
        key(plain, base=ModelRef("student", "tiny@1", ref.location)),
    ]
    assert len({one, *changed}) == 5


@pytest.mark.parametrize(
    ("sections", "rows", "message"),
    [
        ("  s: {trainer: sft, dataset: dpo, model: student}", sft_rows(2), "needs a dataset of type 'sft'"),
        ("  s: {trainer: sfd, dataset: sft, model: student}", sft_rows(2), "no trainer 'sfd'; did you mean 'sft'"),
        (
            "  s: {trainer: sft, dataset: sft, model: student}",
            sft_rows(2, held_out=2),
            "no rows in the split 'train' (2",
        ),
        ("  s: {trainer: sft, dataset: sft, model: student, rewards: [length]}", sft_rows(2), "takes no 'rewards'"),
        ("  s: {trainer: grpo, dataset: rl, model: student}", sft_rows(2), "needs 'rewards'"),
        ("  s: {trainer: dpo, dataset: dpo, model: student}", sft_rows(2), "'dpo' is not built yet"),
        ("  s: {trainer: sft, dataset: sft, model: student, eval_strategy: epoch}", sft_rows(2), "add a 'split'"),
    ],
)
def test_mistakes_are_reported_before_a_model_is_loaded(tmp_path, store, sections, rows, message):
    nowhere = ModelRef("student", "x", "/nowhere")
    with pytest.raises(UserError) as error:
        train(tmp_path, store, nowhere, f"train:\n{sections}\n", stages(store, sft=rows))
    assert message in str(error.value)


def test_a_selected_training_brings_its_base_and_a_typo_is_named(tmp_path, store, ref):
    from train.plan import selected

    recipe = recipe_with(
        tmp_path,
        (
            "train:\n  one: {trainer: sft, dataset: sft, model: student}\n"
            "  two: {trainer: dpo, dataset: dpo, model: one}\n"
            "  six: {trainer: sft, dataset: sft, model: student}\n"
        ),
    )
    assert selected(recipe, ["two"]) == ["one", "two"]
    assert selected(recipe, None) == ["one", "two", "six"]
    with pytest.raises(UserError, match="no training 'too'; did you mean 'two'"):
        selected(recipe, ["too"])
