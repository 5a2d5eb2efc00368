"""Arguments that name something else than they should: data or a store in place of a recipe, a recipe for a store."""

from pathlib import Path

DATA = (".jsonl", ".ndjson", ".jsonlines", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".gz", ".zst")
RECIPE = (".yaml", ".yml")


def check_recipe_path(path: Path) -> None:
    """Raise ``UserError`` where a path is no recipe's, and it can be told what is meant."""
    from curate.storage.marker import is_store
    from schemas.errors import UserError

    if path.is_file() and path.suffix in DATA:
        raise UserError(
            f"{path}: is data; expected a recipe (YAML), which names the data as '- source: {path.name}'; 'gristmill "
            f"init train {path}' writes one"
        )
    if path.is_dir() and is_store(path):
        raise UserError(f"{path}: is a store; expected a recipe's file, and the store after --store")
    if not path.exists():
        _check_names(path)


def check_store_path(path: Path) -> None:
    """Raise ``UserError`` where a recipe or an address such as s3://... is given as the store."""
    from curate.storage.marker import store_path
    from schemas.errors import UserError

    store_path(path)
    if path.is_file() and path.suffix in RECIPE:
        raise UserError(f"{path}: is a recipe; --store takes the folder that its run wrote, 'store' by default")


def _check_names(path: Path) -> None:
    """Raise ``UserError`` for a path that is not there, where a shipped recipe or another folder has its name."""
    from cli.shipped_recipes import recipe_names
    from schemas.errors import UserError, nearest

    if path.suffix in ("", *RECIPE) and path.stem in recipe_names():
        there = next((one for one in (path.with_suffix(ending) for ending in RECIPE) if one.is_file()), None)
        meant = f"did you mean {str(there)!r}?" if there else f"'gristmill init {path.stem}' copies the shipped one"
        raise UserError(f"{path}: no such recipe; {meant}")
    if not path.parent.is_dir():
        names = [str(one) for folder in (".", "*") for ending in RECIPE for one in Path().glob(f"{folder}/*{ending}")]
        same = next((name for name in names if Path(name).name == path.name), None)
        meant = f"; did you mean {same!r}?" if same else nearest(str(path), names)
        raise UserError(f"{path}: no such recipe, nor the folder {str(path.parent)!r}{meant}")
