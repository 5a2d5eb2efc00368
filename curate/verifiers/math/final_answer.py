r"""The final answer of a worked solution: where it stands, and how it is spelled; of columns of texts, in linear time.

It is what stands in the last ``\boxed{}``; else after the last ``####``; else after the last "answer is", "answer:" or
line that begins with "A:"; else the last number of the text.
"""

import polars as pl

TAIL = 8_000  # characters at the end of a response that are looked at
BOXED = r"(?s)^.*\\boxed\s*\{([^{}]*)\}"
NESTED = r"(?s)^.*(\\boxed\s*\{.*)$"
HASHES = r"(?s)^.*####\s*([^\n]*)"
SAID = r"(?i)\banswer\s*(?:is\b|:|=)|\n\s*a:|^\s*a:"
MARK = "\x1e"  # put where SAID is found: splitting there is twice as fast as a regex that looks for the last one
LAST_NUMBER = r"(?s)^(?:.*[^\w.,)\-−/])?([-−]?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?%?)"  # 1/2 is one number
PLAIN = (
    r"^[\s:*=~$€£\\(\[{]*(?P<sign>[-+−]?)\s*\\?[$€£]?\s*(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*|\.\d+)"
    r"\s*\\?(?P<percent>%?)"
    r"(?P<unit>\s+[A-Za-z]{2}[^\d\\^=+/*{}]*|[^\w\\^=+/*\-−({!]*)$"
)
# LaTeX that says how an answer is set, not what it is; after ``strip_string`` of MATH (Hendrycks et al., 2103.03874).
DRESS = [
    (r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|operatorname)\s*\{([^{}]*)\}", "${1}"),
    (r"\\(?:left|right|displaystyle|quad|qquad|big[lr]?|Big[lr]?)\b|\\[!,;:()\[\] ]|[$*]", " "),
    (r"\^\s*\{?\s*\\circ\s*\}?|°", ""),
    (r"\\[dt]frac\b", r"\frac"),
    (r"\\frac\s*(\d)\s*(\d)", r"\frac{${1}}{${2}}"),
    (r"\\sqrt\s*(\w)", r"\sqrt{${1}}"),
    (r"\\(%|\{|\})", "${1}"),
]
PIECE = r"(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*\})"  # brackets within brackets, four deep
BOX = rf"^\\boxed\s*\{{({PIECE}*)\}}"
CHOICE = r"^[\s(\[*]*[A-Za-z][)\]*.!:\s]*$"  # "(B)."
ENDS = " \t\r\n.,;:!?\"'`"


def marked(text: pl.Series) -> pl.Series:
    r"""What stands after the last marker of the surest kind; null where there is none.

    A box with braces inside is given whole, from ``\boxed`` to the end of the text.
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
    parts = texts.str.replace_all(MARK, " ", literal=True).str.replace_all(SAID, MARK).str.split(MARK)
    said = pl.when(parts.list.len() > 1).then(parts.list.last().str.extract(r"^[\s:*]*([^\n]*)"))
    # In prose an exclamation mark is none of mathematics' factorials.
    how = [boxed, texts.str.extract(HASHES).str.strip_chars_end("! "), said.str.strip_chars_end("! ")]
    found = [rows.filter(kind=kind).select("row", answer=answer) for kind, answer in enumerate(how)]
    return pl.concat(found).sort("row")["answer"]


def last_number(text: pl.Series) -> pl.Series:
    """The last number of each text, as it is written there; null where there is none."""
    return text.str.extract(LAST_NUMBER)


def number(text: pl.Series) -> pl.Series:
    """A plain number in one spelling ("1,200.50 dollars" as "1200.5"); null where the text is anything else."""
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
    r"""Return each text's final answer in one spelling, so that equal ones are equal texts; null where there is none.

    A plain number is spelled as ``number`` does; other mathematics without what only sets it (``\left``, ``\dfrac``,
    ``\text{}``, spaces ...); words without regard to case. Nothing is computed: ``1/2`` and ``0.5`` differ.
    """
    text = text.cast(pl.String).str.tail(TAIL).str.strip_chars()
    answer = marked(text)
    # "The answer is below:" marks nothing, "the answer is (B)" does.
    sure = answer.str.contains(rf"[\d\\]|{CHOICE}").fill_null(False) | text.str.contains(r"\\boxed|####")
    rows = pl.DataFrame({"text": text, "answer": answer, "sure": sure}).with_row_index("row")
    last = rows.filter(~pl.col("sure")).select("row", last=pl.col("text").map_batches(last_number, pl.String))
    rows = rows.join(last, on="row", how="left", maintain_order="left")
    rows = rows.select(found=pl.coalesce("last", "answer"))
    # Few answers are different, so that each is spelled once.
    found = rows.unique("found").drop_nulls()["found"]
    bare = _bare(found)
    spelled = pl.DataFrame({"found": found, "number": number(bare), "level": _level(bare)})
    spelled = spelled.select("found", answer=pl.coalesce("number", "level"))
    return rows.join(spelled, on="found", how="left", maintain_order="left")["answer"]


def _bare(answer: pl.Series) -> pl.Series:
    """The answer out of its box and without what only sets it."""
    bare = answer.str.extract(BOX)
    bare = bare.zip_with(bare.is_not_null(), answer.str.replace(r"^\\boxed\s*\{", ""))
    for pattern, put in DRESS:
        bare = bare.str.replace_all(pattern, put)
    return bare.str.strip_chars(ENDS)


def _level(bare: pl.Series) -> pl.Series:
    """What is no plain number: without spaces, a leading ``x =``, and the case of words; null if nothing is left."""
    tight = bare.str.replace_all(r"\s+", "").str.replace(r"^[A-Za-z]=", "").str.replace(r"^\((\w)\)$", "${1}")
    tight = tight.str.replace(r"^(-?)(\d+)/(\d+)$", r"${1}\frac{${2}}{${3}}")
    tight = tight.zip_with(tight.str.contains(r"[\d\\=^+]"), tight.str.to_lowercase())
    return tight.set(tight == "", None)
