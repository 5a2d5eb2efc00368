"""A warning about answers that a verifier fails and that ``best_of_n`` takes, as their prompts have no better one."""

from curate.storage.stage import Stage
from schemas.counted import counted
from schemas.errors import printable
from schemas.recipe import Dataset


def failed_rows(entry: Dataset, stage: Stage | None) -> str:
    """Return how many rows of a dataset have the score 0 where every score is 0 or 1, and what to set; or ""."""
    if stage is None or entry.type != "sft" or entry.select != "best_of_n" or not entry.by or not stage.rows("sft"):
        return ""
    scores = stage.read("sft", ["score"])["score"].drop_nulls()
    failed = int((scores == 0).sum())
    if not failed or not scores.is_in([0.0, 1.0]).all():
        return ""
    name = printable(entry.by) if entry.by.isidentifier() else f'"{printable(entry.by)}"'
    return (
        f"{failed:,} of {counted(len(scores), 'row')} {'has' if failed == 1 else 'have'} the score 0 by "
        f"{printable(entry.by)}: best_of_n takes an answer of every prompt, also where all of them fail; to leave "
        f"these out, set where: {name} = 1"
    )
