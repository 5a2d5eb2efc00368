"""The families of held-out prompts, which an evaluation's intervals are over: those that the split kept together."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.pipeline.prompt_splits import split_ids, split_key, split_prompts
from curate.pipeline.run_state import RunState
from curate.storage.rows import RowSet
from schemas.recipe import Recipe


@dataclass(frozen=True)
class PromptFamilies:
    """Finds the families of prompts (``curate.pipeline.families``), once they are asked for.

    Attributes:
        recipe: The recipe, which says how its prompts are split.
        prompts: Its prompts.
        shares_of: The prompts that the shares of its splits are shares of.
    """

    recipe: Recipe
    prompts: RowSet
    shares_of: RowSet

    def key(self) -> list[Any]:
        """Return what the families depend on."""
        return [split_key(self.recipe), self.prompts.content, self.shares_of.content]

    def table(self) -> pl.DataFrame:
        """Return the recipe's prompts (``prompt_id``) with their ``family``: the id of the family's first prompt."""
        splits = split_prompts(self.recipe, self.prompts, self.shares_of)
        ids = split_ids(self.prompts, self.shares_of)
        first = ids.gather(splits.assigned.families.label)  # a label is the least row of its family
        return pl.DataFrame({"prompt_id": ids, "family": first}).unique("prompt_id")


def families_of(state: RunState) -> PromptFamilies:
    """Return the families of a recipe's prompts."""
    return PromptFamilies(state.recipe, state.prompts, state.shares_of)


def family_table(prompt_ids: pl.Series, families: PromptFamilies | None) -> pl.DataFrame:
    """Return prompts with their ``family``; null where none is known, as of a prompt that the recipe has dropped."""
    asked = prompt_ids.to_frame("prompt_id")
    if families is None:
        return asked.with_columns(family=pl.lit(None, pl.String))
    return asked.join(families.table(), on="prompt_id", how="left", maintain_order="left")
