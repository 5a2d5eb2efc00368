r"""1.0 where the response's final answer equals the ground truth's, 0.0 where it does not: numbers, LaTeX, sets.

The final answer is what stands in the last ``\boxed{}``; else after the last ``####``; else after the last "answer
is", "answer:" or line that begins with "A:"; else the last number of the text. ``ground_truth`` is an answer, or a
whole worked solution that ends with one in the same ways (GSM8K). Where both answers are plain numbers
they are compared as such (18 = 18.00 = $18 = 18 dollars); the rest is left to math-verify, which compares symbolically.

An answer that would take unbounded work to check (towers of powers, huge factorials, sums, integrals, more than
``LONGEST`` characters) is not checked: null, with the reason, never 0.0.
"""

import logging
import re
import threading
from collections.abc import Callable
from functools import cache

import polars as pl

TAIL = 8_000  # characters at the end of a response that are looked at
LONGEST = 300  # characters of an answer that is compared symbolically
DEEPEST = 12  # brackets within brackets in one: the time to parse them doubles with each
MOST_POWER = 10_000  # product of the exponents from 10 up in one
SECONDS = 5  # for math-verify to take, where it can be stopped (signals reach the main thread only)
MARKERS = {
    "boxed": r"(?s)^.*\\boxed\s*\{([^{}]*)\}",
    "hashes": r"(?s)^.*####\s*([^\n]*)",
    "said": r"(?is)^.*(?:\banswer\s*(?:is\b|:|=)|\n\s*a:|^\s*a:)[\s:*]*([^\n]*)",
}
LAST_NUMBER = r"(?s)^(?:.*[^\w.,)\-−])?([-−]?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)%?)"
PLAIN = (
    r"^[\s:*=~$€£\\(\[{]*(?P<sign>[-+−]?)\s*\\?[$€£]?\s*(?P<digits>\d[\d,]*\.?\d*|\.\d+)\s*\\?(?P<percent>%?)"
    r"(?P<unit>\s+[A-Za-z]{2}[^\d\\^=+/*{}]*|[^\w\\^=+/*\-−({!]*)$"
)
COSTLY = re.compile(
    r"\\(?:int|sum|prod|lim)|\^\s*\{?[^{}+\-*/=,\s]*\^|\w\*\*(?:\w+\*\*\w|\s*\()|(?:!|binom).*\d{4}|\d{4}.*(?:!|binom)|!.*!|\d{40}"
)
EXPONENT = re.compile(r"(?:\^|\*\*)\s*\{?\s*-?(\d+)")
PROSE = re.compile(r"[A-Za-z]{4,}")


def score(response: pl.Series, ground_truth: pl.Series) -> pl.DataFrame:
    """Return ``value`` (1.0, 0.0 or null), ``detail`` (the answer found in the response) and ``error``."""
    rows = pl.DataFrame({
        "response": response.cast(pl.String).str.tail(TAIL).str.strip_chars(),
        "truth": ground_truth.cast(pl.String).str.tail(TAIL).str.strip_chars(),
    })  # fmt: skip
    rows = rows.with_columns(answer=_marked("response"), gold=_marked("truth").fill_null(pl.col("truth")))
    rows = rows.with_columns(gold_number=_number("gold"))
    # "The answer is below:" marks nothing: a number is wanted, so the last one of the text is taken.
    unmarked = pl.col("gold_number").is_not_null() & ~pl.col("answer").fill_null("").str.contains(r"[\d\\]")
    last = pl.col("response").str.extract(LAST_NUMBER)
    rows = rows.with_columns(answer=pl.when(unmarked).then(last).otherwise("answer"), unmarked=unmarked)
    rows = rows.with_columns(number=_number("answer"))
    percent = pl.col("answer").str.contains("%") | pl.col("gold").str.contains("%")
    same = pl.col("number") == pl.col("gold_number")
    nothing = pl.col("unmarked") & pl.col("answer").is_null()  # no marker and no number: there is no answer to be right
    rows = rows.select(
        "response", "truth", "answer", "gold",
        value=pl.when(same).then(1.0).when(nothing | (~same & ~percent)).then(0.0),
        error=pl.when(pl.col("truth").fill_null("") == "").then(pl.lit("no ground_truth"))
        .when(pl.col("response").is_null()).then(pl.lit("no response")),
    )  # fmt: skip
    rows = rows.with_columns(value=pl.when(pl.col("error").is_null()).then("value"))
    return _symbolic(rows).select("value", detail=pl.col("answer").str.head(LONGEST), error="error")


def _marked(column: str) -> pl.Expr:
    """What stands after the last marker of the surest kind; null where there is none."""
    text = pl.col(column)
    # In prose an exclamation mark is none of mathematics' factorials.
    said = pl.coalesce(text.str.extract(MARKERS[kind]).str.strip_chars_end("! ") for kind in ("hashes", "said"))
    nested = text.str.extract(r"(?s)^.*(\\boxed\s*\{.*)$")
    # A box with braces inside goes to math-verify whole.
    return pl.when(nested.is_null()).then(said).otherwise(pl.coalesce(nested.str.extract(MARKERS["boxed"]), nested))


