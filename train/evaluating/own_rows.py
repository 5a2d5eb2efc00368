"""The rows of ``evaluations`` that no scorer of the recipe made: losses and answers that show damage, and verdicts.

Their scorers' names have a slash, which no step's name has. ``value`` is a loss in nats a token, but for ``ANSWERS``:

- ``START_ANSWERS``: of the start model's greedy answer to a general prompt, under this model;
- ``TEXTS``: of a general text, under this model;
- ``RECORDED``: of an answer in the recipe's own file of ``retention.answers``, given its prompt, under this model;
- ``ANSWERS``: this model's greedy answer to a general prompt; ``value`` is its number of tokens;
- ``START_LOSS``: of this model's answer to a held-out prompt, under the start model.

``WIN_RATE`` is a judge's verdict on this model's answer against the first model's: 1, 0.5 or 0.
"""

import polars as pl

SPLIT = "retention"
START_ANSWERS, TEXTS, ANSWERS = "retention/start_answers", "retention/texts", "retention/answers"
RECORDED = "retention/recorded"
START_LOSS = "behaviour/start_loss"
WIN_RATE = "judge/win_rate"
OWN = (START_ANSWERS, TEXTS, RECORDED, ANSWERS, START_LOSS, WIN_RATE)


def scored_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of ``evaluations`` that the recipe's scorers made."""
    return rows.filter(~pl.col("scorer").is_in(OWN))


def answered_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each answer of ``evaluations`` to a held-out prompt once, whatever the number of scorers."""
    return scored_rows(rows).unique(["model", "row_id", "sample_index"], keep="first", maintain_order=True)
