"""``Comparison``: the result of ``train.compare``, with its tables, its drawing and its Markdown."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curate.api.display import html_table, shown
from curate.storage.stage import Stage
from train.arms.sentences import sentences

SVG, PNG, TEXT = "comparison.svg", "comparison.png", "comparison.md"
PARTS = ("split", "scorer", "arm", "versus", "difference", "low", "high", "p_holm", "new_low", "new_high", "verdict")


@dataclass(frozen=True, repr=False)
class Comparison:
    """A finished comparison.

    Attributes:
        stage: The stage with the table ``comparisons``.
    """

    stage: Stage

    @property
    def rows(self) -> pl.DataFrame:
        """The rows of the table ``comparisons``: each pair over all seeds (``seed`` is null), and on each seed."""
        return self.stage.read("comparisons")

    @property
    def verdicts(self) -> pl.DataFrame:
        """A row for each pair, split and scorer: the difference over seeds, its intervals, and the verdict."""
        return self.rows.filter(pl.col("seed").is_null()).drop("seed", "training_id", "versus_training_id")

    @property
    def seeds(self) -> pl.DataFrame:
        """A row for each pair, split, scorer and seed: the difference, and the trainings that it is of."""
        columns = ["split", "scorer", "arm", "versus", "seed", "mean", "versus_mean", "difference", "prompts", "steps",
                   "versus_steps", "tokens", "versus_tokens", "training_id", "versus_training_id"]  # fmt: skip
        return self.rows.filter(pl.col("seed").is_not_null()).select(columns)

    @property
    def sentences(self) -> list[str]:
        """The verdicts in words, one for each pair, split and scorer."""
        return sentences(self.rows)

    @property
    def of_arms(self) -> list[str]:
        """Those of pairs of arms, without the differences to the start model."""
        return sentences(self.rows, starts=False)

    @property
    def warnings(self) -> list[str]:
        """The signs of damage or of a gamed reward that the arms show, a line each."""
        return self.stage.warnings

    @property
    def markdown(self) -> str:
        """The comparison as Markdown, for a paper or a pull request."""
        return self.stage.text(TEXT) or ""

    @property
    def drawing(self) -> Path:
        """The picture (SVG) of all differences."""
        return self.stage.folder(SVG)

    @property
    def picture(self) -> Path | None:
        """The same picture as PNG; None where the extra ``png`` is not installed."""
        path = self.stage.folder(PNG)
        return path if path.exists() else None

    def __repr__(self) -> str:
        """Return the verdicts, as a table and in words."""
        table = self.verdicts.select(PARTS)
        return "\n".join(["Comparison", shown(table), *self.of_arms, *self.warnings])

    def _repr_html_(self) -> str:
        """Return the verdicts as a table with the drawing, for a notebook."""
        from html import escape

        from schemas.errors import printable

        said = "".join(f"<p>{escape(printable(line))}</p>" for line in (*self.of_arms, *self.warnings))
        picture = self.stage.text(SVG) or ""
        return html_table("Arms over seeds, on held-out prompts", self.verdicts.select(PARTS)) + picture + said