def _number(column: str) -> pl.Expr:
    """A plain number in one spelling ("1,200.50 dollars" as "1200.5"); null where the text is anything else."""
    parts = pl.col(column).str.extract_groups(PLAIN)
    digits = parts.struct.field("digits").str.replace_all(",", "").str.strip_chars_start("0")
    decimal = pl.when(digits.str.contains(".", literal=True)).then(
        digits.str.strip_chars_end("0").str.strip_chars_end(".")).otherwise(digits)  # fmt: skip
    decimal = pl.when(decimal == "").then(pl.lit("0")).otherwise(decimal)
    minus = parts.struct.field("sign").is_in(["-", "−"]) & (decimal != "0")
    number = pl.when(minus).then(pl.lit("-") + decimal).otherwise(decimal)
    return pl.when(~parts.struct.field("unit").str.contains(r"(?i)^\s+pi\b")).then(number)


def _symbolic(rows: pl.DataFrame) -> pl.DataFrame:
    """Fill in the rows that are neither decided nor in error."""
    rows = rows.with_row_index("row")
    open_ = rows.filter(pl.col("value").is_null() & pl.col("error").is_null())
    if open_.is_empty():
        return rows
    seconds = SECONDS if threading.current_thread() is threading.main_thread() else None
    read = _reader(seconds)
    end = pl.col("response").str.tail(LONGEST)
    texts = open_.select("gold", pl.col("answer").fill_null(end)).iter_rows()
    verdicts = [_compare(gold, answer, seconds, read) for gold, answer in texts]
    found = pl.DataFrame(
        {"row": open_["row"], "found": [v[0] for v in verdicts], "problem": [v[1] for v in verdicts]},
        schema_overrides={"found": pl.Float64, "problem": pl.String},
    )
    rows = rows.join(found, on="row", how="left", maintain_order="left")
    return rows.with_columns(value=pl.coalesce("value", "found"), error=pl.coalesce("error", "problem"))


def _compare(
    gold: str, answer: str, seconds: int | None, read: Callable[[str], list]
) -> tuple[float | None, str | None]:
    """Compare two answers by math-verify; ``read`` turns a text into expressions. Returns (value, error)."""
    from math_verify import verify
    from math_verify.errors import TimeoutException

    if problem := _problem(gold, prose=True):
        return None, f"ground_truth is {problem}: {gold[:60]!r}"
    if problem := _problem(answer):
        return None, f"answer is {problem}"
    try:
        if not read(gold):
            return None, f"ground_truth is no mathematical answer: {gold[:60]!r}"
        return float(verify(read(gold), read(answer), timeout_seconds=seconds, raise_on_error=True)), None
    except TimeoutException:
        return None, f"answer took more than {SECONDS} s to check"
    except Exception as error:  # sympy raises nearly anything on what it cannot compare
        return None, f"answer could not be compared: {type(error).__name__}"


def _reader(seconds: int | None) -> Callable[[str], list]:
    """Return a function that reads an answer into sympy expressions (none where it cannot), each text once."""
    from math_verify import parse
    from math_verify.errors import TimeoutException

    for part in ("parser", "grader", "utils"):  # they warn of every answer they cannot read
        logging.getLogger(f"math_verify.{part}").setLevel(logging.CRITICAL)

    def parsed(text: str) -> list:
        try:
            return parse(text, fallback_mode="no_fallback", parsing_timeout=seconds, raise_on_error=True)
        except TimeoutException:
            raise
        except Exception:  # the grammar raises nearly anything on what is no mathematics
            return []

    @cache
    def read(text: str) -> list:
        marked = text if re.search(r"\\boxed|\$.*\$|\\\(|\\\[", text) else f"${text}$"
        # Read as LaTeX first, but a sentence first as a sentence: "$clear, 7 of them$" would be a product.
        first, second = (text, marked) if PROSE.search(_bare(text)) else (marked, text)
        return parsed(first) or parsed(second)

    return read


def _problem(answer: str, prose: bool = False) -> str | None:
    """Say why an answer cannot be compared symbolically, or nothing. With ``prose``, words alone are a reason."""
    if len(answer) > LONGEST:
        return f"longer than {LONGEST} characters"
    powers, depth, deepest = 1, 0, 0
    for power in EXPONENT.findall(answer):
        powers *= int(power[:9]) if len(power) > 1 else 1
    for character in answer:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if powers > MOST_POWER or deepest > DEEPEST or COSTLY.search(answer):
        return "too costly to check"
    if prose and PROSE.search(_bare(answer)) and not re.search(r"[\d=+*/^\\]", answer):
        return "no mathematical answer"
    return None


def _bare(answer: str) -> str:
    """The answer without LaTeX's commands."""
    return re.sub(r"\\[A-Za-z]+", "", answer)
