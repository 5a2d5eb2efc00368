r"""1.0 where the response's final answer equals the ground truth's, 0.0 where it does not: numbers, LaTeX, sets.

The final answer is what stands in the last ``\boxed{}``; else after the last ``####``; else after the last "answer
is", "answer:" or line that begins with "A:"; else the last number of the text (``curate/verifiers/math/final_answer.py``).
``ground_truth`` is an answer, or a whole worked solution that ends with one in the same ways (GSM8K). Where both
answers are plain numbers they are compared as such (18 = 18.00 = $18 = 18 dollars); the rest is left to math-verify,
which compares symbolically, in processes of its own (``curate/verifiers/math/equal.py``).

An answer that would take unbounded work to check (towers of powers, huge factorials, sums, integrals, more than
``LONGEST`` characters) is not checked: null, with the reason, never 0.0.
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
    # "The answer is below:" marks nothing: a number is wanted, so the last one of the text is taken.
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
    nothing = pl.col("unmarked") & pl.col("answer").is_null()  # no marker and no number: there is no answer to be right
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
    """Fill in the rows that are neither decided nor in error."""
    open_ = rows["value"].is_null() & rows["error"].is_null()
    if not open_.any():
        return rows
    end = pl.col("response").str.tail(LONGEST)
    pairs = rows.filter(open_).select("gold", pl.col("answer").fill_null(end)).rows()
    values, errors = zip(*compare(pairs), strict=True)
    at = open_.arg_true()
    return rows.with_columns(
        rows["value"].scatter(at, pl.Series(values, dtype=pl.Float64)),
        rows["error"].scatter(at, pl.Series(errors, dtype=pl.String)),
    )
