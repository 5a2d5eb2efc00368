"""The share of a prompt's format constraints that the response satisfies, checked by programs (arXiv 2311.07911)."""

import polars as pl

from curate.verifiers.constraints.checked import checked


def score(response: pl.Series, ground_truth: pl.Series, *, strict: bool = True) -> pl.DataFrame:
    """Check each response against the constraints of its row.

    A response without a letter or digit satisfies no constraint, so that an empty one does not pass "no commas".

    Args:
        response: The responses.
        ground_truth: Constraints as JSON text: a list such as
            ``[{"kind": "lowercase"}, {"kind": "max_words", "n": 20}]``, of the kinds in
            ``curate/verifiers/constraints/kinds.py``; or IFEval's form,
            ``{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}``.
        strict: Whether the response is checked as it is only. If False, a constraint also holds if it holds without the
            first line, the last line or both, with or without asterisks (IFEval's loose accuracy).

    Returns:
        ``value`` (0 to 1, the share that hold), ``detail`` (JSON: ``passed`` and ``failed``, lists of constraints with
        what was ``found``) and ``error``. Where constraints or response are missing or not valid, ``value`` and
        ``detail`` are null and ``error`` says why.
    """
    return checked(response, ground_truth, strict=strict)
