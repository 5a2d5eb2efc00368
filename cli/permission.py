"""Asks whether code that a recipe brings along may run, and shows what a recipe does to the outside."""

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cli.terminal import say
from curate.steps.own_code import OwnCode, allow, not_allowed, require
from schemas.trained_models import trainings_named

if TYPE_CHECKING:
    from schemas.recipe import Recipe

FILES_SHOWN = 20


def permit(recipe: "Recipe", allow_code: bool) -> None:
    """Make sure that the code that a recipe has run is allowed; on a terminal the user is asked.

    Args:
        recipe: The recipe.
        allow_code: Whether ``--allow-code`` is given: the code is allowed, and remembered.

    Raises:
        UserError: It is not allowed; the message names the first of it.
    """
    from curate.api.recipe_code import code_of

    _permit(not_allowed(code_of(recipe)), allow_code)


def permit_check(recipe: "Recipe", allow_code: bool) -> None:
    """Print what a recipe runs, reads, fetches and sends; then make sure that its code is allowed, as ``permit`` does.

    Where the code is not allowed, all else is checked first. None of the code is run for that.

    Raises:
        UserError: There is a mistake in the recipe, or its code is not allowed.
    """
    from curate.api.recipe_code import code_of

    codes = code_of(recipe)
    refused = not_allowed(codes)
    _show_effects(recipe, codes, refused)
    if refused and not allow_code and not _is_asked():
        _check_rest(recipe, refused)
    _permit(refused, allow_code)


def _permit(refused: list[OwnCode], allow_code: bool) -> None:
    if refused and (allow_code or (_is_asked() and _says_yes(refused))):
        allow(refused)
        if allow_code:
            say(f"allowed, until it changes: {'; '.join(map(str, refused))}", err=True)
        return
    require(refused)


def _show_effects(recipe: "Recipe", codes: list[OwnCode], refused: list[OwnCode]) -> None:
    from curate.api.recipe_effects import RUNS, effects_of

    lines = [(RUNS, f"{one}{', not allowed yet: --allow-code' if one in refused else ''}") for one in codes]
    say(f"{recipe.path}, what it does beside writing to the store:")
    for kind, what in [*lines, *effects_of(recipe)] or [("runs", "nothing of its own; it reads and sends nothing")]:
        say(f"  {kind:<8} {' '.join(what.split())}")


def _check_rest(recipe: "Recipe", refused: list[OwnCode]) -> None:
    """Check of a recipe what can be checked without running its code: the steps above, and the trainings.

    Raises:
        UserError: There is a mistake in that.
    """
    from curate.api.recipe_code import code_of
    from curate.api.run import plan
    from curate.steps.own_code import CodeNotAllowed
    from train.plan import check_training_sections

    above = _above_own_code(recipe)
    with suppress(CodeNotAllowed):
        if not not_allowed(code_of(above)):
            plan(above)
    if all(one.name.endswith(".py") for one in refused):
        with suppress(CodeNotAllowed):
            check_training_sections(recipe)


def _above_own_code(recipe: "Recipe") -> "Recipe":
    """Return a recipe's steps above the first one of the user's own, and nothing below."""
    steps: dict[str, list] = {"prompts": [], "completions": []}
    for section, kept in steps.items():
        for step in getattr(recipe, section):
            if "." in (step.use or "") or trainings_named(recipe, step):
                return recipe.model_copy(update={**steps, "datasets": {}, "train": {}, "evaluate": None})
            kept.append(step)
    return recipe.model_copy(update={"datasets": {}, "train": {}, "evaluate": None})


def _is_asked() -> bool:
    """Return whether somebody sits at a terminal and can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")


def _says_yes(codes: list[OwnCode]) -> bool:
    """Ask whether code may run; return whether the answer is yes."""
    for one in codes:
        say(f"the recipe runs {one}", err=True)
        for file in one.files[1:FILES_SHOWN]:
            say(f"  {os.path.relpath(file)}", err=True)
        if len(one.files) > FILES_SHOWN:
            say(f"  and {len(one.files) - FILES_SHOWN} more", err=True)
    say("It can do all that you can do on this machine. Run it? [y/N] ", err=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
