"""Pair each prompt's candidates along their ranking: every score with the next lower one.

Of candidates with equal scores the one with the lowest id stands for all. So k different scores give k - 1 pairs, that
of the best one first. A gap below ``margin`` gives no pair, and the candidates around it are not paired with others
instead. Candidates without a finite score are not ranked.
"""

import polars as pl

from curate.select._worse import scored

WITHIN_PROMPTS = True


def pair(prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, *, margin: float = 0.0) -> pl.DataFrame:
    """Return the pairs from the best down: ``chosen_id`` and ``rejected_id``; none is an alternative to another."""
    rows = scored(prompt_id, completion_id, score).unique(["slot", "score"], keep="first", maintain_order=True)
    below = rows.shift(-1)
    pairs = rows.select("slot", "score", chosen_id="id").hstack(
        below.select(next_slot="slot", next_score="score", rejected_id="id")
    )
    pairs = pairs.filter(pl.col("slot") == pl.col("next_slot"), pl.col("score") - pl.col("next_score") >= margin)
    return pairs.select("chosen_id", "rejected_id")
