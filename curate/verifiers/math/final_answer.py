r"""Find the final answer of worked solutions and normalise its spelling, for columns of texts, in linear time.

The final answer is the text in the last ``\boxed{}``; else after the last ``####``; else after the last "answer is",
"answer:" or line that begins with "A:"; else the last number of the text.
"""

import polars as pl

TAIL = 8_000  # characters at the end of a response that are searched
BOXED = r"(?s)^.*\\boxed\s*\{([^{}]*)\}"
NESTED = r"(?s)^.*(\\boxed\s*\{.*)$"
HASHES = r"(?s)^.*####\s*([^\n]*)"
ANSWER_IS = r"(?i)\banswer\s*(?:is\b|:|=)|\n\s*a:|^\s*a:"
MARK = "\x1e"  # replaces matches of ANSWER_IS: splitting there is twice as fast as a regex for the last match
LAST_NUMBER = r"(?s)^(?:.*[^\w.,)\-−/])?([-−]?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?%?)"  # 1/2 is one number
PLAIN = (
    r"^[\s:*=~$€£\\(\[{]*(?P<sign>[-+−]?)\s*\\?[$€£]?\s*(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*|\.\d+)"
    r"\s*\\?(?P<percent>%?)"
    r"(?P<unit>\s+[A-Za-z]{2}[^\d\\^=+/*{}]*|[^\w\\^=+/*\-−({!]*)$"
)
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
PIECE = r"(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*\})"  # nested brackets, four levels deep
BOX = rf"^\\boxed\s*\{{({PIECE}*)\}}"
CHOICE = r"^[\s(\[*]*[A-Za-z][)\]*.!:\s]*$"  # "(B)."
ENDS = " \t\r\n.,;:!?\"'`"


def marked(text: pl.Series) -> pl.Series:
    r"""Return the text after the last marker of the first kind that occurs: box, ####, "answer is"; null without one.

    A box with braces inside is returned whole, from ``\boxed`` to the end of the text.
    """
    rows = pl.DataFrame({"text": text}).with_columns(
        row=pl.int_range(pl.len()),
        kind=pl.when(pl.col("text").str.contains(r"\\boxed\s*\{"))
        .then(0)
        .when(pl.col("text").str.contains("####", literal=True))
        .then(1)
        .otherwise(2),
    )
    texts = pl.col("text")
    boxed = pl.coalesce(texts.str.extract(NESTED).str.extract(BOXED), texts.str.extract(NESTED))
    parts = texts.str.replace_all(MARK, " ", literal=True).str.replace_all(ANSWER_IS, MARK).str.split(MARK)
    stated = pl.when(parts.list.len() > 1).then(parts.list.last().str.extract(r"^[\s:*]*([^\n]*)"))
    # In prose an exclamation mark is no factorial.
    by_kind = [boxed, texts.str.extract(HASHES).str.strip_chars_end("! "), stated.str.strip_chars_end("! ")]
    found = [rows.filter(kind=kind).select("row", answer=answer) for kind, answer in enumerate(by_kind)]
    return pl.concat(found).sort("row")["answer"]


def last_number(text: pl.Series) -> pl.Series:
    """Return the last number of each text as written; null where there is none."""
    return text.str.extract(LAST_NUMBER)


def number(text: pl.Series) -> pl.Series:
    """Return plain numbers in one spelling ("1,200.50 dollars" as "1200.5"); null for any other text."""
    parts = text.str.extract_groups(PLAIN).struct.unnest()
    digits = pl.col("digits").str.replace_all(",", "").str.strip_chars_start("0")
    decimal = (
        pl.when(digits.str.contains(".", literal=True))
        .then(digits.str.strip_chars_end("0").str.strip_chars_end("."))
        .otherwise(digits)
    )
    decimal = pl.when(decimal == "").then(pl.lit("0")).otherwise(decimal)
    minus = pl.col("sign").is_in(["-", "−"]) & (decimal != "0")
    plain = pl.when(minus).then(pl.lit("-") + decimal).otherwise(decimal)
    return parts.select(number=pl.when(~pl.col("unit").str.contains(r"(?i)^\s+pi\b")).then(plain))["number"]


def answers(text: pl.Series) -> pl.Series:
    r"""Return each text's final answer, spelled so that equal answers are equal texts; null if it has none.

    Plain numbers are spelled as by ``number``; other mathematics loses typesetting (``\left``, ``\dfrac``, ``\text{}``,
    spaces ...); words lose case. Nothing is computed: ``1/2`` and ``0.5`` differ.
    """
    text = text.cast(pl.String).str.tail(TAIL).str.strip_chars()
    answer = marked(text)
    # "The answer is below:" marks no answer, "the answer is (B)" does.
    sure = answer.str.contains(rf"[\d\\]|{CHOICE}").fill_null(False) | text.str.contains(r"\\boxed|####")
    rows = pl.DataFrame({"text": text, "answer": answer, "sure": sure}).with_row_index("row")
    last = rows.filter(~pl.col("sure")).select("row", last=pl.col("text").map_batches(last_number, pl.String))
    rows = rows.join(last, on="row", how="left", maintain_order="left")
    rows = rows.select(found=pl.coalesce("last", "answer"))
    # Many answers are the same, so each distinct one is spelled once.
    found = rows.unique("found").drop_nulls()["found"]
    bare = _bare(found)
    spelled = pl.DataFrame({"found": found, "number": number(bare), "normalised": _normalised(bare)})
    spelled = spelled.select("found", answer=pl.coalesce("number", "normalised"))
    return rows.join(spelled, on="found", how="left", maintain_order="left")["answer"]


def _bare(answer: pl.Series) -> pl.Series:
    """Return the answer out of its box and without typesetting."""
    bare = answer.str.extract(BOX)
    bare = bare.zip_with(bare.is_not_null(), answer.str.replace(r"^\\boxed\s*\{", ""))
    for pattern, put in TYPESETTING:
        bare = bare.str.replace_all(pattern, put)
    return bare.str.strip_chars(ENDS)


def _normalised(bare: pl.Series) -> pl.Series:
    """Return answers without spaces, a leading ``x =``, and the case of words; null if nothing is left."""
    tight = bare.str.replace_all(r"\s+", "").str.replace(r"^[A-Za-z]=", "").str.replace(r"^\((\w)\)$", "${1}")
    tight = tight.str.replace(r"^(-?)(\d+)/(\d+)$", r"${1}\frac{${2}}{${3}}")
    tight = tight.zip_with(tight.str.contains(r"[\d\\=^+]"), tight.str.to_lowercase())
    return tight.set(tight == "", None)
