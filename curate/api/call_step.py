"""Call one step on lists or a frame, without a recipe or a store: ``call_step("score", "length", ["one two"])``.

A step's module does the same: ``from curate.score import length``, then ``length(["one two"])``. Settings are checked
as in a recipe. A step that calls models takes them from ``models``, written as in a recipe.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from curate.api.step_columns import TYPES, split_arguments
from curate.datasets.selection_rule import score_is_optional
from curate.models.failures import Failures
from curate.models.gateway import Gateway
from curate.models.scorer_requests import ScorerRequests
from curate.pipeline.row_rule import RowRule, read_columns, read_row_rule
from curate.pipeline.run_state import RunState, recipe_model
from curate.pipeline.scorer import no_model_calls, read_scorer
from curate.pipeline.source_reader import SourceReader
from curate.pipeline.stage_spec import RunContext
from curate.steps.find_step import Step, find_step
from curate.storage.store import Store
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.load_recipe import load_recipe
from schemas.progress import Progress
from schemas.recipe import Recipe

KINDS = ("score", "dedup", "select")
# The columns of a decision about each row, by what a step makes.
DECIDES = {
    "dedup": ("duplicate_of", "similarity", "via"),
    "select": ("kept", "reason", "evidence"),
    "subset": ("kept", "nearest", "similarity", "cluster"),
}


def call_step(
    kind: str,
    name: str,
    *columns: Any,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **more: Any,
) -> pl.DataFrame:
    """Call a step.

    Args:
        kind: ``score``, ``dedup`` or ``select``.
        name: The step's name, as in a recipe; with a dot, a step of your own.
        columns: A frame or a mapping with the columns that the step reads; or these columns as lists, Polars Series or
            arrays, in the order of the step's parameters. Lists and mappings in a text column become JSON text.
            The data of ``against`` are compared by their column ``on``, or by their prompts.
        models: Models by name, as in a recipe's section ``models``, for a step that calls one. Built-in models and
            the sandbox need no entry.
        seed: The seed of a step that draws.
        progress: Shows how far model calls are, and what the step says of all rows together.
        more: Further columns by name, and the step's settings.

    Returns:
        A row for each row given. For a scorer: ``value``, ``error`` (why there is no value) and ``detail``. For a dedup
        step: ``kept``, ``duplicate_of`` (a row number) and ``similarity``; with ``against``, ``duplicate_of_known`` is
        a row number in that data. For a select step: ``kept``, and why. A select step that makes pairs returns a row
        for each pair: the ids, or row numbers as text where no ``completion_id`` is given.

    Raises:
        UserError: The step, a setting, a column or a model is unknown or wrong.
        Failed: A model answers no request.
    """
    if kind not in KINDS:
        raise unknown("kind of step to call", str(kind), KINDS)
    place = f"{kind}.{name}"
    step = find_step(kind, str(name), place)
    rows, settings = split_arguments(step, columns, more, place)
    recipe = _recipe_of_call(models, seed)
    with tempfile.TemporaryDirectory(prefix="gristmill-") as folder:
        run = RunContext(Store(folder), progress or Progress())
        call = _score if kind == "score" else _choose
        try:
            return call(recipe, step, rows, settings, run, place)
        except pl.exceptions.PolarsError as error:  # such as a column of another type than the step reads
            raise UserError(f"{place}: {str(error).splitlines()[0]}") from error


def _recipe_of_call(models: Mapping[str, Any] | None, seed: int) -> Recipe:
    """Return a recipe with these models and this seed, checked as any recipe is."""
    if models is not None and not isinstance(models, Mapping):
        raise UserError(f"models: expected a mapping of names to models, found {models!r:.80}")
    return load_recipe({"name": "call", "seed": seed, "models": models or {}, "prompts": [{"source": "none"}]})


def _score(
    recipe: Recipe, step: Step, rows: pl.DataFrame, settings: dict[str, Any], run: RunContext, place: str
) -> pl.DataFrame:
    """Score rows. A column that is not given is null, but for those that no scorer can do without."""
    if "score" in step.columns and "by" not in settings:
        settings = {"by": "score", **settings}
    for name in ("response", "prompt_id", "score"):
        wanted = settings["by"] if name == "score" and "score" in step.columns else name
        if name in step.columns and wanted not in rows.columns:
            raise UserError(f"{place}: needs the column {wanted!r}; found {', '.join(rows.columns) or 'none'}")
    absent = [name for name in step.columns if name not in rows.columns and name in TYPES and name != "score"]
    rows = rows.with_columns(pl.lit(None, TYPES[name]).alias(name) for name in absent)
    scorer = read_scorer(
        recipes.Step(verb="score", use=step.name, settings=settings),
        dict(rows.schema),
        place,
        recipe.seed,
        lambda name, where: recipe_model(recipe, name, where),
    )
    if scorer.calls_models:
        refs = {ref.name: ref for ref, _ in scorer.models or ()}
        with Gateway(run.store, run.progress) as gateway:
            calls = ScorerRequests(gateway, refs.__getitem__, recipe.seed, label=place, failures=Failures(place, 0))
            scores = scorer.values(rows, calls.answer)
    else:
        scores = scorer.values(rows, no_model_calls)
    for note in scores["note"].drop_nulls().unique():
        run.progress.say(f"{place}: {note}")
    return scores.drop("note")


def _choose(
    recipe: Recipe, step: Step, rows: pl.DataFrame, settings: dict[str, Any], run: RunContext, place: str
) -> pl.DataFrame:
    """Call a dedup or select step. Texts are embedded or sketched where the step needs that and it is not given."""
    by = settings.get("by", "score" if "score" in rows.columns else None)
    if by is not None and "score" in step.reads and (step.kind == "select" or settings.get("keep") == "best"):
        settings = {**settings, "by": by}
    if "against" in settings and "on" not in settings and "text" in rows.columns:
        rows = rows.drop("prompt", strict=False).rename({"text": "prompt"})  # the column of that data to compare with
    compared = next((name for name in ("text", "response", "prompt") if name in rows.columns), "text")
    rule = read_row_rule(RunState(recipe, run.store, SourceReader()), step.kind, step.name, settings, place, compared)
    given = {name: rows[name] for name in step.reads if name in rows.columns}
    if "embedding" in given:
        rule = replace(rule, embedder=None)
        given.setdefault("text", pl.Series("text", range(rows.height)).cast(pl.String))  # no row counts as blank
    if "completion_id" in step.reads:
        given.setdefault("completion_id", pl.Series("completion_id", range(rows.height)).cast(pl.String))
    _check_columns(rule, rows, given, settings, place)
    columns = _columns_of_rule(run, rule, rows, given)
    if step.makes == "pair":
        return step.call(columns, rule.settings)
    table, note = step.decide(columns, rule.settings, DECIDES[step.makes])
    if note:
        run.progress.say(f"{place}: {note}")
    return _duplicates(table, rule) if step.kind == "dedup" else table


def _check_columns(
    rule: RowRule, rows: pl.DataFrame, given: dict[str, pl.Series], settings: dict[str, Any], place: str
) -> None:
    """Raise ``UserError`` for a column that the call must give and does not."""
    if rule.reference and "embedding" in given:
        raise UserError(f"{place}: against: that data is embedded too, so give texts in place of embeddings")
    step, made = rule.step, ("text", "embedding", "sketch", "known", "score")
    if step.makes in ("select", "pair") and "score" in step.reads and not score_is_optional(step, rule.settings):
        needed = [rule.by or "score"]
    else:
        needed = [rule.by] if rule.by else []
    if rule.embedder or rule.reference or ("text" in step.reads and "text" not in given):
        asks_vectors = rule.embedder and rule.on == "text" and "text" not in rows.columns
        needed.append("embedding" if asks_vectors else rule.on)
    if "on" in settings:
        needed.append(rule.on)
    needed += [name for name in step.reads if name not in made]
    if "known" in given:
        raise UserError(f"{place}: known: name the other data with against=, or put their rows first")
    for name in needed:
        if name not in rows.columns and name not in given:
            raise UserError(f"{place}: needs the column {name!r}; found {', '.join(rows.columns) or 'none'}")


def _columns_of_rule(
    run: RunContext, rule: RowRule, rows: pl.DataFrame, given: dict[str, pl.Series]
) -> dict[str, pl.Series]:
    """Return the columns that a rule's step reads: those of ``read_columns``, and those that the caller gives."""
    texts = rows[rule.on] if rule.on in rows.columns else given.get("text", pl.Series("text", [None] * rows.height))
    made = read_columns(run, rule, texts.cast(pl.String), rows[rule.by] if rule.by else None)
    return given | made


def _duplicates(table: pl.DataFrame, rule: RowRule) -> pl.DataFrame:
    """Return what a dedup step says of the caller's rows; the rows of reference data come before them."""
    before = rule.reference.rows.height if rule.reference else 0
    number, via = pl.col("duplicate_of").cast(pl.Int64), pl.col("via").cast(pl.Int64)
    of_known = pl.when(number < before).then(number).alias("duplicate_of_known")
    return table[before:].select(
        number.is_null().alias("kept"),
        pl.when(number >= before).then(number - before).alias("duplicate_of"),
        *([of_known] if rule.reference else []),
        "similarity",
        pl.when(via >= before).then(via - before).alias("via"),
    )
