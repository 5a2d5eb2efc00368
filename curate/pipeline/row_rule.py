"""A ``dedup`` or ``select`` step as a recipe asks for it: checked, with all it reads beside the rows themselves.

What belongs to the recipe and not to the step: ``on`` (the column that is compared), ``by`` (the score a step goes by),
``model`` (what embeds the column), ``against`` (other data, for ``dedup``).
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.models.embeddings import check_embedder, embed, embedding_identity
from curate.models.model_ref import ModelRef
from curate.pipeline.pipeline import Walk
from curate.sources.reference_data import ReferenceData, read_reference_data
from curate.steps.registry import Step, find_step, sketcher
from curate.storage.store import slug
from curate.storage.text_cache import cached_by_text
from schemas.errors import UserError
from schemas.ids import fingerprint

EMBEDDER = "minilm"
OF_RULES = ("embedding", "text", "score")  # columns that stand for others, which the recipe names
SHARD = 20_000  # sketches a file


@dataclass(frozen=True)
class RowRule:
    """A step named in a recipe, with its checked settings."""

    step: Step
    settings: dict[str, Any]
    on: str = ""
    by: str | None = None
    embedder: ModelRef | None = None
    other: ReferenceData | None = None

    def key(self) -> list[Any]:
        """What a stage that applies the rule depends on."""
        return [
            self.step.name,
            self.settings,
            self.step.source,
            self.on,
            self.by,
            embedding_identity(self.embedder) if self.embedder else "",
            self.other.content if self.other else "",
        ]


def read_row_rule(walk: Walk, kind: str, use: str, given: dict[str, Any], where: str, on: str, of: str = "") -> RowRule:
    """Read what a recipe says of a step; ``on`` is the column where it says none. Raises ``UserError``.

    ``of`` is the type of the dataset whose rows the step is for, if it is for one's.
    """
    step, given = find_step(kind, use, where), dict(given)
    own = {"on": on, "by": None, "model": EMBEDDER, "against": None}
    read = {"on": True, "by": "score" in step.reads, "model": "embedding" in step.reads, "against": kind == "dedup"}
    for key in own:
        if read[key] and key not in step.defaults:
            own[key] = given.pop(key, own[key])
    for key in ("by", "model"):
        if not isinstance(own[key], str | None):
            raise UserError(f"{where}: {kind} {step.name!r}: {key}: expected a name, found {own[key]!r}")
    settings = step.settings(given, where, walk.recipe.seed)
    if settings.get("keep") == "best" and own["by"] is None:
        raise UserError(f"{where}: {kind} {step.name!r}: keep: best goes by a score; name it with 'by'")
    if kind == "dedup" and own["by"] is not None and settings.get("keep", "best") != "best":
        raise UserError(f"{where}: dedup {step.name!r}: 'by' is for keep: best; found keep: {settings['keep']}")
    embedder = walk.model(own["model"], where) if read["model"] else None
    if embedder:
        check_embedder(embedder, where)
    other = None
    if own["against"] is not None:
        if "known" not in step.reads:
            raise UserError(f"{where}: dedup {step.name!r} takes no 'against': it reads no column 'known'")
        other = read_reference_data(own["against"], own["on"], walk.recipe.path.parent, walk.store.path, where, of)
    return RowRule(step, settings, own["on"], own["by"], embedder, other)


def read_columns(walk: Walk, rule: RowRule, texts: pl.Series, score: pl.Series | None) -> dict[str, pl.Series]:
    """The columns a rule's step reads, those of other data first: of the texts and the score of the rows at hand."""
    before = 0
    if rule.other:
        before = rule.other.rows.height
        texts = pl.concat([rule.other.rows["text"], texts.rename("text")], rechunk=False)
    rows, reads, columns = len(texts), rule.step.reads, {"text": texts}
    if "known" in reads:
        columns["known"] = pl.select(known=pl.int_range(rows) < before).to_series()
    if "score" in reads:
        own = pl.Series([None], dtype=pl.Float64).new_from_index(0, rows - before) if score is None else score
        above = pl.Series([None], dtype=pl.Float64).new_from_index(0, before)
        columns["score"] = pl.concat([above, own.cast(pl.Float64).fill_nan(None)]).rename("score")
    if rule.embedder:
        columns["embedding"] = embed(texts, rule.embedder, walk.store, walk.progress)
    if "sketch" in reads:
        columns["sketch"] = _sketches(walk, rule, texts)
    return {name: column for name, column in columns.items() if name in reads}


def _sketches(walk: Walk, rule: RowRule, texts: pl.Series) -> pl.Series:
    """Sketches kept by text where rows are compared with other data, so that a set that grows is sketched once."""
    if not rule.other:
        return pl.Series([None], dtype=pl.Null).new_from_index(0, len(texts))
    sketch, settings = sketcher(rule.step, rule.settings)
    folder = walk.store.path / "sketches" / f"{slug(rule.step.name)}-{fingerprint([rule.step.source, settings])[:12]}"
    return cached_by_text(
        texts,
        folder,
        lambda part: sketch(part, **settings).to_numpy(),
        SHARD,
        walk.progress,
        f"sketch ({rule.step.name})",
    )
