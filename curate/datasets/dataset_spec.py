"""A dataset as a recipe asks for it, checked."""

from dataclasses import dataclass

import polars as pl

from curate.datasets.pairs import PairOptions
from curate.pipeline.overlap_rule import OverlapRule
from curate.pipeline.row_rule import RowRule
from curate.storage.rows import RowSet
from curate.storage.stage import Stage
from schemas.recipe import Dataset, Recipe

NOUNS = {"sft": "rows", "preference": "pairs", "unpaired": "rows", "prompt": "prompts"}


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset of a recipe.

    Attributes:
        recipe: The recipe.
        name: The dataset's name.
        entry: What the recipe says of it.
        label: The label of its stage.
        where: The recipe's file and line, for errors.
        prompts: The prompts that are still in.
        shares_of: The prompts that the shares of splits are shares of.
        completions: The candidates that are still in.
        columns: The columns that its condition may name, with their types.
        by: The score that its rule reads and its rows show, if any.
        rule: The rule that chooses candidates or pairs; None for a dataset of prompts.
        overlap: The rule of its ``decontaminate``, if it has one, and the column that it compares.
        dedup: The rule of its ``dedup``, if it has one.
        diverse: The rule of its ``diverse``, if it has one.
        pair_options: Which pairs any rule may make.
        needs_score: Whether the rule cannot do without the score.
        threshold: Of an unpaired dataset that is labelled by a score, the least score of a good answer.
        control_base: Of a random control, the stage of the dataset it is the control of.
        kept_by_hand: The ids of the candidates (or prompts) that a person keeps.
    """

    recipe: Recipe
    name: str
    entry: Dataset
    label: str
    where: str
    prompts: RowSet
    shares_of: RowSet
    completions: RowSet
    columns: dict[str, pl.DataType]
    by: str | None
    rule: RowRule | None
    overlap: tuple[OverlapRule, str] | None
    dedup: RowRule | None
    diverse: RowRule | None
    pair_options: PairOptions
    needs_score: bool
    threshold: float | None = None
    control_base: Stage | None = None
    kept_by_hand: tuple[str, ...] = ()

    @property
    def selection(self) -> RowRule:
        """The rule that chooses candidates or pairs."""
        if self.rule is None:
            raise AssertionError(f"datasets.{self.name} is of type prompt, which has no rule")
        return self.rule

    @property
    def of_pairs(self) -> bool:
        """Whether the rule makes pairs of candidates, and does not take candidates."""
        return self.selection.step.makes == "pair"

    @property
    def scorers(self) -> list[str]:
        """The names of the candidates' scores."""
        return list(self.completions.scores)

    @property
    def rules(self) -> list[RowRule]:
        """The rules that it has."""
        return [rule for rule in (self.rule, self.dedup, self.diverse) if rule]
