"""The model that a person names: of a recipe, a training of a store, a built-in one, a folder, one of the hub."""

from pathlib import Path

from curate.models.engine_settings import resolve_model
from curate.models.model_ref import ModelRef
from curate.models.weight_files import BUILT_IN
from curate.pipeline.run_state import recipe_model
from curate.storage.store import Store
from curate.storage.training_records import TrainingRecord, check_trained, find_trainings, training_records
from schemas.errors import UserError, printable, unknown
from schemas.recipe import Model, Recipe


def find_model(text: str, store: Store | None = None, recipe: Recipe | None = None) -> ModelRef:
    """Return the model that a text names; nothing is loaded.

    Args:
        text: A model of the recipe's section ``models``; a training of the store by its name, recipe and name
            (``demo/sft``) or id, of several with one name the one that finished last; a built-in name; a model's or an
            adapter's folder; a hub id. The first of these that fits.
        store: The store to look for trainings in.
        recipe: The recipe to look for models in.

    Raises:
        UserError: The text names none of these, and the message names the nearest; or a training that has not been run.
    """
    if recipe is not None and text in recipe.models:
        return recipe_model(recipe, text, recipe.where("models", text))
    records = training_records(store) if store is not None else []
    found = find_training(text, records)
    if found is not None:
        return resolve_model(found.name, Model(model=str(found.stage.folder("model"))))
    folder = Path(text).expanduser()
    on_disk = text in BUILT_IN or folder.is_dir()
    if not on_disk:
        check_trained(store, text, recipe)
    if on_disk or text.count("/") == 1:
        return resolve_model(text.rstrip("/").rsplit("/", 1)[-1], Model(model=text), Path.cwd())
    names = [*(recipe.models if recipe else ()), *dict.fromkeys(one.name for one in records), *BUILT_IN]
    raise unknown("model, training of the store or folder called", text, names)


def find_training(text: str, records: list[TrainingRecord]) -> TrainingRecord | None:
    """Return the training that a text names, of several with one name the one that finished last; None for none.

    Raises:
        UserError: The text is the start of several trainings' ids.
    """
    found = find_trainings(records, text)
    if len(found) > 1 and text != found[0].name and "/" not in text:
        raise UserError(f"{text!r} is the start of several trainings' ids: {', '.join(one.id for one in found[:5])}")
    return found[0] if found else None


def which_training(text: str, store: Store | None, recipe: Recipe | None = None) -> str:
    """Return a line that says which training a text names, where that is not plain from it; else an empty text.

    It is not plain where several trainings have the name, or the one that finished last is of a smoke run.

    Args:
        text: What ``find_model`` has found.
        store: The store that it looked in.
        recipe: The recipe that it looked in.
    """
    if store is None or (recipe is not None and text in recipe.models):
        return ""
    found = find_trainings(training_records(store), text)
    if not found or (len(found) == 1 and not found[0].limited):
        return ""
    first, *others = found
    line = f"{printable(text)}: the training {first.id} ({printable(first.title)}), finished {first.finished}"
    if others:
        line += f", the last of {len(found)} of this name; the one before is {others[0].id}"
        line += f" ({printable(others[0].title)})"
    return f"{line}; it is of a smoke run" if first.limited else line
