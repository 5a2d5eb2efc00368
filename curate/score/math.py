r"""1.0 where the response's final answer equals the ground truth's, 0.0 where it does not: numbers, LaTeX, sets.

The final answer is the text in the last ``\boxed{}``; else after the last ``####``; else after the last "answer is",
"answer:" or line that begins with "A:"; else the last number (``curate/verifiers/math/final_answer.py``).
``ground_truth`` is an answer, or a whole worked solution that marks its answer in one of these ways (GSM8K). If both
answers are plain numbers they are compared as numbers (18 = 18.00 = $18 = 18 dollars). All others are compared
symbolically by math-verify, in separate processes (``curate/verifiers/math/equal.py``).

An answer that could take unbounded work to check (towers of powers, huge factorials, sums, integrals, more than
``LONGEST`` characters) is not checked: its value is null, never 0.0, and ``error`` gives the reason.
"""

import polars as pl

from curate.verifiers.math.equal import LONGEST, compare
from curate.verifiers.math.final_answer import TAIL, last_number, marked, number


def score(response: pl.Series, ground_truth: pl.Series) -> pl.DataFrame:
    """Return ``value`` (1.0, 0.0 or null), ``detail`` (the answer found in the response) and ``error``."""
    response, truth = (text.cast(pl.String).str.tail(TAIL).str.strip_chars() for text in (response, ground_truth))
    answer, gold = marked(response), marked(truth)
    gold = gold.zip_with(gold.is_not_null(), truth)
    gold_number = number(gold)
    # "The answer is below:" marks no answer. Where the ground truth is a number, the last number of the text is taken.
    unmarked = gold_number.is_not_null() & ~answer.fill_null("").str.contains(r"[\d\\]")
    answer = answer.scatter(unmarked.arg_true(), last_number(response.filter(unmarked)))
    rows = pl.DataFrame(
        {
            "response": response,
            "truth": truth,
            "answer": answer,
            "gold": gold,
            "unmarked": unmarked,
            "number": number(answer),
            "gold_number": gold_number,
        }
    )
    percent = pl.col("answer").str.contains("%") | pl.col("gold").str.contains("%")
    same = pl.col("number") == pl.col("gold_number")
    nothing = pl.col("unmarked") & pl.col("answer").is_null()  # no marker and no number: there is no answer
    rows = rows.select(
        "response",
        "answer",
        "gold",
        value=pl.when(same).then(1.0).when(nothing | (~same & ~percent)).then(0.0),
        error=pl.when(pl.col("truth").fill_null("") == "")
        .then(pl.lit("no ground_truth"))
        .when(pl.col("response").is_null())
        .then(pl.lit("no response")),
    )
    rows = rows.with_columns(value=pl.when(pl.col("error").is_null()).then("value"))
    return _symbolic(rows).select("value", detail=pl.col("answer").str.head(LONGEST), error="error")


def _symbolic(rows: pl.DataFrame) -> pl.DataFrame:
    """Compare the answers of rows that have neither a value nor an error yet."""
    undecided = rows["value"].is_null() & rows["error"].is_null()
    if not undecided.any():
        return rows
    end = pl.col("response").str.tail(LONGEST)
    pairs = rows.filter(undecided).select("gold", pl.col("answer").fill_null(end)).rows()
    values, errors = zip(*compare(pairs), strict=True)
    at = undecided.arg_true()
    return rows.with_columns(
        rows["value"].scatter(at, pl.Series(values, dtype=pl.Float64)),
        rows["error"].scatter(at, pl.Series(errors, dtype=pl.String)),
    )
