"""Trainings of a recipe in a store of their own, with the models as they were in memory at their ends."""

from pathlib import Path
from typing import Any, NamedTuple

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.recipe import Recipe
from tests.said import Said
from tests.train.tables import preference_rows, recipe_with, rl_rows, sft_rows, unpaired_rows, write_stage
from train.plan import check_training_sections, plan_trainings, trained_models
from train.run import train_recipe

ONE = "per_device_train_batch_size: 2, max_steps: 2, learning_rate: 0.02"
SAMPLED = (
    "num_generations: 2, per_device_train_batch_size: 4, max_steps: 2, max_completion_length: 6, learning_rate: 0.02"
)
IDS = [[5, 6, 7, 8, 9, 1, 2, 30, 40, 50]]


class Told(Said):
    """Keeps the details and the ends of stages too."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: dict[str, str] = {}

    def detail(self, line: str) -> None:
        self.lines.append(line)

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        self.ended[label] = result


class Done(NamedTuple):
    """Finished trainings: the recipe, their stages and models by name, and what was said."""

    recipe: Recipe
    store: Store
    stages: dict[str, Stage]
    refs: dict[str, ModelRef]
    said: Told


def outputs(model: Any) -> Any:
    """Return a model's logits (or scores) for some tokens, without dropout."""
    import torch

    training = model.training
    model.eval()
    with torch.no_grad():
        found = model(input_ids=torch.tensor(IDS)).logits.float().clone()
    model.train(training)
    return found


def trained(folder: Path, ref: ModelRef, section: str, held_out: int = 2) -> Done:
    """Do the trainings of a section ``train``, whose datasets are sft, dpo, kto and rl."""
    recipe = recipe_with(folder, f"train:\n{section}")
    check_training_sections(recipe)
    store, said = Store(folder / "store"), Told()
    tables = {
        "sft": ("sft", sft_rows(8, held_out)),
        "dpo": ("preferences", preference_rows(8, held_out)),
        "kto": ("unpaired", unpaired_rows(8, held_out)),
        "rl": ("rl_prompts", rl_rows(8, held_out)),
    }
    datasets = {name: write_stage(store, *table) for name, table in tables.items()}
    stages = train_recipe(recipe, store, datasets, {"student": ref}, None, said)
    refs = trained_models(plan_trainings(recipe, store, datasets, {"student": ref}), {"student": ref})
    return Done(recipe, store, dict(zip(recipe.train, stages, strict=True)), refs, said)


def spied(monkeypatch: Any) -> dict[str, dict[str, Any]]:
    """Keep of every training, by its name, the outputs of its model at its end, and of its reference then."""
    from train import row_training
    from train.online import online_training

    kept: dict[str, dict[str, Any]] = {}

    def wrapped(real: Any) -> Any:
        def fit(trainer: Any, job: Any, *others: Any) -> Any:
            done = real(trainer, job, *others)
            kept[job.name] = {"model": outputs(trainer.model), "reference": reference_outputs(trainer)}
            return done

        return fit

    for module in (row_training, online_training):
        monkeypatch.setattr(module, "fit", wrapped(module.fit))
    return kept


def reference_outputs(trainer: Any) -> Any:
    """Return what a trainer's reference gives: a second model, or its own with the adapter switched off."""
    other = getattr(trainer, "ref_model", None)
    if other is not None:
        return outputs(other)
    if not hasattr(trainer.model, "disable_adapter"):
        return None
    with trainer.model.disable_adapter():
        return outputs(trainer.model)
