"""The answers of responses and of ground truths, for columns of texts, given what kind of answer is looked for."""

from typing import Literal

import polars as pl

from curate.verifiers.math.final_answers.final_answer import (
    IS_CHOICE,
    LEADING_CHOICE,
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
from curate.verifiers.math.final_answers.plain_numbers import last_number, number

Reading = Literal["auto", "boxed", "strict", "flexible"]
SHORT = 40  # bytes of a response that may be a number in words
STRICT = r"(?s)^.*####\s*(-?[$0-9.,]*\d)"  # GSM8K's form, as lm-evaluation-harness reads it


def right_answers(truth: pl.Series) -> pl.Series:
    """Return the answers of ground truths: of a worked solution the one that it marks, else the whole text."""
    twice = truth.str.contains(r"\\\\[A-Za-z]").fill_null(False) & ~truth.str.contains(r"\\begin").fill_null(False)
    if twice.any():  # backslashes that JSON has escaped once too often
        once = truth.filter(twice).str.replace_all(r"\\\\([A-Za-z])", r"\${1}")
        truth = truth.clone().scatter(twice.arg_true(), once)
    worked = truth.str.contains(r"(?i)\\f?boxed|####|\banswer\b|\n").fill_null(False).arg_true()
    found = marked(truth.gather(worked))
    return truth.clone().scatter(worked, found.zip_with(found.is_not_null(), truth.gather(worked)))


def response_answers(response: pl.Series, gold: pl.Series, reading: Reading) -> pl.Series:
    """Return the answer of each response; null where it has none.

    Args:
        response: The responses.
        gold: The right answers, as ``right_answers`` returns them: they say whether a number or a letter is looked for.
        reading: Where an answer may stand, as ``curate/score/math.py`` describes.
    """
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
    numeric = number(gold).is_not_null()
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
