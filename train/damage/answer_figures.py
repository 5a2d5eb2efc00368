"""Figures of a set of answers: how long they are, how many differ, how many are empty, cut off or repeat themselves.

They say nothing of whether an answer is right. ``train.damage.signs`` compares them with those of other answers.
"""

import dataclasses
import re
from typing import Any

import polars as pl

from curate.algorithms.text.ngrams import normalise
from curate.algorithms.text.word_bytes import count_words
from curate.score._accepted_answers import STRUCTURED, accepted_answers
from curate.score.repetition import score as repetition

ANSWERS: dict[str, type[pl.DataType]] = {
    "prompt": pl.String,
    "response": pl.String,
    "finish_reason": pl.String,
    "tokens": pl.Int64,
}
LOOP, LOOP_WORDS = (
    0.5,
    12,
)  # the share of repeated 3-grams, and the fewest words, of an answer that goes round in circles
LOOP_CHARACTERS, FEW_CHARACTERS = 60, 5  # an answer as long as that, of so few different characters, does so too
# The answer that a worked solution ends in, as in GSM8K and MATH.
MARKED = re.compile(r"(?s)(?:.*####|.*\\(?:boxed|fbox)\s*(?=\{((?:[^{}]|\{[^{}]*\})*)\}))")
TRUTH_WORDS, KNOWN = 50, 0.8  # the most words of an expected answer, and the share of prompts that must have one


@dataclasses.dataclass(frozen=True)
class Figures:
    """Figures of answers to prompts. Shares are in 0..1.

    Attributes:
        answers: How many there are.
        prompts: How many prompts they answer.
        words: The mean number of words (in scripts without spaces, of characters) of the answers that are no calls.
        called: The share that are calls of tools, which have no words.
        tokens: The mean number of tokens; None where that is not known.
        cut: The share that the limit of tokens cut off; None where that is not known.
        empty: The share without any text, calls of tools apart.
        one_word: The share of a single word, without those that go round in circles.
        repeating: The share that goes round in circles.
        distinct: The number of different answers by that of different pairs of a prompt and an answer: 1 where no
            answer is given to two prompts.
        common: The share of prompts that get the most common answer.
        common_answer: That answer.
    """

    answers: int
    prompts: int
    words: float
    called: float
    tokens: float | None
    cut: float | None
    empty: float
    one_word: float
    repeating: float
    distinct: float
    common: float
    common_answer: str


@dataclasses.dataclass(frozen=True)
class Expected:
    """Figures of the answers that are expected, where the rows say them (``ground_truth``, or a recorded answer).

    Attributes:
        words: The mean number of their words.
        distinct: The number of different ones by the number of prompts.
        common: The share of prompts with the most common one.
    """

    words: float
    distinct: float
    common: float


def answer_figures(answers: pl.DataFrame) -> Figures | None:
    """Return the figures of answers; None where there are none.

    Args:
        answers: The columns ``ANSWERS``: ``prompt`` is any id of the prompt; ``tokens`` and ``finish_reason`` may be
            null. An answer whose ``response`` is null is left out: its request failed.
    """
    answers = answers.select(*ANSWERS).filter(pl.col("response").is_not_null())
    if answers.is_empty():
        return None
    text, finish = answers["response"], answers["finish_reason"]
    words = pl.Series("words", count_words(text))
    spoken = pl.Series("spoken", (finish != "tool_calls").fill_null(True))
    pairs = answers.select("prompt", "response", same=same_form(text)).filter(spoken & (words > 0))
    pairs = pairs.unique(["prompt", "same"], keep="first", maintain_order=True)
    prompts = answers["prompt"].n_unique()
    by_answer = pairs.group_by("same", maintain_order=True).agg(pl.len(), pl.col("response").first())
    most = by_answer.sort("len", descending=True, maintain_order=True).row(0, named=True) if by_answer.height else {}
    known, loops = finish.is_not_null().any(), _loops(text, words)
    return Figures(
        answers=answers.height,
        prompts=prompts,
        words=_mean(words.filter(spoken)),
        called=_mean(~spoken),
        tokens=_mean(answers["tokens"]) if answers["tokens"].null_count() < answers.height else None,
        cut=_mean((finish == "length").fill_null(False)) if known else None,
        empty=_mean(spoken & (words == 0) & (finish != "length").fill_null(True)),
        one_word=_mean(spoken & (words == 1) & ~loops),
        repeating=_mean(loops),
        distinct=by_answer.height / pairs.height if pairs.height else 1.0,
        common=most.get("len", 0) / prompts,
        common_answer=most.get("response", ""),
    )


def expected_figures(truths: pl.Series) -> Expected | None:
    """Return the figures of the expected answers of prompts; None where fewer than ``KNOWN`` of them say one.

    Args:
        truths: The expected answer of each prompt, or null. Of several accepted answers the shortest counts, of a
            worked solution what it marks as its answer. What is no answer counts as null: other JSON, such as
            constraints or calls of tools, and texts of over ``TRUTH_WORDS`` words, such as tests of a program.
    """
    texts = pl.Series([_final(text) for text in truths.cast(pl.String)], dtype=pl.String).str.strip_chars()
    words = pl.Series(count_words(texts))
    said = texts.filter(texts.is_not_null() & (words > 0))
    said = said.filter(pl.Series(count_words(said)) <= TRUTH_WORDS)
    if not len(said) or len(said) < KNOWN * len(truths):
        return None
    counts = same_form(said).value_counts(sort=True)["count"]
    return Expected(_mean(pl.Series(count_words(said))), len(counts) / len(said), counts[0] / len(said))


def _final(text: str | None) -> str | None:
    """Return the answer that a ground truth expects at the end; None where it is no answer."""
    if text is None:
        return None
    if re.match(STRUCTURED, text):
        found = accepted_answers(text)
        several = [one for one in (found.answers if found and not found.wrong else []) if "assert" not in one]
        if several or text.lstrip().startswith(("[", "{")):
            return min(several, key=len, default=None)
    marked = MARKED.match(text)
    return text if marked is None else text[marked.end() :] if marked[1] is None else marked[1]


def same_form(texts: pl.Series) -> pl.Series:
    """Return a form of texts that is equal for those that differ in case, spaces and punctuation only."""
    words = normalise(texts)
    return pl.select(pl.when(pl.lit(words) == "").then(pl.lit(texts.str.strip_chars())).otherwise(pl.lit(words)))[
        :, 0
    ].alias("same")


def as_json(figures: Figures | Expected | None) -> dict[str, Any] | None:
    """Return figures as values of JSON."""
    return None if figures is None else dataclasses.asdict(figures)


def _loops(texts: pl.Series, words: pl.Series) -> pl.Series:
    """Return whether each text goes round in circles."""
    repeated = (repetition(texts) >= LOOP) & (words >= LOOP_WORDS)
    characters = texts.str.split("").list.n_unique()
    return repeated | ((texts.str.len_chars() >= LOOP_CHARACTERS) & (characters <= FEW_CHARACTERS))


def _mean(values: pl.Series) -> float:
    known = values.cast(pl.Float64).drop_nulls().to_numpy()
    return float(known.mean()) if len(known) else 0.0
