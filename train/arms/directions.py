"""Whether a higher score is better: of scorers that count faults a lower one is, and of some neither is."""

from collections.abc import Mapping, Sequence

from schemas.errors import unknown
from schemas.recipe import Recipe
from train.arms.cells import RETENTION

HIGHER, LOWER, NEITHER = "higher", "lower", "neither"
# The scorers that count faults, and those that say how a response is, not how good; of all others higher is better.
FAULTS = frozenset(
    "boilerplate perplexity pii repeated_lines repeated_ngrams repetition secrets top_ngram toxicity unfinished".split()
)
PLAIN = frozenset("ifd length lines refusal sentences share urls words".split())


def direction(recipe: Recipe, split: str | None, scorer: str, lower: Sequence[str] = ()) -> str:
    """Return whether a ``higher`` score is better, a ``lower`` one, or ``neither``.

    Args:
        recipe: The recipe, whose step of that name says which scorer it is.
        split: The split.
        scorer: The scorer's name in the recipe.
        lower: Splits, scorers or ``SPLIT/SCORER`` in which the user says that lower is better.
    """
    if split == RETENTION or {split, scorer, f"{split}/{scorer}"} & set(lower):
        return LOWER
    steps: Mapping[str, str | None] = {step.name: step.use for step in recipe.completions if step.verb == "score"}
    used = steps.get(scorer, scorer)
    return LOWER if used in FAULTS else NEITHER if used in PLAIN else HIGHER


def check_lower(lower: Sequence[str], splits: Sequence[str], scorers: Sequence[str]) -> None:
    """Raise ``UserError`` where a name that is said to be better when lower is no split and no scorer.

    Args:
        lower: The names.
        splits: The splits that are evaluated.
        scorers: The scorers of ``evaluate``.
    """
    known = [*scorers, *splits, *(f"{split}/{scorer}" for split in splits for scorer in scorers)]
    for name in lower:
        if name not in known:
            raise unknown("scorer, split or SPLIT/SCORER", name, known, "--lower")
