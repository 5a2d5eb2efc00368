"""A finished evaluation, as Python code and notebooks see it."""

from dataclasses import dataclass

import polars as pl

from curate.api.display import html_table, shown
from curate.storage.stage import Stage
from schemas.errors import UserError, short_repr, unknown
from train.evaluating.behaviour import behaviour, damage_warnings
from train.evaluating.benchmark_comparison import compare_benchmarks
from train.evaluating.breakdown import break_down
from train.evaluating.changed import changed_counts, changed_examples
from train.evaluating.comparison import compare_models
from train.evaluating.groups import check_keys
from train.evaluating.own_rows import scored_rows
from train.evaluating.paired_values import evaluation_rows
from train.evaluating.retention_changes import retention_changes
from train.evaluating.samples import best_of_k
from train.evaluating.shown import shown_keys
from train.evaluating.win_rate import win_rates


@dataclass(frozen=True, repr=False)
class EvaluationResult:
    """A finished evaluation.

    Attributes:
        stage: The stage with the table ``evaluations``.
        benchmark_stages: The stages of the benchmarks that were run, each with such a table.
    """

    stage: Stage
    benchmark_stages: tuple[Stage, ...] = ()

    @property
    def comparison(self) -> pl.DataFrame:
        """The models' means, and their differences to the first model with 95% intervals (``compare_models``)."""
        return compare_models(self.stage)

    @property
    def benchmarks(self) -> pl.DataFrame:
        """The models' means in benchmarks of others, beside the harness's figures (``compare_benchmarks``)."""
        return compare_benchmarks(self.benchmark_stages)

    @property
    def win_rates(self) -> pl.DataFrame:
        """How often each model's answers win against the first one's, as ``evaluate.judge`` sees it (``win_rates``)."""
        return win_rates(evaluation_rows(self.stage))

    @property
    def samples(self) -> pl.DataFrame:
        """Pass@k, or the best of k answers, of an evaluation with several answers to each prompt (``best_of_k``)."""
        return best_of_k(evaluation_rows(self.stage))

    @property
    def changes(self) -> pl.DataFrame:
        """How many prompts each model answers better and worse than the first one (``changed_counts``)."""
        return changed_counts(evaluation_rows(self.stage))

    def breakdown(self, by: list[str] | str | None = None) -> pl.DataFrame:
        """Return the comparison within groups of prompts (``train.evaluating.breakdown.break_down``).

        Args:
            by: ``source``, ``length`` (thirds) or ``metadata.KEY``, one or several; None for what the recipe says, or
                where it says nothing for what is found.

        Raises:
            UserError: A key is unknown, or no prompt has it.
        """
        keys = shown_keys(self.stage) if by is None else [by] if isinstance(by, str) else by
        rows = evaluation_rows(self.stage)
        check_keys(keys or (), "breakdown", rows.unique("prompt_id", maintain_order=True))
        return break_down(rows, keys)

    def examples(self, count: int = 3, scorer: str | None = None) -> pl.DataFrame:
        """Return answers beside the first model's where the verdict changed (``changed_examples``).

        Args:
            count: The most of each split, model and direction. A hash of the recipe's seed and the prompt chooses.
            scorer: The scorer whose verdict changed: the first by default; ``judge/win_rate`` is the judge's.

        Raises:
            UserError: The evaluation has no such scorer, or ``count`` is no count.
        """
        rows = evaluation_rows(self.stage)
        if scorer is not None and scorer not in rows["scorer"]:
            raise unknown("scorer of the evaluation called", scorer, rows["scorer"].unique())
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise UserError(f"count: expected a whole number, at least 0, found {short_repr(count)}")
        return changed_examples(rows, self.stage.manifest["what"].get("seed", 0), count, scorer)

    @property
    def answers(self) -> pl.DataFrame:
        """Every answer with its score: the rows of ``evaluations`` that the recipe's scorers made."""
        return scored_rows(self.stage.read("evaluations"))

    @property
    def behaviour(self) -> pl.DataFrame:
        """How the models answer: length, what is cut off, how many answers differ (``train.evaluating.behaviour``)."""
        return behaviour(self.stage)

    @property
    def retention(self) -> pl.DataFrame:
        """The perplexities on general texts, and their changes to the start model's (``retention_changes``)."""
        return retention_changes(self.stage)

    @property
    def warnings(self) -> pl.DataFrame:
        """The signs of damage or of a gamed reward, by model and split (``damage_warnings``)."""
        return damage_warnings(self.stage)

    def __repr__(self) -> str:
        """Return the comparison."""
        return f"EvaluationResult\n{shown(self.comparison)}"

    def _repr_html_(self) -> str:
        """Return the comparison as a table, for a notebook."""
        return html_table("Held-out prompts, the same scorers for every model", self.comparison)
