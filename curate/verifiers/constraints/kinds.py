"""The kinds of format constraints that ``score: constraints`` checks, and those about letters, words and phrases.

To add a kind, write its function here or in ``layout`` and name it in ``KINDS``. ``forms`` defines its parameters and
results, ``text_units`` a word, sentence, line, paragraph and phrase. Texts may be hostile and long: every check takes
time proportional to the text.
"""

from functools import reduce

import polars as pl

from curate.algorithms.text.text_columns import (
    ALNUM,
    STUCK,
    begin_with,
    end_with,
    in_words,
    lowercase_only,
    plain,
    times,
    uppercase_only,
    where,
    word_count,
)
from curate.verifiers.constraints import layout
from curate.verifiers.constraints.forms import (
    How,
    Kind,
    Letter,
    Phrase,
    Phrases,
    Verdicts,
    Whole,
    compare,
    missing,
)
from curate.verifiers.constraints.if_multi import MULTI_INSTRUCTIONS
from curate.verifiers.constraints.ifeval import INSTRUCTIONS
from curate.verifiers.constraints.rlvr import FUNCTIONS
from curate.verifiers.constraints.sentence_counts import sentence_counts
from curate.verifiers.constraints.text_units import PUNCTUATION

SOME = 16  # times the longest phrase, and this: as much of a text is read at first to compare its start or end
SPARE = 3  # characters beyond a phrase that tell how it goes on, whatever was cut behind
LARGE = r"[^\s\p{Lowercase}\p{Lt}]"  # a character of a word in capitals
CAPITAL = r"[\p{L}--[\p{Lowercase}\p{Lt}]]"
ALL_CAPS = rf"(?:^|\s){LARGE}*{CAPITAL}{LARGE}*{CAPITAL}{LARGE}*(?:\s|$)"


def zero(found: pl.Series) -> Verdicts:
    """Return whether counts are 0, and the counts."""
    return found == 0, found.cast(pl.Int64)


def lowercase(texts: pl.Series) -> Verdicts:
    """No capital letter, and at least one lower-case letter."""
    return lowercase_only(texts), None


def uppercase(texts: pl.Series) -> Verdicts:
    """No lower-case letter, and at least one capital."""
    return uppercase_only(texts), None


def title_case(texts: pl.Series) -> Verdicts:
    """Every word that begins with a letter begins with a capital; found: how many do not."""
    small = texts.str.count_matches(rf"(?:^|\s){STUCK}*\p{{Lowercase}}")
    return (small == 0) & texts.str.contains(r"\p{Uppercase}"), small.cast(pl.Int64)


