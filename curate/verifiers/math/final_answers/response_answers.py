"""The answers of responses and of ground truths, for columns of texts, given what kind of answer is looked for."""

from typing import Literal

import polars as pl

from curate.algorithms.text.distinct_texts import over_distinct
from curate.verifiers.math.final_answers.choice_letters import letters_alone
from curate.verifiers.math.final_answers.equation_sides import last_sides
from curate.verifiers.math.final_answers.final_answer import (
    TAIL,
    boxes,
    joined_digits,
    marked,
    marked_by_words,
    stated_number,
)
from curate.verifiers.math.final_answers.plain_numbers import last_number, number
from curate.verifiers.math.final_answers.unmarked import SHORT, unmarked
from curate.verifiers.math.reading.quoted_lists import STARTS, only_item

Reading = Literal["auto", "boxed", "strict", "flexible"]
# A response that is one expression: no word, no sentence.
EXPRESSION, WORDS = r"\A[^\n]{1,60}\z", r"\p{L}{2}|[.!?∴]\s"
STRICT = r"(?s)^.*####\s*([-−]?\$?[-−]?[0-9.,]*\d)"  # GSM8K's form, as lm-evaluation-harness reads it


def right_answers(truth: pl.Series) -> pl.Series:
    """Return the answers of ground truths: of a worked solution the one that it marks, else the whole text."""
    return over_distinct(truth, _right_answers)  # a prompt's candidates have one truth


def _right_answers(truth: pl.Series) -> pl.Series:
    if (listed := truth.str.contains(STARTS).fill_null(False)).any():  # a list of one answer, as text
        truth = truth.clone().scatter(listed.arg_true(), [only_item(one) for one in truth.filter(listed)])
    truth = _unescaped(truth)
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
    found = _unmarked(response, gold, numeric, answer.is_null() & response.is_not_null())
    answer = pl.select(pl.coalesce(answer, found, stated)).to_series()
    return _unescaped(joined_digits(last_sides(letters_alone(answer, gold), gold)))


def _unmarked(response: pl.Series, gold: pl.Series, numeric: pl.Series, rows: pl.Series) -> pl.Series:
    """Return the answers of the responses of some rows, which mark none."""
    every = pl.Series([None], dtype=pl.String).new_from_index(0, len(response))
    where = rows.fill_null(False).arg_true()
    if not len(where):
        return every
    response, gold, numeric = response.gather(where), gold.gather(where), numeric.gather(where)
    plain = numeric & ~response.str.tail(TAIL).str.contains("\\", literal=True)
    answer = pl.Series([None], dtype=pl.String).new_from_index(0, len(response))
    answer = answer.scatter(plain.arg_true(), last_number(response.filter(plain).str.tail(TAIL)))
    alone = plain & response.str.contains(EXPRESSION)
    expression = alone & (number(response).is_not_null() | ~response.str.contains(WORDS))
    answer = answer.scatter(expression.arg_true(), response.filter(expression))
    rest = (~plain | (answer.is_null() & (response.str.len_bytes() <= 2 * SHORT))).arg_true()
    texts = zip(response.gather(rest), gold.gather(rest).fill_null(""), numeric.gather(rest), strict=True)
    return every.scatter(where, answer.scatter(rest, pl.Series([unmarked(*one) for one in texts], dtype=pl.String)))


def _unescaped(text: pl.Series) -> pl.Series:
    r"""Return texts with one backslash where JSON has escaped a command once too often (``\\\\frac``)."""
    twice = text.str.contains(r"\\\\[A-Za-z]").fill_null(False) & ~text.str.contains(r"\\begin").fill_null(False)
    if not twice.any():
        return text
    return text.clone().scatter(twice.arg_true(), text.filter(twice).str.replace_all(r"\\\\([A-Za-z])", r"\${1}"))
