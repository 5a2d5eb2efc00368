r"""Spell final answers so that equal answers are equal texts, for majority voting: nothing is computed.

Plain numbers are spelled as by ``plain_numbers.number``; other mathematics loses typesetting (``\left``, ``\dfrac``,
``\text{}``, spaces ...); words lose case. ``1/2`` and ``0.5`` differ.
"""

import polars as pl

from curate.verifiers.math.final_answers.final_answer import IS_CHOICE, TAIL, marked
from curate.verifiers.math.final_answers.plain_numbers import last_number, number

# LaTeX that changes the typesetting of an answer only; after ``strip_string`` of MATH (Hendrycks et al., 2103.03874).
TYPESETTING = [
    (r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|operatorname)\s*\{([^{}]*)\}", "${1}"),
    (r"\\(?:left|right|displaystyle|quad|qquad|big[lr]?|Big[lr]?)\b|\\[!,;:()\[\] ]|[$*]", " "),
    (r"\^\s*\{?\s*\\circ\s*\}?|°", ""),
    (r"\\[dt]frac\b", r"\frac"),
    (r"\\frac\s*(\d)\s*(\d)", r"\frac{${1}}{${2}}"),
    (r"\\sqrt\s*(\w)", r"\sqrt{${1}}"),
    (r"\\(%|\{|\})", "${1}"),
]
ENDS = " \t\r\n.,;:!?\"'`"


def answers(text: pl.Series) -> pl.Series:
    """Return each text's final answer in one spelling; null if it has none."""
    text = text.cast(pl.String).str.strip_chars()
    answer = marked(text)
    # "The answer is below:" marks no answer, "the answer is (B)" does.
    sure = answer.str.contains(rf"[\d\\]|{IS_CHOICE}").fill_null(False) | text.str.contains(
        r"\\f?boxed|####"
    ).fill_null(False)
    rows = pl.DataFrame({"text": text, "answer": answer, "sure": sure}).with_row_index("row")
    last = rows.filter(~pl.col("sure")).select(
        "row", last=pl.col("text").str.tail(TAIL).map_batches(last_number, pl.String)
    )
    rows = rows.join(last, on="row", how="left", maintain_order="left")
    rows = rows.select(found=pl.coalesce("last", "answer"))
    # Many answers are the same, so each distinct one is spelled once.
    found = rows.unique("found").drop_nulls()["found"]
    bare = _bare(found)
    spelled = pl.DataFrame({"found": found, "number": number(bare), "normalised": _normalised(bare)})
    spelled = spelled.select("found", answer=pl.coalesce("number", "normalised"))
    return rows.join(spelled, on="found", how="left", maintain_order="left")["answer"]


def _bare(answer: pl.Series) -> pl.Series:
    """Return the answer without typesetting."""
    for pattern, put in TYPESETTING:
        answer = answer.str.replace_all(pattern, put)
    return answer.str.strip_chars(ENDS)


def _normalised(bare: pl.Series) -> pl.Series:
    """Return answers without spaces, a leading ``x =``, and the case of words; null if nothing is left."""
    tight = bare.str.replace_all(r"\s+", "").str.replace(r"^[A-Za-z]=", "").str.replace(r"^\((\w)\)$", "${1}")
    tight = tight.str.replace(r"^(-?)(\d+)/(\d+)$", r"${1}\frac{${2}}{${3}}")
    tight = tight.zip_with(tight.str.contains(r"[\d\\=^+]"), tight.str.to_lowercase())
    return tight.set(tight == "", None)
