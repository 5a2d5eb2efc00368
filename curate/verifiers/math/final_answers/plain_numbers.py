"""Read numbers in columns of texts: a text that is one number, and the last number of a text. In linear time."""

import polars as pl

from curate.algorithms.text.distinct_texts import over_distinct

LONGEST = 120  # bytes of a plain number with its unit
PLAIN = (
    r"^[\s:*=~$€£\\(\[{]*(?P<sign>[-+−]?)\s*\\?[$€£]?\s*(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?"
    r"|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*\\?(?P<percent>%?)"
    r"(?P<unit>\s+[A-Za-z]{2}[^\p{N}\\^=+/*{}]*|[^\w\p{N}\\^=+/*\-−({!]*)$"
)
# Words behind a number that change its value, so that it is more than the number.
CHANGED = (
    r"(?i)\b(?:pi|hundreds?|thousand|k|millions?|billions?|trillions?|dozens?|gross|lakhs?|crores?|half|halves|thirds?"
    r"|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|hundredths?|thousandths?|over|plus|minus"
    r"|tens?|zero|par|under|negative|reciprocal|doubled|tripled|fold|(?:eleven|twelf|\w+teen|\w+tie|million|billion)ths?"
    r"|times|divided|multiplied|squared|cubed|power|factorial|mod|modulo|sqrt|square|root|degrees? (?:c|f)|base|choose"
    r"|and|or|to|not|but|per ?cent|percent|per ?mille|permille|less|more|greater|at least|at most|from|negative"
    r"|north|south|east|west|left|right|up|down|above|below|clockwise|counterclockwise|b\.?c\.?|a\.?d\.?"
    r"|[ap]\.?m\.?|o'clock)\b"
)
# Names that a number behind them belongs to: "in Python 3" has no answer.
NAMED = (
    r"(?i)\b(?:python|java|c|version|ver\.?|windows|ios|android|gpt|step|figure|fig\.?|equation|eq\.?|theorem|lemma)"
    r"[ -]?\(?#?\d+(?:\.\d+)*\b"
    r"|\b(?-i:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?\b(?:, \d{4})?"
)
# Numbers that a text denies, and points: "it cannot be 12", "(3, 4)".
DENIED = (
    r"(?i)(?:\b(?:wrong|incorrect)\s+answer\s+is|\bnot|\bcannot|n't|\bnever)\s+(?:be\s+|equal\s+(?:to\s+)?)?[-$]?\d[\d.,]*\b"
    r"|\(\s*-?[\d.]+(?:,\s+-?[\d.]+)+\s*\)"
)
MIXED = "\u2064"  # invisible plus: joins "2 1/2"
TEN = r"(?:\s?(?:×|x|\*|\\times|\\cdot)\s?10\s?\^\s?\{?[-−+]?\d+\}?|[eE][-−+]?\d+)"  # a power of ten
WORD = r"(?:[kKMB]n?\b|\s+(?:hundred|thousand|million|billion|trillion|dozen|pi|and\s+a\s+half)\b)"  # changes its value
DIGITS = rf"(?:\d+{MIXED}\d+/\d+|\d+(?:,\d+)*(?:\.\d+)?(?:/\d+)?|\.\d+)"  # 2 1/2 is one number, and 1/2
NUMBER = rf"[-−]?\\?[$€£¥]{{0,2}}[-−]?{DIGITS}{TEN}?(?:\\?%)?{WORD}?"
# A number stands in no word, exponent, index, fraction, date, time or version; a unit may be stuck to it.
SCRIPT = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}"  # written without spaces around a number
HELD = r"\\(?:boxed|fbox|text|textbf|mathbf|mathrm)\s*\{\s*"  # commands whose text may be a number
BEFORE = (
    rf"(?:.*(?:[^\w\p{{N}}.,()\-−–/^{{:\\$€£¥√{MIXED}]|(?:^|[^\w)])\(|[{SCRIPT}]|\D:|[^\w}}^{{]\{{|{HELD}"
    r"|(?:^|\W)(?:US|CA|AU|NZ|HK|R)))?"
)
UNIT = r"(?:[kcm]?m|[km]?g|[km]?l|[KMG]B|s|h|hr|hrs|min|ft|in|lbs?|oz|mph|km/h)"
AFTER = rf"{UNIT}?(?:[^\w\p{{N}}.,:/^\-−–]|[{SCRIPT}]|[.,:\-−–](?:\W|$)|$)"
LAST_NUMBER = rf"(?s)^{BEFORE}({NUMBER}){AFTER}"


def last_number(text: pl.Series) -> pl.Series:
    """Return the last number of each text as written; null where there is none."""
    text = text.str.replace_all(NAMED, "").str.strip_chars()
    for pattern, put in (
        (r"([=:(≈]\s*[-−])\s+(\d)", "${1}${2}"),  # "x = - 7"
        (r"(\d)\s+(\d+/\d+)", f"${{1}}{MIXED}${{2}}"),
        (r"(\d)[\x{A0}\x{202F}\x{2009}](\d{3})|(\d) (000)\b", "${1}${3},${2}${4}"),  # 12 000
        (DENIED, " "),
    ):
        text = text.str.replace_all(pattern, put)
    return text.str.extract(LAST_NUMBER).str.replace(MIXED, " ")


def number(text: pl.Series) -> pl.Series:
    """Return plain numbers in one spelling ("1,200.50 dollars" as "1200.5"); null for any other text.

    A number with words that change its value ("5 thousand", "5 pi", "5 and a half") is no plain number.
    """
    return over_distinct(text, _number)


def _number(text: pl.Series) -> pl.Series:
    short = (text.str.len_bytes() <= LONGEST).fill_null(False)
    if not short.all():
        found = pl.Series("number", [None], dtype=pl.String).new_from_index(0, len(text))
        return found.scatter(short.arg_true(), _number(text.filter(short))) if short.any() else found
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
    units = parts["unit"]
    rows = (units.str.len_bytes() > 2).fill_null(False).arg_true()
    found = parts.select(number=plain)["number"]
    if not len(rows):
        return found
    changed = rows.filter(units.gather(rows).str.contains(CHANGED).fill_null(False))
    return found.scatter(changed, None) if len(changed) else found


def has_unit(text: pl.Series) -> pl.Series:
    """Return whether a plain number has letters, a percent or a currency sign around it (Boolean, null for null)."""
    return text.str.contains(r"\p{L}|[$€£¥%°]")