def all_caps_words(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of words of two or more letters that are all capitals."""
    # Spaces are doubled, so that every word has its own on both sides. Most texts have no such word: a fast check
    # first.
    some = texts.str.contains(ALL_CAPS)
    found = texts.filter(some).str.replace_all(r"(\s)", "${1}${1}").str.extract_all(ALL_CAPS)
    capitals = found.list.eval(pl.element().str.contains(r"\p{Uppercase}")).list.sum()
    return compare(where(pl.Series([0], dtype=pl.UInt32).new_from_index(0, len(texts)), some, capitals), n, how)


def letter_frequency(texts: pl.Series, letter: Letter, n: Whole, how: How = "at_least") -> Verdicts:
    """Number of times the letter occurs, in any case."""
    return compare(texts.str.to_lowercase().str.count_matches(letter.str.to_lowercase(), literal=True), n, how)


def no_letter(texts: pl.Series, letter: Letter) -> Verdicts:
    """The letter does not occur, in any case (a lipogram)."""
    return zero(texts.str.to_lowercase().str.count_matches(letter.str.to_lowercase(), literal=True))


def no_commas(texts: pl.Series) -> Verdicts:
    """No comma of any script."""
    return zero(texts.str.count_matches("[,，、،]"))


def no_digits(texts: pl.Series) -> Verdicts:
    """No decimal digit."""
    return zero(texts.str.count_matches(r"\d"))


def ascii_only(texts: pl.Series) -> Verdicts:
    """Only ASCII: no accents, curly quotes or emoji."""
    return texts.str.len_bytes() == texts.str.len_chars(), None


def n_numbers(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of numbers written in digits; digits joined by . or , are one number, such as 1,000.5."""
    return compare(texts.str.count_matches(r"\d+(?:[.,]\d+)*"), n, how)


def n_exclamations(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of exclamation marks."""
    return compare(texts.str.count_matches("!", literal=True), n, how)


def n_questions(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of question marks."""
    return compare(texts.str.count_matches("?", literal=True), n, how)


def ends_with_question(texts: pl.Series) -> Verdicts:
    """The last character is a question mark."""
    end = texts.str.strip_chars_end().str.tail(1)
    return end.is_in(["?", "？"]), None


def max_chars(texts: pl.Series, n: Whole) -> Verdicts:
    """At most n characters, white space at the ends not counted."""
    return compare(texts.str.strip_chars().str.len_chars(), n, "at_most")


def max_words(texts: pl.Series, n: Whole) -> Verdicts:
    """At most n words."""
    return compare(word_count(texts), n, "at_most")


def min_words(texts: pl.Series, n: Whole) -> Verdicts:
    """At least n words."""
    return compare(word_count(texts), n, "at_least")


def n_words(texts: pl.Series, n: Whole) -> Verdicts:
    """Exactly n words."""
    return compare(word_count(texts), n, "exactly")


def words_between(texts: pl.Series, least: Whole, most: Whole) -> Verdicts:
    """From least to most words, both included."""
    found = word_count(texts).cast(pl.Int64)
    return (found >= least) & (found <= most), found


def max_word_length(texts: pl.Series, n: Whole) -> Verdicts:
    """No word has more than n letters and digits; found: the most."""
    bare = texts.str.replace_all(r"[^\p{L}\p{N}\s]+", "").str.replace_all(r"[\s--\x20]", " ").str.split(" ")
    longest = bare.list.eval(pl.element().str.len_chars()).list.max()
    return compare(longest, n, "at_most")


def unique_words(texts: pl.Series) -> Verdicts:
    """No word occurs twice, in any case; found: the number of repeats."""
    words = in_words(texts.str.to_lowercase())
    return zero(words.list.len().cast(pl.Int64) - words.list.n_unique())


def keywords(texts: pl.Series, words: Phrases) -> Verdicts:
    """Every one of the phrases occurs; found: the missing ones."""
    return missing([count == 0 for count in times(texts, words)], words)


def keyword_count(texts: pl.Series, word: Phrase, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of times the phrase occurs."""
    return compare(times(texts, [word])[0], n, how)


def forbidden_words(texts: pl.Series, words: Phrases) -> Verdicts:
    """None of the phrases occurs; found: those that do."""
    return missing([count > 0 for count in times(texts, words)], words)


def starts_with(texts: pl.Series, phrase: Phrase) -> Verdicts:
    """The text starts with the phrase. If the phrase ends in a letter or digit, the word has to end there too."""
    phrase, part = plain(phrase), _part(phrase)
    begun = plain(texts.str.head(part))
    cut = _cut(begun, phrase, texts, part)
    return begin_with(where(begun, cut, plain(texts.filter(cut))) if cut.any() else begun, phrase), None


def _part(phrases: pl.Series) -> int:
    """Return how many characters of a text are read at first: some times the longest phrase."""
    return SOME * (1 + int(phrases.str.len_chars().to_numpy().max(initial=0)))


def _cut(read: pl.Series, phrase: pl.Series, texts: pl.Series, part: int) -> pl.Series:
    """Return where too little is left of the part that was ``read`` of a text, and there is more of it."""
    rows = pl.DataFrame([read.alias("read"), phrase.alias("phrase"), texts.alias("text")])
    short = pl.col("read").str.len_chars() < pl.col("phrase").str.len_chars() + SPARE
    return rows.select(short & (pl.col("text").str.len_chars() > part)).to_series()


def ends_with(texts: pl.Series, phrase: Phrase) -> Verdicts:
    """The text ends with the phrase. If the phrase ends in a letter or digit, punctuation may follow."""
    phrase, part = plain(phrase), _part(phrase)
    bare = phrase.str.contains(rf"{ALNUM}\z")
    end = without_end(plain(texts.str.tail(part)), bare)
    cut = _cut(end, phrase, texts, part)
    if cut.any():
        end = where(end, cut, without_end(plain(texts.filter(cut)), bare.filter(cut)))
    return end_with(end, phrase), None


def without_end(texts: pl.Series, rows: pl.Series) -> pl.Series:
    """Return the texts, without the punctuation at their ends where ``rows`` is true."""
    return texts.str.strip_chars_end(PUNCTUATION + " ").zip_with(rows, texts)


def one_of(texts: pl.Series, options: Phrases) -> Verdicts:
    """The text is one of the options and nothing else; punctuation around it is ignored."""
    text, *bare = (plain(some).str.strip_chars(PUNCTUATION + " ") for some in (texts, *options))
    return reduce(pl.Series.__or__, (text == option for option in bare)), None


def n_sentences(texts: pl.Series, n: Whole, how: How = "exactly") -> Verdicts:
    """Number of sentences."""
    return compare(sentence_counts(texts)[0], n, how)


def max_sentence_words(texts: pl.Series, n: Whole) -> Verdicts:
    """No sentence has more than n words; found: the most."""
    return compare(sentence_counts(texts)[1], n, "at_most")


KINDS: dict[str, Kind] = (
    INSTRUCTIONS
    | MULTI_INSTRUCTIONS
    | FUNCTIONS
    | {
        check.__name__: check
        for check in (
            lowercase,
            uppercase,
            title_case,
            all_caps_words,
            letter_frequency,
            no_letter,
            no_commas,
            no_digits,
            ascii_only,
            n_numbers,
            n_exclamations,
            n_questions,
            ends_with_question,
            max_chars,
            max_words,
            min_words,
            n_words,
            words_between,
            max_word_length,
            unique_words,
            keywords,
            keyword_count,
            forbidden_words,
            starts_with,
            ends_with,
            one_of,
            n_sentences,
            max_sentence_words,
            layout.n_paragraphs,
            layout.n_lines,
            layout.single_line,
            layout.each_line_starts_with,
            layout.n_bullets,
            layout.numbered_list,
            layout.sections,
            layout.highlights,
            layout.n_placeholders,
            layout.n_hashtags,
            layout.title,
            layout.quotation,
            layout.postscript,
            layout.two_responses,
            layout.csv_fields,
            layout.json_keys,
            layout.json_list,
        )
    }
)
