"""Bring texts that are the same answer to one spelling, and keep all that may change what an answer says.

Each function takes and returns a Series of texts, and is one part of a normalisation. None of them takes away or
replaces a digit, a sign, an operator, a bracket or a symbol: -5, 50%, C#, a-b, 3.5, x², ½ and 5! stay as they are.
"""

import unicodedata

import polars as pl

WORD_END = r"(?:\p{L}[\p{L}\p{M}]|[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}])[\p{M})\]\"'”’»」』]*"
STOPS = "[.。．।۔]"
# A full stop may follow anything but another one: 3.14... and fe80:: are not 3.14 and fe80.
FULL_STOP = rf"(?s)^(.*[^.。．।۔\s]) ?{STOPS}$"
# Other marks end a sentence only after a word of two letters: 5! is a factorial, C: a drive, x? a pattern.
OTHER_MARKS = rf"(?s)^(.*{WORD_END}) ?(?:[!?！？؟]+|[,;:，；：、،؛]|…|\.\.\.)$"
# One word in small letters may be a name in a program (``save!``, ``int?``), unless it is one of prose.
NAME = r"^[\p{Ll}_][\p{Ll}\p{N}_]+[!?]$"
PROSE = (
    r"^(?:yes|no|yeah|yep|nope|ok|okay|true|false|maybe|perhaps|never|always|none|nothing|sure|right|wrong|correct"
    r"|incorrect|hello|hi|bye|thanks|oui|non|si|ja|nein|da|nyet|stop|help|what|who|where|when|why|how)[!?]$"
)
OPENING_MARKS = "^[¿¡] ?"
# Quotation marks around the whole text, with none of their kind inside.
QUOTED = "|".join(
    (
        '^"([^"]+)"$',
        r"^'((?:[^']|\w'\w)+)'$",
        "^“([^“”]+)”$",
        "^‘([^‘’]+)’$",
        "^«([^«»]+)»$",
        "^「([^「」]+)」$",
        "^『([^『』]+)』$",
        "^`([^`]+)`$",
        r"^\*\*([^*]+)\*\*$",
    )
)
INSIDE = "".join(f"${{{group}}}" for group in range(1, 10))
ENDS = rf"[.。．।۔!?！？؟,;:，；：、،؛…\"'”’»」』`*]$|{OPENING_MARKS}"  # of a text that may have marks at its ends
MARKS_INSIDE_MARKS = 3
ARTICLE = r"(?i)(^| )(?:the|an|a) "
INVISIBLE = "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\u00ad"


def _same_characters() -> dict[str, str]:
    """Return characters that are another one in another width or shape, and that one: ５ is 5, − is -, ﬁ is fi."""
    table = dict.fromkeys(INVISIBLE, "")
    table |= dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63", "-")
    table |= dict.fromkeys("‘’‚‛", "'") | dict.fromkeys("“”„‟", '"') | {"…": "..."}
    for code in (*range(0xFB00, 0xFB07), *range(0xFF01, 0xFFEF)):
        kind, *codes = unicodedata.decomposition(chr(code)).split() or [""]
        if kind in ("<wide>", "<narrow>", "<compat>"):
            table[chr(code)] = unicodedata.normalize("NFKC", "".join(chr(int(one, 16)) for one in codes))
    return table


SAME = _same_characters()


def one_typography(text: pl.Series) -> pl.Series:
    """Return the texts with one character for each that has several: accents, widths, dashes, quotes, ligatures.

    Superscripts, fractions, circled digits and digits of other scripts stay, as ``x²`` is not ``x2``.
    """
    beyond_ascii = (text.str.len_bytes() != text.str.len_chars()).fill_null(False)
    if not beyond_ascii.any():
        return text
    some = text.filter(beyond_ascii).str.replace_many(list(SAME), list(SAME.values())).str.normalize("NFC")
    return text.scatter(beyond_ascii.arg_true(), some)


def bare_ends(text: pl.Series) -> pl.Series:
    """Return the texts without the marks of a sentence at their ends and without quotation marks around the whole.

    A text that is nothing else keeps them. Backticks and Markdown's ** count as quotation marks.
    """
    for _ in range(MARKS_INSIDE_MARKS):
        ended = text.str.contains(ENDS).fill_null(False)
        if not ended.any():
            break
        some = text.filter(ended)
        some = some.str.replace(FULL_STOP, "${1}")
        name = (some.str.contains(NAME) & ~some.str.contains(PROSE)).fill_null(False)
        some = some.str.replace(OTHER_MARKS, "${1}").zip_with(~name, some)
        some = some.str.replace(rf"(?s){OPENING_MARKS}(.)", "${1}").str.replace(QUOTED, INSIDE)
        text = text.scatter(ended.arg_true(), some.str.strip_chars())
    return text


def without_articles(text: pl.Series) -> pl.Series:
    """Return the texts without English articles before a word, as SQuAD's evaluation leaves them out."""
    return text.str.replace_all(ARTICLE, "${1}").str.replace_all(ARTICLE, "${1}")
