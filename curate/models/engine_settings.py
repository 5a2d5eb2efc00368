"""Checks a recipe's model entry against the settings that its engine declares, and resolves it to a ``ModelRef``.

An engine's own settings stand in its file, ``curate/models/clients/NAME.py``; here are those of every engine.
"""

from dataclasses import replace
from pathlib import Path

from curate.models.chat.read_template import with_template
from curate.models.engine import NUMBER, Setting, engine_names, engine_of, engines_that, find_engine, recipe_engines
from curate.models.model_ref import ModelRef
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint
from schemas.recipe import Model
from schemas.requests import Task

BUDGETS = (
    Setting("max_cost", NUMBER, "dollars that the store's recipes may spend on the model; needs the prices"),
    Setting("max_tokens", int, "prompt and completion tokens at most"),
    Setting("max_requests", int, "requests at most"),
    Setting("max_seconds", NUMBER, "seconds of asking at most"),
)
PRICES = (
    Setting("prompt_price", NUMBER, "dollars for a million prompt tokens"),
    Setting("completion_price", NUMBER, "dollars for a million completion tokens"),
)
KEYS = ("api_key", "key", "token")  # settings that people put a key into


def check_model(name: str, model: Model, where: str) -> None:
    """Check a recipe's model entry.

    Args:
        name: The model's name in the recipe.
        model: Its entry.
        where: The place in the recipe, for messages.

    Raises:
        UserError: The engine does not exist, or a setting is none of its settings or has a wrong value.
    """
    spec, given = find_engine(model.engine, where), model.settings
    if not spec.in_recipes:
        raise unknown("engine", model.engine, recipe_engines(), where)
    known = {setting.name: setting for setting in (*spec.settings, *BUDGETS, *PRICES)}
    for key, value in given.items():
        if key in KEYS:
            raise UserError(
                f"{where}: a recipe never holds a key; put it into an environment variable, "
                f"and name the variable: api_key_env"
            )
        if key == "chat_template" and key not in known:
            able = engines_that(lambda one: any(setting.name == "chat_template" for setting in one.settings))
            raise UserError(
                f"{where}: {name}.chat_template: the server of the engine {model.engine!r} prints the messages by a "
                f"template of its own; it is a setting of the engines {able}"
            )
        if key not in known:
            raise unknown(f"setting of the engine {model.engine!r} called", key, ("model", "engine", *known), where)
        known[key].check(value, f"{where}: {name}.{key}")
    if not model.model:
        raise UserError(f"{where}: {name}.model: is empty")
    if "max_cost" in given and not {price.name for price in PRICES} <= {*given}:
        raise UserError(
            f"{where}: {name}: max_cost needs the prices: prompt_price and completion_price, in dollars "
            f"for a million tokens"
        )
    spec.check(name, given, where)


def check_task(ref: ModelRef, task: Task, where: str) -> None:
    """Raise ``UserError`` unless the model's engine serves the task and can run on this machine."""
    spec = engine_of(ref)
    if task not in spec.tasks:
        able = [name for name in engine_names() if task in find_engine(name).tasks]
        raise UserError(
            f"{where}: the engine {ref.engine!r} of the model {ref.name!r} can't do this (task {task!r}); "
            f"these can: {', '.join(able)}"
        )
    spec.installed()


def resolve_model(name: str, model: Model, folder: Path = Path()) -> ModelRef:
    """Return the model that a recipe's entry means. Loads nothing.

    The settings ``identity``, ``extra_body`` (sent with every request), ``send_reasoning`` (another text is sent) and
    ``chat_template`` change the identity.

    Args:
        name: The model's name in the recipe.
        model: Its entry, checked.
        folder: The folder that paths in the recipe are relative to.

    Raises:
        UserError: The entry looks like a path, and nothing is there; or its chat template is none.
    """
    ref = find_engine(model.engine).resolve(name, model, folder)
    given, extra = ref.setting("identity"), ref.setting("extra_body")
    more = f"+{fingerprint(extra)[:8]}" if extra else ""
    more += "+reasoning" if ref.setting("send_reasoning") else ""
    return with_template(replace(ref, identity=(given or ref.identity) + more), folder)
