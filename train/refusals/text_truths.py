"""Tells ground truths that ``math`` can judge from other texts, though any text equals itself."""

import json
import re

import polars as pl

from curate.score._doubtful_truths import doubts
from curate.verifiers.math.final_answers.plain_numbers import number
from curate.verifiers.math.final_answers.response_answers import right_answers

WORD = re.compile(r"[^\W\d_]{2,}")
SIGN = re.compile(r"[\d\\=+*/^<>]")  # of numbers and formulas
FEW_WORDS = 2  # a name that is an answer: "Monday", "not possible"


def doubted(truths: pl.Series) -> dict[str, str]:
    """Return why ground truths seem broken though their references pass ``math``, by their texts."""
    texts = truths.drop_nulls().unique()
    texts = texts.filter(number(texts.str.strip_chars()).is_null())
    return {text: why for text, why in zip(texts, doubts(texts, quick=True), strict=True) if why is not None}


def is_mathematical(truth: str) -> bool:
    """Return whether a ground truth that another verifier cannot read is one of ``math``: no prose, and no data.

    A list of numbers is mathematical; a mapping and a list of texts (broken tests, or calls) are not.
    """
    answer = right_answers(pl.Series([truth.strip()]))[0] or ""
    try:
        held = json.loads(answer)
    except (ValueError, RecursionError):
        held = None
    if isinstance(held, dict) or (isinstance(held, list) and any(isinstance(one, str | dict) for one in held)):
        return False
    return bool(SIGN.search(answer)) or len(WORD.findall(answer)) <= FEW_WORDS
