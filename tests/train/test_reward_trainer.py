"""The trainer ``reward`` on tiny models: its weights, its record, and its model used as a reward by path."""

import json
import math

import numpy as np
import polars as pl
import pytest

from curate.models.engine_settings import resolve_model
from curate.models.model_ref import ModelRef
from curate.models.weight_files import STARTS_FROM
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import Model
from tests.asking import Asked
from tests.optional import needs
from tests.train.tables import preference_rows, recipe_with, sft_rows, turns, write_stage
from train.plan import plan_trainings, trained_models
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

TRAINING = (
    "{{trainer: reward, dataset: dpo, model: {model}, per_device_train_batch_size: 4, num_train_epochs: 12, "
    "learning_rate: 1e-2{more}}}"
)


def train(tmp_path, store, ref, sections, **tables):
    names = {"sft": "sft", "dpo": "preferences"}
    datasets = {name: write_stage(store, names[name], rows) for name, rows in tables.items()}
    recipe = recipe_with(tmp_path / "recipes", f"train:\n{sections}")
    stages = train_recipe(recipe, store, datasets, {"student": ref}, None, Progress())
    refs = trained_models(plan_trainings(recipe, store, datasets, {"student": ref}), {"student": ref})
    return stages, refs


def rewards(ref, rows):
    """Return an array of two rows: the rewards of the chosen answers, and those of the rejected ones."""
    from curate.models.clients.local.reward import RewardEngine
    from schemas.requests import Sampling, make_request

    asks = [
        json.dumps({"messages": json.loads(row["prompt"]) + json.loads(row[side])})
        for side in ("chosen", "rejected")
        for row in rows.iter_rows(named=True)
    ]
    requests = [make_request(ref.identity, ask, None, Sampling(), 0, "reward") for ask in asks]
    replies = Asked([[one] for one in {r.key: r for r in requests}.values()]).by(RewardEngine(ref))
    values = [replies[one.key].value for one in requests]
    return np.array(values).reshape(2, rows.height)


def by_path(stage, name="rm"):
    """Return the model as another recipe names it: by the path in the table ``trainings``."""
    path = stage.path.parent.parent / stage.read("trainings")["path"][0]
    return resolve_model(name, Model(model=str(path)))


@pytest.mark.parametrize("more", ["", ", lora: {r: 4}"])
def test_it_learns_the_pairs_and_what_it_saves_scores_as_it_did(tmp_path, store, ref, more):
    rows = preference_rows(16)
    (stage,), refs = train(tmp_path, store, ref, f"  rm: {TRAINING.format(model='student', more=more)}\n", dpo=rows)
    losses, history = stage.read("row_losses"), json.loads(stage.read("trainings")["metrics"][0])["history"]
    assert losses.height == 16 * 12 and losses["row_id"].n_unique() == 16
    first, last = losses.filter(step=1), losses.filter(pl.col("step") > losses["step"].max() - 4)
    for step, part in losses.group_by("step"):
        logged = next(entry for entry in history if entry["step"] == step[0])
        assert part["margin"].mean() == pytest.approx(logged["margin"], abs=1e-4)
        assert part["loss"].mean() == pytest.approx(logged["loss"], abs=1e-3)
        assert (part["margin"] > 0).mean() == pytest.approx(logged["accuracy"])
    assert first["loss"].to_list() == pytest.approx([math.log1p(math.exp(-m)) for m in first["margin"]], rel=1e-4)
    assert (last["margin"] > 0).all() and last["loss"].mean() < 0.2
    assert stage.read("training_rows")["fate"].unique().to_list() == ["trained"]
    chosen, rejected = rewards(refs["rm"], rows)
    assert (chosen > rejected + 0.5).all()
    # The last step's margins are the saved model's, up to what that very step changed.
    moved = pl.DataFrame({"row_id": rows["row_id"], "now": chosen - rejected})
    end = losses.filter(step=losses["step"].max()).join(moved, on="row_id")
    assert end["now"].to_list() == pytest.approx(end["margin"].to_list(), abs=0.3)
    assert rewards(by_path(stage), rows) == pytest.approx(np.array([chosen, rejected]), abs=1e-4)


