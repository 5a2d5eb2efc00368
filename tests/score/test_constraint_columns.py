"""Kinds of constraints over a whole column give what plain Python finds in each text alone, for any text."""

import json
import re
import string

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.score.constraints import score
from curate.verifiers.constraints.text_units import UNSPACED
from tests.score.test_constraints import CASES

# Unassigned characters may be assigned in Rust's newer Unicode; Python alone takes the four separators for white space.
CHARACTERS = st.characters(exclude_categories=["Cn", "Cs"], exclude_characters="\x1c\x1d\x1e\x1f")
PIECES = [
    "*",
    "**",
    "\n",
    "\n\n",
    " ",
    "  ",
    "- ",
    "• a",
    "1. ",
    "2) b",
    "# ",
    "#a",
    "[x]",
    "[",
    "]",
    "<<a>>",
    ">>",
    '"',
    "”",
    "'",
    "’",
    ",",
    "，",
    "A",
    "The",
    "WORD",
    "DON'T",
    "well-known",
    "sea",
    "Sea",
    "_sea_",
    "é",
    "ǅ",
    "٣",
    "1,000.5",
    "!",
    "?",
    "。",
    ".",
    "\t",
    "\u2028",
    "\r\n",
    "\x85",
    "\u00a0",
    "C++",
    "e\u0301",
    "中文",
    "½",
    "ª",
    "P.S. a",
    '{"a": 1}',
    "```",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(CHARACTERS, max_size=5), max_size=12).map("".join)


def words(text):
    return [word for word in text.split() if any(map(str.isalnum, word))]


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def bare(text):
    return [word.strip(string.punctuation + "“”‘’«»…—–•¿¡。！？、，") for word in words(text)]


def plain(text):
    return " ".join(text.translate(str.maketrans("“”‘’", "\"\"''")).lower().split())


# For each kind, its count or whether it holds, in plain Python for one text.
def apart(text):
    """A text with spaces around the characters of scripts that write none between words."""
    return UNSPACED.sub(r" \g<0> ", text)


PLAIN = {
    "lowercase": str.islower,
    "uppercase": str.isupper,
    "title_case": lambda t: not any(w[:1].islower() for w in bare(t)) and any(map(str.isupper, t)),
    "all_caps_words": lambda t: sum(w.isupper() and sum(map(str.isalpha, w)) > 1 for w in words(t)),
    "letter_frequency": lambda t: t.lower().count("e"),
    "no_commas": lambda t: not any(map(t.count, ",，、،")),
    "no_digits": lambda t: not re.search(r"\d", t),
    "ascii_only": str.isascii,
    "n_numbers": lambda t: len(re.findall(r"\d+(?:[.,]\d+)*", t)),
    "n_exclamations": lambda t: t.count("!"),
    "ends_with_question": lambda t: t.rstrip().endswith(("?", "？")),
    "max_chars": lambda t: len(t.strip()),
    "max_words": lambda t: len(words(t)),
    "max_word_length": lambda t: max((sum(map(str.isalnum, w)) for w in words(t)), default=0),
    "unique_words": lambda t: len(bare(t.lower())) == len(set(bare(t.lower()))),
    "keyword_count": lambda t: len(re.findall(r"(?<![^\W_])sea(?![^\W_])", plain(apart(t)))),
    "keywords": lambda t: all(re.search(rf"(?<![^\W_]){w}(?![^\W_])", plain(apart(t))) for w in ("sea", "the")),
    "n_paragraphs": lambda t: len([p for p in re.split(r"\n\s*\n", t) if p.strip()]),
    "n_lines": lambda t: len(lines(t)),
    "n_bullets": lambda t: sum(line[0] in "-*+•" and line[1:2].isspace() for line in lines(t)),
    "sections": lambda t: sum(re.match(r"#{1,6}\s", line) is not None for line in lines(t)),
    "highlights": lambda t: len(re.findall(r"\*{1,2}[^*\s][^*\n]*\*{1,2}", t)),
    "n_placeholders": lambda t: len(re.findall(r"\[[^\[\]\n]+\]", t)),
    "title": lambda t: any(found.strip() for found in re.findall(r"<<([^<>\n]+)>>", t)),
    "quotation": lambda t: len(t.strip()) > 2 and re.match(r'["“”].*["“”]\Z', t.strip(), re.S) is not None,
    "keywords:existence": lambda t: "sea" in t.lower(),
    "detectable_content:number_placeholders": lambda t: len(re.findall(r"\[[^\]\n]*\]", t)),
    "punctuation:no_comma": lambda t: "," not in t,
}
GIVEN = {
    "letter_frequency": {"letter": "E"},
    "keyword_count": {"word": "Sea"},
    "keywords": {"words": ["sea", "THE"]},
    "keywords:existence": {"keywords": ["SEA"]},
    "detectable_content:number_placeholders": {"num_placeholders": 1},
}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6))
@example(["ǅ", "ª", "\u2028a", "a\x85b", "sea中文"])
def test_a_column_gives_what_plain_python_finds_in_each_text(texts):
    rows = [(kind, text) for kind in PLAIN for text in texts if re.search(r"[^\W_]", text)]
    truths = [json.dumps([{"kind": kind, **GIVEN.get(kind, {}), **counted(kind)}]) for kind, _ in rows]
    result = score(pl.Series([text for _, text in rows], dtype=pl.String), pl.Series(truths, dtype=pl.String))
    for (kind, text), value, detail in zip(rows, result["value"], result["detail"], strict=True):
        expected = PLAIN[kind](text)
        (verdict,) = sum(json.loads(detail).values(), [])
        assert (bool(value) if isinstance(expected, bool) else verdict["found"]) == expected, (kind, text)


def counted(kind):
    """The expected number of a kind that counts."""
    return {"n": 1} if not isinstance(PLAIN[kind]("a"), bool) and ":" not in kind else {}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.lists(st.sampled_from(CASES), min_size=1, max_size=3)), min_size=1, max_size=4))
def test_a_row_gives_alone_what_it_gives_among_others(rows):
    texts = pl.Series([text for text, _ in rows])
    truths = pl.Series([json.dumps([{"kind": case[0], **case[1]} for case in cases]) for _, cases in rows])
    together = score(texts, truths)
    for row, (_, cases) in enumerate(rows):
        assert score(texts[row : row + 1], truths[row : row + 1]).equals(together[row : row + 1], null_equal=True)
        verdicts = json.loads(together["detail"][row])
        assert len(verdicts["passed"]) / (len(verdicts["passed"]) + len(verdicts["failed"])) == together["value"][row]
        assert sorted(case[0] for case in cases) == sorted(
            one["kind"] for one in verdicts["passed"] + verdicts["failed"]
        )
