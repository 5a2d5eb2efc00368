"""The recipes that come with gristmill: their names and what each does, and copying one to start from."""

from pathlib import Path

RECIPES = Path(__file__).parent / "recipes"


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes, sorted."""
    return sorted(file.stem for file in RECIPES.glob("*.yaml"))


def recipe_summary(name: str) -> str:
    """Return what a shipped recipe does: the comment in its first line."""
    with open(RECIPES / f"{name}.yaml", encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def recipe_list() -> str:
    """Return the shipped recipes, one a line, with what each does."""
    return "\n".join(f"  {name:<11} {recipe_summary(name)}" for name in recipe_names())


def copy_recipe(name: str, folder: Path) -> list[Path]:
    """Copy a shipped recipe, and the files that its sources and its models' ``chat_template`` name, into a folder.

    Args:
        name: The recipe's name.
        folder: The folder; it is made if it is not there.

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
    recipe = load_recipe(shipped)
    paths = [str(step.settings["path"]) for step in recipe.prompts if step.verb == "source"]
    paths += [str(model.settings.get("chat_template", "")) for model in recipe.models.values()]
    names = [shipped.name, *(p for p in paths if (RECIPES / p).is_file())]
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; --folder takes a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for file in names:
        target = folder / file
        if target.exists() and target.read_bytes() != (RECIPES / file).read_bytes():
            raise UserError(f"{target} exists and differs from the shipped one; remove it, or name another --folder")
    for file in names:
        (folder / file).write_bytes((RECIPES / file).read_bytes())
    return [folder / file for file in names]
