"""Fold the characters that are another way to write the same text; none that changes a value.

Folded are Unicode's compatibility forms (NFKC) of full-width and half-width letters, ligatures, Arabic presentation
forms, radicals, spaces and units; then curly quotes and primes into straight ones, and the minus sign, hyphens and the
en dash into "-". Not folded, as NFKC changes a value there: superscripts and subscripts (x² is not x2), fractions (½),
circled, bracketed and Roman numbers (①), squared units (㎡), letters of a mathematical font (ℝ), Greek letters as
symbols. The result is composed (NFC).
"""

import re
import unicodedata
from functools import cache

import polars as pl

KEPT_TAGS = ("<super>", "<sub>", "<fraction>", "<circle>", "<square>", "<font>")  # of Unicode's decompositions
TYPOGRAPHY = {
    **dict.fromkeys("‐‑–−", "-"),
    **dict.fromkeys("“”„‟″", '"'),
    **dict.fromkeys("‘’‚‛ʼ′", "'"),
}
HANGUL = re.compile("[\u1100-\u11ff]")  # letters that compose with their neighbours are not folded into
LAST = 0x20000  # no code point from here on has a form to fold (but canonical ones, which NFC composes)


@cache
def folded_forms() -> dict[str, str]:
    """Return each character that is folded, and its form: one or several characters."""
    forms = {}
    for code in range(0x80, LAST):
        letter = chr(code)
        tag = unicodedata.decomposition(letter).split(" ")[0]
        if tag.startswith("<") and tag not in KEPT_TAGS:
            form = unicodedata.normalize("NFKC", letter)
            if tag != "<compat>" or _keeps_value(letter, form):
                forms[letter] = form.translate(str.maketrans(TYPOGRAPHY))
    return {letter: form for letter, form in forms.items() if not HANGUL.search(form)} | TYPOGRAPHY


def _keeps_value(letter: str, form: str) -> bool:
    """Whether the compatibility form of a character means the same: no number, accent or symbol of its own."""
    symbol = "\u03d0" <= letter <= "\u03ff" or "\u2135" <= letter <= "\u2138"  # Greek and Hebrew letters
    accent = len(form) > 1 and form[0] == " "
    return not (symbol or accent or re.search(r"\d", form) or unicodedata.category(letter) in ("No", "Nl", "Sk", "Lm"))


@cache
def _pattern() -> str:
    return "[" + "".join(f"\\x{{{ord(letter):X}}}" for letter in folded_forms()) + "]"


def fold_forms(text: pl.Series) -> pl.Series:
    """Return the texts with folded characters, composed (NFC); texts of ASCII alone stay as they are, and null null."""
    beyond = (text.str.len_bytes() != text.str.len_chars()).fill_null(False)
    if not beyond.any():
        return text
    some = text.filter(beyond)
    odd = some.str.contains(_pattern())
    if odd.any():
        table = str.maketrans(folded_forms())
        changed = pl.Series([held.translate(table) for held in some.filter(odd)], dtype=pl.String)
        some = some.scatter(odd.arg_true(), changed)
    return text.clone().scatter(beyond.arg_true(), some.str.normalize("NFC"))
