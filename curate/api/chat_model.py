"""The model that a person wants to talk to: named as in ``find_model``, with settings of its engine."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.api.find_model import find_model
from curate.models.chat.read_template import with_template
from curate.models.engine import engine_of, engines_that, find_engine
from curate.models.engine_settings import BUDGETS, check_model, resolve_model
from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.recipe import Model, Recipe

WHERE = "chat"


def chat_model(
    text: str, store: Store | None = None, recipe: Recipe | None = None, settings: Mapping[str, Any] | None = None
) -> ModelRef:
    """Return the model that a text names, checked: its engine can hand over an answer as it is written.

    Args:
        text: What ``find_model`` finds; with an ``engine`` whose models are behind a server, the server's name for one.
        store: The store to look for trainings in.
        recipe: The recipe to look for models in.
        settings: ``engine``, and settings of the engine; they replace those of the recipe.

    Raises:
        UserError: The text names no model, a setting is wrong, or the model can't be talked to on this machine.
    """
    given = dict(settings or {})
    engine = given.pop("engine", None)
    if not isinstance(engine, str | None):
        raise UserError(f"{WHERE}: engine: expected a name, found {engine!r}")
    in_recipe = recipe is not None and text in recipe.models
    if engine is not None and find_engine(engine, WHERE).remote and not in_recipe:
        model = Model(model=text, engine=engine, **given)
        check_model(text, model, WHERE)
        ref = resolve_model(text, model, Path.cwd())
    else:
        ref = find_model(text, store, recipe)
        ref = _with_settings(ref, engine or ref.engine, given) if given or engine else ref
    spec = engine_of(ref)
    if spec.streamer is None:
        able = engines_that(lambda one: one.streamer is not None)
        raise UserError(f"the model {ref.name!r} has the engine {ref.engine!r}, which can't chat; these can: {able}")
    spec.installed()
    spec.ready(ref)
    return ref


def budget_of(ref: ModelRef) -> str:
    """Return the names of a model's budgets in a recipe, which ``chat`` neither counts nor keeps to."""
    return ", ".join(one.name for one in BUDGETS if ref.setting(one.name) is not None)


def _with_settings(ref: ModelRef, engine: str, given: dict[str, Any]) -> ModelRef:
    """Return a model with other settings of its engine, or behind another engine."""
    if find_engine(engine, WHERE).remote != engine_of(ref).remote:
        raise UserError(f"{WHERE}: the model {ref.name!r} has the engine {ref.engine!r}; it can't have {engine!r}")
    kept = {} if engine != ref.engine else {name: value for name, value in ref.settings if name != "chat_template"}
    check_model(ref.name, Model(model=ref.location, engine=engine, **(kept | given)), WHERE)
    settings = tuple(sorted({**dict(ref.settings if engine == ref.engine else ()), **given}.items()))
    made = replace(ref, engine=engine, settings=settings)
    return with_template(made, Path.cwd()) if "chat_template" in given else made
