"""A new candidate: an old one that breaks its prompt's format constraints, edited by a program until it keeps them all.

The edits are those of ``curate/verifiers/constraints/repairs.py``: they cut, lay out and respell the model's own words.
So K samples that never keep a constraint still give rows that do. What can't be repaired so gives no candidate; nor
does what keeps its constraints already. ``score: constraints`` checks the result as any answer.
"""

import json

import polars as pl

from curate.verifiers.constraints.checked import checked
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.repairs import repaired, without_end
from curate.verifiers.constraints.truths import read_constraints


def write(response: pl.Series, ground_truth: pl.Series, finish_reason: pl.Series) -> pl.Series:
    """Return each response that fails some of its constraints, repaired; null where it fails none, or has no repair.

    Args:
        response: The old candidates.
        ground_truth: Their prompts' constraints, as ``score: constraints`` reads them.
        finish_reason: Why each ended; of one that was cut off (``length``), the last line or sentence is left out.
    """
    texts, truths = response.cast(pl.String), ground_truth.cast(pl.String)
    known = read_constraints(truths.drop_nulls().unique().to_list(), KINDS)
    shown = [json.loads(text) for text in known.shown]
    of_truth = {
        truth: [shown[number] for number in numbers]
        for truth, numbers in known.by_truth.select("truth", "constraint").iter_rows()
        if numbers is not None
    }
    wrong = (checked(texts, truths)["value"] < 1).fill_null(False)
    new = [
        repaired(without_end(text) if end == "length" else text, of_truth[truth])
        if bad and text and truth in of_truth
        else None
        for text, truth, bad, end in zip(texts, truths, wrong, finish_reason.cast(pl.String), strict=True)
    ]
    made = pl.Series("response", new, dtype=pl.String)
    return made.set((checked(made, truths)["value"] < 1).fill_null(True), None)
