r"""1.0 where the response's final answer equals the ground truth's, 0.0 where it does not: numbers, LaTeX, sets, words.

The final answer (``curate/verifiers/math/final_answer.py``) is what the last ``\boxed{}`` holds; else what stands after
the last ``####``; else after the last "answer is" or "answer:", in several languages; else the last number, choice
letter or formula. ``reading`` narrows that. ``ground_truth`` is an answer, or a whole worked solution that marks its
answer in one of these ways (GSM8K). Plain numbers are compared as numbers (18 = 18.00 = $18 = 18 dollars); all others
by ``curate/verifiers/math/equal.py``: by their spelling first, then by what they are.

An answer that can't be judged (towers of powers, huge factorials, sums, integrals, prose, more than ``LONGEST``
characters) has no value: null, never 0.0, and ``error`` gives the reason.
"""

from typing import Literal

import polars as pl

from curate.verifiers.math.equal import compare
from curate.verifiers.math.final_answer import (
    IS_CHOICE,
    LEADING_CHOICE,
    LONGEST,
    RELATION,
    SEVERAL_CHOICES,
    TAIL,
    boxes,
    joined_digits,
    last_side,
    marked,
    marked_by_words,
    stated_number,
    unmarked,
)
from curate.verifiers.math.plain_numbers import has_unit, last_number, number

SHORT = 40  # bytes of a response that may be a number in words
STRICT = r"(?s)^.*####\s*(-?[$0-9.,]*\d)"  # GSM8K's form, as lm-evaluation-harness reads it


def score(
    response: pl.Series, ground_truth: pl.Series, *, reading: Literal["auto", "boxed", "strict", "flexible"] = "auto"
) -> pl.DataFrame:
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
    gold_number = number(gold)
    answer = _answers(response, gold, gold_number, reading)
    rows = pl.DataFrame({"response": response, "truth": truth, "answer": answer, "gold": gold})
    rows = rows.with_columns(number=number(answer), gold_number=gold_number, unit=has_unit(gold))
    percent = pl.col("answer").str.contains("%") | pl.col("gold").str.contains("%")
    plain = pl.col("gold_number").is_not_null() & pl.col("number").is_not_null() & ~pl.col("unit")
    same = pl.when(plain & (pl.col("number") == pl.col("gold_number"))).then(1.0)
    rows = rows.select(
        "answer",
        "gold",
        value=pl.coalesce(same, pl.when(pl.col("answer").is_null() | (plain & ~percent)).then(0.0)),
        error=pl.when(pl.col("truth").fill_null("") == "")
        .then(pl.lit("no ground_truth"))
        .when(pl.col("response").is_null())
        .then(pl.lit("no response")),
    )
    rows = rows.with_columns(value=pl.when(pl.col("error").is_null()).then("value"))
    return _compared(rows).select("value", detail=pl.col("answer").str.head(LONGEST), error="error")


def right_answers(truth: pl.Series) -> pl.Series:
    """Return the answers of ground truths: of a worked solution the one that it marks, else the whole text."""
    twice = truth.str.contains(r"\\\\[A-Za-z]").fill_null(False) & ~truth.str.contains(r"\\begin").fill_null(False)
    if twice.any():  # backslashes that JSON has escaped once too often
        once = truth.filter(twice).str.replace_all(r"\\\\([A-Za-z])", r"\${1}")
        truth = truth.clone().scatter(twice.arg_true(), once)
    worked = truth.str.contains(r"(?i)\\f?boxed|####|\banswer\b|\n").fill_null(False).arg_true()
    found = marked(truth.gather(worked))
    return truth.clone().scatter(worked, found.zip_with(found.is_not_null(), truth.gather(worked)))


def _answers(response: pl.Series, gold: pl.Series, gold_number: pl.Series, reading: str) -> pl.Series:
    """Return the answer of each response; null where it has none."""
    if reading == "boxed":
        return pl.Series(boxes(response), dtype=pl.String)
    if reading == "strict":
        return response.str.tail(TAIL).str.extract(STRICT)
    if reading == "flexible":
        return last_number(response.str.tail(TAIL))
    answer = pl.Series(boxes(response), dtype=pl.String)
    rest = answer.is_null().arg_true()
    stated = pl.Series([None], dtype=pl.String).new_from_index(0, len(answer))
    if len(rest):
        stated = stated.scatter(rest, marked_by_words(response.gather(rest)))
        answer = answer.scatter(rest, stated.gather(rest))
    numeric = gold_number.is_not_null()
    # Where the right answer is a number, "The answer is below:" marks no answer and "is clear, 7 of them" marks 7.
    worded = (numeric & stated.is_not_null() & number(answer).is_null()).arg_true()
    if len(worded):
        answer = answer.scatter(worded, stated_number(answer.gather(worded)))
    answer = _last_sides(_letters(answer, gold), gold)
    found = _unmarked(response, gold, numeric, answer.is_null() & response.is_not_null())
    return joined_digits(pl.select(pl.coalesce(answer, found, stated)).to_series())


def _letters(answer: pl.Series, gold: pl.Series) -> pl.Series:
    """Return the answers with the choice letter alone where the right answer is one: "(B) 42" is B, "B or C" stays."""
    rows = (gold.str.contains(IS_CHOICE) & answer.is_not_null()).fill_null(False).arg_true()
    some = answer.gather(rows)
    letters = some.str.extract(LEADING_CHOICE).str.head(1).set(some.str.contains(SEVERAL_CHOICES), None)
    return answer.scatter(rows, letters.zip_with(letters.is_not_null(), some)) if len(rows) else answer


def _last_sides(answer: pl.Series, gold: pl.Series) -> pl.Series:
    """Return the answers with the last side alone of an equation ("54 - 6 = 48") where the right answer is none."""
    rows = (answer.str.contains("=", literal=True) & ~gold.str.contains(RELATION)).fill_null(False).arg_true()
    some = answer.gather(rows)
    sides = pl.Series([last_side(one) for one in some], dtype=pl.String)
    return answer.scatter(rows, sides.zip_with(sides.is_not_null(), some)) if len(rows) else answer


def _unmarked(response: pl.Series, gold: pl.Series, numeric: pl.Series, rows: pl.Series) -> pl.Series:
    """Return the answers of the responses of some rows, which mark none."""
    answer = pl.Series([None], dtype=pl.String).new_from_index(0, len(response))
    plain = (rows & numeric & ~response.str.tail(TAIL).str.contains("\\", literal=True)).fill_null(False)
    answer = answer.scatter(plain.arg_true(), last_number(response.filter(plain).str.tail(TAIL)))
    in_words = plain & answer.is_null() & (response.str.len_bytes() <= SHORT)
    rest = ((rows & ~plain) | in_words).fill_null(False).arg_true()
    texts = zip(response.gather(rest), gold.gather(rest).fill_null(""), numeric.gather(rest), strict=True)
    return answer.scatter(rest, pl.Series([unmarked(*one) for one in texts], dtype=pl.String))


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
