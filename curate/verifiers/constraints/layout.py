"""The kinds of format constraints about the layout of a text: lines, lists, marks, JSON and CSV."""

import csv

import polars as pl

from curate.algorithms.text.text_columns import AT_LINE, line_count, straight, with_line_feeds
from curate.verifiers.constraints.forms import (
    Found,
    How,
    Phrase,
    Phrases,
    PhraseValue,
    Verdicts,
    Whole,
    compare,
    each,
    only_where,
)
from curate.verifiers.constraints.text_units import from_json, lines_of, plain


def n_paragraphs(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of paragraphs."""
    # All but the last end at a blank line with text behind it.
    return compare(texts.str.strip_chars().str.count_matches(r"\n\s*\n") + 1, n, how)


def n_lines(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of lines."""
    return compare(line_count(texts), n, how)


def single_line(texts: pl.Series) -> Verdicts:
    """Exactly one line."""
    found = line_count(texts).cast(pl.Int64)
    return found == 1, found


@each
def each_line_starts_with(text: str, prefix: PhraseValue) -> tuple[bool, Found]:
    """Every line starts with exactly the prefix; found: how many do not."""
    found = sum(not line.startswith(prefix) for line in lines_of(text))
    return found == 0, found


def n_bullets(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of lines that begin with - * + or • and a space."""
    return compare(with_line_feeds(texts).str.count_matches(AT_LINE + r"[-*+•][^\S\n]+\S"), n, how)


def numbered_list(texts: pl.Series, n: Whole) -> Verdicts:
    """The lines that begin with a number and . or ) are numbered 1 to n in this order; found: how many there are."""
    numbers = with_line_feeds(texts).str.extract_all(AT_LINE + r"[0-9]{1,4}[.)][^\S\n]+\S")
    numbers = numbers.list.eval(pl.element().str.extract(r"([0-9]+)"))
    found = numbers.list.len().cast(pl.Int64)
    expected = pl.select(pl.int_ranges(1, found + 1).list.eval(pl.element().cast(pl.String))).to_series()
    return (numbers == expected) & (found == n), found


def sections(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of Markdown headers: lines that begin with one to six # and a space."""
    return compare(with_line_feeds(texts).str.count_matches(AT_LINE + r"#{1,6}[^\S\n]+\S"), n, how)


def highlights(texts: pl.Series, n: Whole, how: How = "at_least") -> Verdicts:
    """Number of texts *between single* or **double** asterisks."""
    return compare(texts.str.count_matches(r"\*{1,2}[^*\s][^*\n]*\*{1,2}"), n, how)


def n_placeholders(texts: pl.Series, n: Whole, how: How = "at_least") -> Verdicts:
    """Number of texts in square brackets, such as [name]."""
    return compare(texts.str.count_matches(r"\[[^\[\]\n]+\]"), n, how)


def n_hashtags(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of hashtags: # and letters or digits without a space."""
    return compare(texts.str.count_matches(r"(?:^|[^\w#])#\w+"), n, how)


def title(texts: pl.Series) -> Verdicts:
    """A title in <<double angle brackets>> occurs."""
    return texts.str.contains(r"<<[^<>\n]*[^<>\s][^<>\n]*>>"), None


def quotation(texts: pl.Series) -> Verdicts:
    """The whole text is between double quotes, straight or curly."""
    texts = straight(texts.str.strip_chars())
    return texts.str.starts_with('"') & texts.str.ends_with('"') & (texts.str.len_chars() > 2), None


def postscript(texts: pl.Series, marker: Phrase) -> Verdicts:
    """A line after the first begins with the marker, such as P.S., and has text behind it."""
    begin = marker.str.to_lowercase().str.extract(r"^([^\s'\"“”‘’]*)").fill_null("")
    likely = texts.str.to_lowercase().str.contains(pl.lit(begin), literal=True)
    return only_where(likely, has_postscript, texts, marker=marker)


@each
def has_postscript(text: str, marker: str) -> tuple[bool, Found]:
    """Check ``postscript`` for one text."""
    marker = plain(marker)
    rest = (plain(line) for line in lines_of(text)[1:])
    return any(line.startswith(marker) and len(line) > len(marker) for line in rest), None


@each
def two_responses(text: str) -> tuple[bool, Found]:
    """Two different texts separated by ******."""
    parts = [p.strip() for p in text.split("******")]
    return len(parts) == 2 and all(parts) and parts[0] != parts[1], None


def csv_fields(texts: pl.Series, n: Whole) -> Verdicts:
    """One line of exactly n values separated by commas, none of them blank; found: how many it has."""
    return only_where(line_count(texts) == 1, is_csv, texts, n=n)


@each
def is_csv(text: str, n: int) -> tuple[bool, Found]:
    """Check ``csv_fields`` for one line."""
    try:
        (row,) = csv.reader(lines_of(text), strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        return False, None
    return len(row) == n and all(map(str.strip, row)), len(row)


def json_keys(texts: pl.Series, keys: Phrases) -> Verdicts:
    """A JSON object with exactly these keys, with or without a ```json fence; found: how many it has."""
    return only_where(texts.str.contains(r"^\s*[`{]"), is_object, texts, keys=keys)


@each
def is_object(text: str, keys: list[str]) -> tuple[bool, Found]:
    """Check ``json_keys`` for one text."""
    found = from_json(text)
    return (set(found) == set(keys), len(found)) if isinstance(found, dict) else (False, None)


def json_list(texts: pl.Series, n: Whole) -> Verdicts:
    """A JSON list of exactly n items, with or without a ```json fence; found: how many it has."""
    return only_where(texts.str.contains(r"^\s*[`\[]"), is_list, texts, n=n)


@each
def is_list(text: str, n: int) -> tuple[bool, Found]:
    """Check ``json_list`` for one text."""
    found = from_json(text)
    return (len(found) == n, len(found)) if isinstance(found, list) else (False, None)
