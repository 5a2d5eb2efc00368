"""The recipes that come with gristmill: their names and what each does, and copying one to start from."""

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

RECIPES = Path(__file__).parent / "recipes"
TOPICS = {
    "To begin with": ("demo", "instructions", "sft", "best_of_k", "constraints"),
    "Preferences and rewards": (
        *("pairs", "thumbs", "identity", "preferences", "feedback"),
        *("math", "sums", "programs", "short", "ppo"),
    ),
    "Teachers, traces and rounds": ("distill", "on_policy", "arithmetic", "reasoning", "rounds"),
    "Tool calls and conversations": ("tools", "glaive", "conversations"),
    "Cleaning data": ("clean", "pile", "planted", "noise", "noise_filtered"),
}


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes, sorted."""
    return sorted(file.stem for file in RECIPES.glob("*.yaml"))


def recipe_summary(name: str) -> str:
    """Return what a shipped recipe does: the comment in its first line."""
    with open(RECIPES / f"{name}.yaml", encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def recipe_list(width: int | None = None) -> str:
    """Return the shipped recipes by topic, with what each does: a line each, or lines of at most ``width``."""
    names, lines = recipe_names(), []
    others = [name for name in names if not any(name in listed for listed in TOPICS.values())]
    room = max(map(len, names)) + 3
    for topic, listed in {**TOPICS, "Others": others}.items():
        lines += ["", f"{topic}:"] if listed else []
        for name in listed:
            line = f"  {name:<{room - 3}} {recipe_summary(name)}"
            lines += [line] if width is None else textwrap.wrap(line, width, subsequent_indent=" " * room)
    return "\n".join(lines[1:])


def recipe_epilog() -> str:
    """Return the list for the end of a command's help, whose paragraphs keep their lines."""
    return "\n\n".join(f"\b\n{part}" for part in recipe_list().split("\n\n"))


def copy_recipe(name: str, folder: Path, *, force: bool = False) -> list[Path]:
    """Copy a shipped recipe, and the shipped files that it names, into a folder.

    Args:
        name: The recipe's name.
        folder: The folder; it is made if it is not there.
        force: Whether files that differ from the shipped ones are overwritten.

    Returns:
        The copies, the recipe first.

    Raises:
        UserError: There is no such recipe, or a file would be overwritten that differs from the shipped one.
    """
    from schemas.errors import UserError, unknown
    from schemas.load_recipe import load_recipe

    shipped = RECIPES / f"{name}.yaml"
    if not shipped.exists():
        raise unknown("shipped recipe", name, recipe_names())
    texts = _texts(load_recipe(shipped).model_dump(mode="json", exclude={"path"}))
    files = {file.name for file in RECIPES.iterdir() if file.suffix != ".yaml"}
    names = [shipped.name, *dict.fromkeys(one for one in texts if one in files)]
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is no folder; --folder takes a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [file for file in names if not _is_there(folder / file, file, force=force)]
        for file in missing:
            (folder / file).write_bytes((RECIPES / file).read_bytes())
    except OSError as error:
        raise UserError(f"{error.filename or folder}: can't be written: {error.strerror}") from None
    return [folder / file for file in names]


def _is_there(target: Path, file: str, *, force: bool) -> bool:
    """Return whether a file is there already, also through a link; raise ``UserError`` where something else is.

    With ``force`` another plain file is not there: it is overwritten.
    """
    from schemas.errors import UserError

    if not os.path.lexists(target):
        return False
    what = "a folder" if target.is_dir() else "no plain file"
    if not target.is_file():
        raise UserError(f"{target} exists and is {what}; remove it, or name another --folder")
    if target.read_bytes() != (RECIPES / file).read_bytes():
        if force:
            return False
        raise UserError(f"{target} exists and differs from the shipped one; name another --folder, or add --force")
    return True


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a recipe's values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
