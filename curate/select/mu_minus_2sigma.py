"""Pair each prompt's best candidate with the one nearest the mean of its scores minus two standard deviations.

With many samples a prompt, the worst of all is an outlier that teaches little. arXiv 2502.16825 ("Finding the Sweet
Spot", Xiao et al. 2025) found it best to choose the best of all and reject at mean - 2 sigma. Mean and standard
deviation (of the population, not n - 1) are those of the prompt's finite scores. With few samples, or equal scores but
one, no score is that low, and the worst is the nearest. Of two equally near candidates the worse is rejected, then the
one of lower id; where it cannot be, the next nearest. Only candidates worse than the best are rejected.
"""

import polars as pl

from curate.select._worse import proposed, scored, with_best

WITHIN_PROMPTS = True


def pair(
    prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, *, sigmas: float = 2.0, margin: float = 0.0
) -> pl.DataFrame:
    """Return the pairs in order of preference: ``chosen_id``, ``rejected_id`` and ``slot`` (one for each prompt).

    Args:
        prompt_id: The prompt of each candidate.
        completion_id: The id of each candidate.
        score: The score of each candidate, or null.
        sigmas: How many standard deviations below the mean a candidate is rejected.
        margin: The least gap between the two scores of a pair.
    """
    rows = with_best(scored(prompt_id, completion_id, score))
    point = (pl.col("score").mean() - sigmas * pl.col("score").std(ddof=0)).over("slot")
    rows = rows.with_columns(distance=(pl.col("score") - point).abs())
    worse = rows.filter(pl.col("gap") > 0, pl.col("gap") >= margin)
    return proposed(worse.sort("slot", "distance", "score", "id"))