def test_on_top_of_a_trained_model_by_name_and_by_path(tmp_path, store, ref):
    sections = (
        f"  s: {{trainer: sft, dataset: sft, model: student, lora: {{r: 4}}, max_steps: 3, "
        f"learning_rate: 1e-1}}\n  rm: {TRAINING.format(model='s', more=', lora: {r: 4}, max_steps: 6')}\n"
    )
    rows = preference_rows(8)
    (sft, stage), refs = train(tmp_path, store, ref, sections, sft=sft_rows(6), dpo=rows)
    assert refs["rm"].adapters == (str(sft.path / "model"), str(stage.path / "model"))
    found = by_path(stage)
    assert found.adapters == refs["rm"].adapters and found.location == ref.location
    assert rewards(found, rows) == pytest.approx(rewards(refs["rm"], rows), abs=1e-4)
    alone = ModelRef("rm", "other", ref.location, adapters=(str(stage.path / "model"),))
    assert rewards(alone, rows) != pytest.approx(rewards(found, rows), abs=1e-4), "the SFT adapter is part of it"
    section = f"  b: {TRAINING.format(model='student', more=', max_steps: 1')}\n"
    again, _ = train(tmp_path, Store(tmp_path / "other"), found, section, dpo=rows)
    before = again[0].read("row_losses").filter(step=1)
    margins = dict(zip(rows["row_id"], -np.diff(rewards(found, rows), axis=0)[0], strict=True))
    assert before["margin"].to_list() == pytest.approx([margins[row] for row in before["row_id"]], abs=1e-3)


def test_pairs_beyond_max_length_and_held_out_pairs_are_recorded(tmp_path, store, ref):
    long = turns("assistant", "answer " * 60)
    rows = preference_rows(9, held_out=3)
    rows = rows.with_columns(rejected=pl.when(pl.col("row_id") == "r_2").then(pl.lit(long)).otherwise("rejected"))
    more = ", max_steps: 4, max_length: 64, eval_strategy: epoch, center_rewards_coefficient: 0.01"
    (stage,), _ = train(tmp_path, store, ref, f"  rm: {TRAINING.format(model='student', more=more)}\n", dpo=rows)
    fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
    assert fates.pop("r_2") == "longer than max_length, in one of its answers" and set(fates.values()) == {"trained"}
    losses = stage.read("row_losses")
    assert losses["loss"].is_null().all() and losses["margin"].is_not_null().all()
    assert set(losses.filter(phase="eval")["row_id"]) == {"r_6", "r_7", "r_8"}
    with pytest.raises(UserError, match="no row is left to train on: 6 x longer than max_length, in one"):
        few = f"  b: {TRAINING.format(model='student', more=', max_length: 3')}\n"
        train(tmp_path, store, ref, few, dpo=preference_rows(6))


def test_an_adapters_folder_names_its_model_or_is_refused(tmp_path, store, tiny, ref):
    (stage,), _ = train(
        tmp_path,
        store,
        ref,
        f"  rm: {TRAINING.format(model='student', more=', lora: true, max_steps: 1')}\n",
        dpo=preference_rows(4),
    )
    folder = stage.path / "model"
    assert json.loads((folder / STARTS_FROM).read_text()) == {"model": str(tiny.resolve()), "adapters": []}
    known = by_path(stage)
    assert known.identity.startswith("tiny0@") and known.identity.count(">") == 1
    (folder / STARTS_FROM).unlink()  # as PEFT saves it
    assert by_path(stage).location == str(tiny.resolve()) and by_path(stage).adapters == known.adapters
    config = json.loads((folder / "adapter_config.json").read_text())
    for base, words in [("/nowhere/at/all", "trained on /nowhere/at/all, which is not there"), (None, "does not say")]:
        (folder / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": base}))
        with pytest.raises(UserError, match=words):
            by_path(stage)
