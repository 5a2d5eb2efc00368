"""1.0 where the response equals the ground truth, or one of its accepted answers, after normalisation; else 0.0.

Normalisation never takes away a digit, a sign, an operator or a symbol: -5 is not 5, 50% not 50, C# not C, 3.5 not 35,
1:2 not 1/2. Each part is a setting:

- ``ignore_typography``: a character that has several forms has one: composed accents, full width (５), dashes and minus
  signs (− and – are -), curly quotes, ligatures; invisible ones are left out. x² is not x2, ½ is not 1/2, ① is not 1.
- ``ignore_space``: runs of white space are one space, and none is at the ends.
- ``ignore_punctuation``: what ends a sentence is left out at the end ("Yes.", "Yes!"), a full stop after anything,
  other marks after a word of two letters only (5! is not 5, C: not C), but neither ! nor ? after one word in small
  letters that may be a program's (save! is not save, int? not int; Save! is save); ¿ and ¡ at the beginning; and
  quotation marks, backticks or ** around the whole. Marks inside stay: "a-b" is not "a b", "U.S." is "U.S" but not
  "US".
- ``ignore_case``: all is compared in lower case, one letter alone too.
- ``ignore_articles``: "a", "an" and "the" before a word are left out (SQuAD's evaluation does); off.

Numbers are compared as they are written: 5.0 is not 5, and 1,000 not 1000 (``score: math`` compares values).
"""

from collections.abc import Callable

import polars as pl

from curate.algorithms.text.ngrams import one_space
from curate.algorithms.text.spelling import bare_ends, one_typography, without_articles
from curate.score._accepted_answers import STRUCTURED, accepted_answers
from curate.score._list_verdicts import Row, verdict


def score(
    response: pl.Series,
    ground_truth: pl.Series,
    *,
    several: bool | None = None,
    ignore_typography: bool = True,
    ignore_space: bool = True,
    ignore_punctuation: bool = True,
    ignore_case: bool = True,
    ignore_articles: bool = False,
) -> pl.DataFrame:
    """Compare each response with its ground truth.

    Args:
        response: The responses.
        ground_truth: The answers: a text, or a list of accepted answers in a shape of ``_accepted_answers``. Equal
            spelling is right in any case.
        several: Whether a list holds several accepted answers (True) or is itself the answer (False). By default a
            list of texts holds several, and of a list of two or more numbers or truth values, or of lists, it is not
            known: a response that is one of them has no value.
        ignore_typography: Whether the forms of a character are the same.
        ignore_space: Whether the amount and kind of white space does not matter.
        ignore_punctuation: Whether the marks of a sentence at the ends and quotation marks around it do not matter.
        ignore_case: Whether capitals do not matter.
        ignore_articles: Whether English articles do not matter.

    Returns:
        ``value`` (1.0 or 0.0, null where there is nothing to compare or it can't be judged) and ``error`` (why).
    """

    def normalise(text: pl.Series) -> pl.Series:
        text = one_typography(text) if ignore_typography else text
        text = one_space(text) if ignore_space else text
        text = bare_ends(text) if ignore_punctuation else text
        text = text.str.to_lowercase() if ignore_case else text
        return without_articles(text) if ignore_articles else text

    answers, truths = response.cast(pl.String), ground_truth.cast(pl.String)
    rows = pl.DataFrame({"response": answers, "truth": truths, "answer": normalise(answers)}).with_row_index("row")
    missing = (
        pl.when(pl.col("truth").is_null() | (pl.col("truth").str.strip_chars() == ""))
        .then(pl.lit("no ground_truth"))
        .when(pl.col("answer").is_null())
        .then(pl.lit("no response"))
    )
    rows = rows.with_columns(same=normalise(truths) == rows["answer"], error=missing)
    rows = rows.with_columns(value=pl.when(pl.col("error").is_null()).then(pl.col("same").cast(pl.Float64)))
    listed = rows.filter((pl.col("value") == 0) & pl.col("truth").str.contains(STRUCTURED))
    rows = _with_accepted(rows, listed, normalise, several)
    return rows.select("value", "error")


def _with_accepted(
    rows: pl.DataFrame, listed: pl.DataFrame, normalise: Callable[[pl.Series], pl.Series], several: bool | None
) -> pl.DataFrame:
    """Return the rows with value and error of those whose ground truth lists answers (of those among ``listed``)."""
    read = {truth: accepted_answers(truth) for truth in listed["truth"].unique()}
    lists = {truth: found for truth, found in read.items() if found}
    listed = listed.filter(pl.col("truth").is_in(list(lists)))
    if listed.is_empty():
        return rows
    pairs = pl.DataFrame(
        [(truth, answer) for truth, found in lists.items() for answer in found.answers],
        {"truth": pl.String, "accepted": pl.String},
        orient="row",
    )
    pairs = pairs.with_columns(accepted=normalise(pairs["accepted"]))
    answers: dict[str, list[str]] = {truth: [] for truth in lists}
    for truth, accepted in pairs.iter_rows():
        answers[truth].append(accepted)
    verdicts = [
        verdict(Row(response, truth, lists[truth], answer, answers[truth]), normalise, several)
        for response, truth, answer in listed.select("response", "truth", "answer").iter_rows()
    ]
    places = listed["row"]
    value = rows["value"].scatter(places, [value for value, _ in verdicts])
    return rows.with_columns(value, error=rows["error"].scatter(places, [error for _, error in verdicts]))
