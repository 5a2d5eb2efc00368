"""The rule of ``decontaminate``: which rows a benchmark holds too, read from a recipe and applied to texts.

There are three rules, each for the rows that those before it let pass: ``exact`` (equal words), ``n-grams``
(``curate.algorithms.overlap``) and, where the recipe gives ``semantic`` a cosine, ``semantic``: the embedding of the
row is that near to a benchmark row's.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.overlap.benchmark_index import SHARES, BenchmarkIndex, check_overlap_settings, make_index
from curate.algorithms.overlap.benchmark_overlap import find_benchmark_overlaps
from curate.algorithms.text.levels import Level
from curate.algorithms.vectors.neighbours import nearest, unit
from curate.models.embeddings import check_embedder, embed, embedding_identity
from curate.models.model_ref import ModelRef
from curate.pipeline.row_rule import EMBEDDER
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext
from curate.sources.benchmarks import read_benchmarks
from curate.sources.reference_data import ReferenceData
from schemas.errors import UserError, unknown

DEFAULTS = {"ngram": 8, "match": 0.5, "share_of": SHARES[0]}
LEVELS = {"nfkc": True, "ignore_case": True, "ignore_punctuation": True, "ignore_indents": True}
SETTINGS = ("against", *DEFAULTS, *LEVELS, "semantic", "model", "on")


class SemanticRule(NamedTuple):
    """The rule by embeddings.

    Attributes:
        least_cosine: From which cosine on a text matches a benchmark's row.
        embed: Returns the unit vectors of texts.
        vectors: The benchmark's vectors, those without a direction left out.
        rows: The benchmark's row of each vector.
    """

    least_cosine: float
    embed: Callable[[pl.Series], pl.Series]
    vectors: np.ndarray
    rows: np.ndarray


class OverlapRule(NamedTuple):
    """What a row is compared with, and how.

    Attributes:
        benchmark: The rows to compare with.
        settings: The settings of the n-grams.
        level: How texts are levelled.
        least_cosine: From which cosine on a row matches by its embedding; None without that rule.
        model: The embedding model.
    """

    benchmark: ReferenceData
    settings: dict[str, Any]
    level: Level
    least_cosine: float | None
    model: ModelRef | None

    def key(self) -> dict[str, Any]:
        """Return what decisions by the rule depend on beside the texts."""
        return {
            "settings": self.settings,
            "level": self.level,
            "semantic": self.least_cosine,
            "model": embedding_identity(self.model) if self.model else "",
            "against": self.benchmark.content,
        }

    def prepare(self, run: RunContext) -> tuple[BenchmarkIndex, SemanticRule | None]:
        """Return the index of the benchmark's rows, and the rule by embeddings, if there is one."""
        index, model = make_index(self.benchmark.rows["text"], **self.settings, level=self.level), self.model
        if self.least_cosine is None or model is None:
            return index, None
        texts = self.benchmark.rows["text"]
        return index, semantic_rule(texts, self.least_cosine, lambda some: embed(some, model, run.store, run.progress))


def read_overlap_rule(state: RunState, given: dict[str, Any], where: str) -> OverlapRule:
    """Return the rule that a recipe gives.

    Args:
        state: The run's state.
        given: The settings; which column is compared (``on``) is the caller's.
        where: The recipe's file and line, for errors.

    Raises:
        UserError: A setting is wrong, or the benchmark cannot be read.
    """
    for name in given:
        if name not in SETTINGS:
            raise unknown("setting of decontaminate called", name, SETTINGS, where)
    if "against" not in given:
        raise UserError(f"{where}: decontaminate: needs 'against': a benchmark's name, a file, or a list of them")
    settings = {name: given.get(name, default) for name, default in DEFAULTS.items()}
    try:
        check_overlap_settings(**settings)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    level = _level(given, where)
    least_cosine, model = _semantic_settings(state, given, where)
    benchmark = read_benchmarks(given["against"], state.recipe.path.parent, state.store.path, where)
    return OverlapRule(benchmark, settings, level, least_cosine, model)


def _level(settings: dict[str, Any], where: str) -> Level:
    """Return how the texts are levelled."""
    given = {name: settings.get(name, default) for name, default in LEVELS.items()}
    for name, value in given.items():
        if not isinstance(value, bool):
            raise UserError(f"{where}: decontaminate: {name}: expected true or false, found {value!r}")
    return Level(
        forms=given["nfkc"],
        case=given["ignore_case"],
        punctuation=given["ignore_punctuation"],
        indents=not given["ignore_indents"],
    )


def _semantic_settings(state: RunState, settings: dict[str, Any], where: str) -> tuple[float | None, ModelRef | None]:
    """Return the least cosine and the embedding model of the semantic rule; both None where there is none."""
    at, name = settings.get("semantic"), settings.get("model", EMBEDDER)
    if at is None:
        if "model" in settings:
            raise UserError(f"{where}: decontaminate: model: is for the rule 'semantic'; set that too: semantic: 0.9")
        return None, None
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 < at <= 1:
        raise UserError(f"{where}: decontaminate: semantic: expected a cosine above 0 and at most 1, found {at!r}")
    if not isinstance(name, str):
        raise UserError(f"{where}: decontaminate: model: expected the name of a model, found {name!r}")
    model = state.model(name, where)
    check_embedder(model, where)
    return float(at), model


def find_overlaps(text: pl.Series, index: BenchmarkIndex, rule: SemanticRule | None) -> pl.DataFrame:
    """Return the overlap of each text, and its ``similarity`` where embeddings found it."""
    found = find_benchmark_overlaps(text, index).with_columns(similarity=pl.lit(None, pl.Float64))
    if rule is None or not len(rule.rows):
        return found
    unmatched = (found["matched"].is_null() & (text.str.strip_chars().fill_null("") != "")).arg_true()
    if not len(unmatched):
        return found
    hit, which, cosine = nearest_rows(rule, rule.embed(text.gather(unmatched)))
    at = unmatched.gather(hit)
    return found.with_columns(
        matched=found["matched"].scatter(at, which),
        how=found["how"].scatter(at, "semantic"),
        similarity=found["similarity"].scatter(at, cosine),
    )


def nearest_rows(rule: SemanticRule, embedding: pl.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which embeddings are near enough to a benchmark row's, which row is the nearest, and their cosine."""
    vectors, usable = unit(embedding)
    known = len(rule.rows)
    both = np.concatenate((rule.vectors, np.where(usable[:, None], vectors, np.float32("nan"))))
    position, cosine = nearest(both, np.arange(known), np.arange(known, len(both)))
    hit = np.flatnonzero(cosine >= rule.least_cosine)  # what has no direction has a cosine of NaN, which is not
    return hit, rule.rows[position[hit]], cosine[hit].astype(np.float64)


def semantic_rule(text: pl.Series, least_cosine: float, embed: Callable[[pl.Series], pl.Series]) -> SemanticRule:
    """Embed a benchmark's texts; blank ones, and those whose vector has no direction, are left out."""
    some = (text.str.strip_chars().fill_null("") != "").arg_true()
    if not len(some):
        return SemanticRule(least_cosine, embed, np.zeros((0, 0), np.float32), np.zeros(0, np.int64))
    vectors, usable = unit(embed(text.gather(some)))
    return SemanticRule(least_cosine, embed, vectors[usable], some.to_numpy().astype(np.int64)[usable])
