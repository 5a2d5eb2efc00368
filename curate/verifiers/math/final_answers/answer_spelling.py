r"""Spell final answers so that equal answers are equal texts, for majority voting: nothing is computed.

Plain numbers are spelled as by ``plain_numbers.number``; other mathematics loses typesetting (``\left``, ``\dfrac``,
``\text{}``, spaces ...: ``reading.spelling``); words lose case. ``1/2`` and ``0.5`` differ.
"""

import re

import polars as pl

from curate.algorithms.text.distinct_texts import over_distinct
from curate.verifiers.math.final_answers.choice_letters import IS_CHOICE
from curate.verifiers.math.final_answers.final_answer import TAIL, marked
from curate.verifiers.math.final_answers.plain_numbers import last_number, number
from curate.verifiers.math.reading.spelling import clean, key

FRACTION = re.compile(r"(-?)(\d+)/(\d+)")
ASSIGNED = re.compile(r"[A-Za-z]=(?=[^=])")
LETTER = re.compile(r"\(?([A-Za-z0-9])\)?[.:]?")


def answers(text: pl.Series) -> pl.Series:
    """Return each text's final answer in one spelling; null if it has none."""
    text = text.cast(pl.String).str.strip_chars()
    answer = marked(text)
    # "The answer is below:" marks no answer, "the answer is (B)" does.
    sure = answer.str.contains(rf"[\d\\]|{IS_CHOICE}").fill_null(False)
    sure |= text.str.contains(r"\\f?boxed|####").fill_null(False)
    rows = pl.DataFrame({"text": text, "answer": answer, "sure": sure}).with_row_index("row")
    unsure = rows.filter(~pl.col("sure"))
    last = unsure.select("row", last=pl.col("text").str.tail(TAIL).map_batches(last_number, pl.String))
    rows = rows.join(last, on="row", how="left", maintain_order="left")
    return over_distinct(rows.select(found=pl.coalesce("last", "answer"))["found"], _spellings)


def _spellings(found: pl.Series) -> pl.Series:
    spelled = pl.Series("answer", [None if one is None else _spelled(one) for one in found], dtype=pl.String)
    plain = number(spelled).set(spelled.str.contains(r"[€£¥]"), None)
    return pl.select(pl.coalesce(plain, spelled)).to_series()


def _spelled(answer: str) -> str | None:
    """Return an answer without typesetting, a leading ``x =``, brackets around a letter and the case of words."""
    spelled = ASSIGNED.sub("", key(clean(answer)), count=1) if "=" in answer else key(clean(answer))
    spelled = re.sub(r"\^\{?\\circ\}?", "", spelled)
    if found := FRACTION.fullmatch(spelled):
        spelled = rf"{found[1]}\frac{{{found[2]}}}{{{found[3]}}}"
    elif found := LETTER.fullmatch(spelled):
        spelled = found[1]
    words = (len(spelled) > 2 or spelled.lower() == "no") and not re.search(r"[\d\\=^+]", spelled)
    return (spelled.lower().rstrip("!?") if words else spelled) or None
