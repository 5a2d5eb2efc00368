"""Which verifier reads the ground truths of prompts: tests, constraints, calls, numbers and formulas, other texts."""

from collections.abc import Callable

import numpy as np
import polars as pl

from curate.score._reference_answers import own_answer
from curate.verifiers.constraints.checked import checked
from curate.verifiers.math.final_answers.response_answers import right_answers
from curate.verifiers.programs.unit_tests import read_tests
from train.refusals.text_truths import SIGN, is_mathematical

LOOKED_AT = 100  # ground truths, at equal distances
MOST = 0.5  # a verifier must read more than this share of them


def verifier_for(prompts: pl.DataFrame) -> str:
    """Return the name of the verifier for the ground truths of a source.

    Args:
        prompts: Prompts with the columns ``ground_truth`` and ``tools``; at least one has a ground truth.
    """
    rows = prompts.filter(pl.col("ground_truth").is_not_null())
    rows = rows[np.unique(np.linspace(0, rows.height - 1, min(LOOKED_AT, rows.height)).astype(int)).tolist()]
    kinds: dict[str, Callable[[pl.DataFrame], int]] = {
        "tool_call": _calls,
        "constraints": _constraints,
        "code": _tests,
        "math": _mathematical,
    }
    return next((name for name, count in kinds.items() if count(rows) > MOST * rows.height), "exact_match")


def _calls(rows: pl.DataFrame) -> int:
    columns = rows.select("ground_truth", "tools").iter_rows()
    return sum(own_answer("tool_call", truth, None, None, tools) is not None for truth, tools in columns)


def _constraints(rows: pl.DataFrame) -> int:
    words = pl.Series("response", ["word"] * rows.height)
    return int(checked(words, rows["ground_truth"])["error"].is_null().sum())


def _tests(rows: pl.DataFrame) -> int:
    return sum(not isinstance(read_tests(truth), str) for truth in rows["ground_truth"])


def _mathematical(rows: pl.DataFrame) -> int:
    """Count those that hold a digit or a sign of formulas in their final answer: a name is no matter for ``math``."""
    answers = right_answers(rows["ground_truth"].str.strip_chars())
    pairs = zip(rows["ground_truth"], answers, strict=True)
    return sum(is_mathematical(truth) and bool(SIGN.search(answer or "")) for truth, answer in pairs)
