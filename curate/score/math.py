r"""1.0 where the response's final answer equals the ground truth's, 0.0 where it does not: numbers, LaTeX, sets, words.

The final answer (``curate/verifiers/math/final_answers/``) is what the last ``\boxed{}`` holds; else what stands after
the last ``####``; else after the last "answer is" or "answer:", in several languages; else the last number, choice
letter or formula. ``reading`` narrows that. ``ground_truth`` is an answer, or a whole worked solution that marks its
answer in one of these ways (GSM8K). Plain numbers are compared as numbers (18 = 18.00 = $18 = 18 dollars); all others
by ``curate/verifiers/math/equal.py``: by their spelling first, then by what they are.

An answer that can't be judged (towers of powers, huge factorials, sums, integrals, prose, more than ``LONGEST``
characters) has no value: null, never 0.0, and ``error`` gives the reason.
"""

import polars as pl

from curate.verifiers.math.equal import compare
from curate.verifiers.math.final_answers.final_answer import LONGEST
from curate.verifiers.math.final_answers.plain_numbers import has_unit, number
from curate.verifiers.math.final_answers.response_answers import Reading, response_answers, right_answers

# A ground truth of marks alone, such as \boxed{}, ####, $ or "The final answer is".
MARK = (
    r"[\s$*:]|#{2,}|\\f?boxed|\\(?:text|mathrm|mathbf|textbf)\b|\\[()\[\],;!]|</?answer>|\b(?:the|final|answers?|is)\b"
)
NOTHING = rf"(?i)^(?:{MARK})(?:[{{}}]|{MARK})*$"


def score(response: pl.Series, ground_truth: pl.Series, *, reading: Reading = "auto") -> pl.DataFrame:
    """Return ``value`` (1.0, 0.0 or null), ``detail`` (the answer found in the response) and ``error``.

    Args:
        response: The responses.
        ground_truth: The right answers.
        reading: Where an answer may stand. ``auto``: by the rules above. ``boxed``: in the last box only. GSM8K's
            ``strict``: the number after the last ``####`` only; ``flexible``: the last number, marked or not. A
            response without such an answer is wrong.
    """
    response, truth = (text.cast(pl.String).str.strip_chars() for text in (response, ground_truth))
    gold = right_answers(truth)
    answer = response_answers(response, gold, reading)
    rows = pl.DataFrame({"response": response, "truth": truth, "answer": answer, "gold": gold})
    rows = rows.with_columns(number=number(answer), gold_number=number(gold), unit=has_unit(gold))
    percent = pl.col("answer").str.contains("%") | pl.col("gold").str.contains("%")
    plain = pl.col("gold_number").is_not_null() & pl.col("number").is_not_null() & ~pl.col("unit")
    same = pl.when(plain & (pl.col("number") == pl.col("gold_number"))).then(1.0)
    rows = rows.select(
        "answer",
        "gold",
        value=pl.coalesce(same, pl.when(pl.col("answer").is_null() | (plain & ~percent)).then(0.0)),
        error=pl.when(pl.col("truth").fill_null("") == "")
        .then(pl.lit("no ground_truth"))
        .when(pl.col("gold").str.contains(NOTHING))
        .then(pl.lit("ground_truth holds no answer"))
        .when(pl.col("response").is_null())
        .then(pl.lit("no response")),
    )
    rows = rows.with_columns(value=pl.when(pl.col("error").is_null()).then("value"))
    return _compared(rows).select("value", detail=pl.col("answer").str.head(LONGEST), error="error")


def _compared(rows: pl.DataFrame) -> pl.DataFrame:
    """Compare the answers of rows that have neither a value nor an error yet."""
    undecided = rows["value"].is_null() & rows["error"].is_null()
    if not undecided.any():
        return rows
    values, errors = zip(*compare(rows.filter(undecided).select("gold", "answer").rows()), strict=True)
    at = undecided.arg_true()
    return rows.with_columns(
        rows["value"].scatter(at, pl.Series(values, dtype=pl.Float64)),
        rows["error"].scatter(at, pl.Series(errors, dtype=pl.String)),
    )
