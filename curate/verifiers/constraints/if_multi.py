"""The types of instruction that IF_multi_constraints (open-instruct's IFEvalG, arXiv 2507.02833) adds to IFEval's.

Each is a kind under the set's name, with its parameters. Where a check of the set says another thing than its
instruction, the instruction counts: words are compared without the punctuation around them and in any case, sentences
are those of ``text_units``, a palindrome has three letters or more, and the divider ``* * *`` may be ``***``.
"""

import re

import polars as pl

from curate.algorithms.text.text_columns import in_words
from curate.verifiers.constraints import ifeval
from curate.verifiers.constraints.forms import (
    Found,
    Kind,
    Long,
    LongValue,
    PhraseValue,
    Relation,
    Verdicts,
    Whole,
    WholeValue,
    each,
    related,
)
from curate.verifiers.constraints.rlvr import DIVIDER
from curate.verifiers.constraints.text_units import PUNCTUATION, sentences_of, whole_words

Verdict = tuple[bool, Found]
HYPHENS = re.compile(r"(?<=[.!?…])-")


def bare(word: str) -> str:
    """Return a word as it is compared: in lower case, without punctuation around it."""
    return word.strip(PUNCTUATION).lower()


@each
def repeat_phrase(text: str, phrase: PhraseValue, small_n: WholeValue) -> Verdict:
    """Exactly this number of times the phrase occurs with one of its inner words replaced; found: how often."""
    words, expected = [bare(word) for word in text.split()], [bare(word) for word in phrase.split()]
    ends = expected[0], expected[-1]
    windows = (words[start : start + len(expected)] for start in range(len(words) - len(expected) + 1))
    runs = [window for window in windows if (window[0], window[-1]) == ends]
    changed = [sum(one != other for one, other in zip(run, expected, strict=True)) for run in runs]
    return len(runs) == small_n and all(count == 1 for count in changed), len(runs)


def copy(texts: pl.Series, prompt_to_repeat: Long) -> Verdicts:
    """The text is the request, in any case, and nothing else."""
    given, request = (some.str.strip_chars().str.to_lowercase() for some in (texts, prompt_to_repeat))
    return given == request, None


@each
def copying_multiple(text: str, prompt_to_repeat: LongValue, N: WholeValue) -> Verdict:  # noqa: N803
    """The text is the request, this number of times, separated by ******; found: the number of parts."""
    parts = [part.strip().lower() for part in text.split("******")]
    request = prompt_to_repeat.strip().lower()
    return len(parts) == N and all(part == request for part in parts), len(parts)


@each
def copy_span_idx(text: str, prompt_to_repeat: LongValue, n_start: WholeValue, n_end: WholeValue) -> Verdict:
    """The text is the request's characters from one index to the other, which may be included or not."""
    request, given = prompt_to_repeat, text.strip().lower()
    return given in {request[n_start:end].strip().lower() for end in (n_end, n_end + 1)}, None


@each
def sentence_hyphens(text: str) -> Verdict:
    """The sentences are joined by hyphens, without spaces; found: the number of parts."""
    parts = HYPHENS.split(text.strip())
    return all(part == part.strip() and len(sentences_of(part)) == 1 for part in parts), len(parts)


@each
def no_adjacent_consecutive(text: str) -> Verdict:
    """No word begins with the letter of the alphabet that follows the first letter of the word before it."""
    first = [ord(word[0]) if "a" <= word[0] <= "z" else 0 for word in map(bare, text.split()) if word]
    return all(not one or other - one != 1 for one, other in zip(first, first[1:], strict=False)), None


@each
def square_brackets(text: str) -> Verdict:
    """Every word is in square brackets; punctuation may follow; found: how many are not."""
    outside = sum(not (word.startswith("[") and word.rstrip(".,;:!?").endswith("]")) for word in text.split())
    return outside == 0, outside


@each
def word_once(text: str, keyword: PhraseValue) -> Verdict:
    """The keyword occurs once, in any case, also inside a word."""
    found = text.lower().count(keyword.strip().lower())
    return found == 1, found


@each
def exclude_word_harder(text: str, keyword: PhraseValue) -> Verdict:
    """The keyword does not occur as a whole word, in any case; found: how often it does."""
    found = whole_words(text, keyword)
    return found == 0, found


def two_paragraphs(texts: pl.Series) -> Verdicts:
    """Two paragraphs, separated by ***."""
    return ifeval.number_paragraphs(texts, num_paragraphs=pl.Series([2]).new_from_index(0, len(texts)))


@each
def two_blocks(text: str) -> Verdict:
    """Two paragraphs, separated by an empty line."""
    found = len(text.strip().split("\n\n"))
    return found == 2, found


@each
def first_word_sent(text: str, first_word: PhraseValue) -> Verdict:
    """Every sentence begins with the word; found: how many do not."""
    found = sum(bare(sentence[0]) != bare(first_word) for sentence in sentences_of(text))
    return found == 0, found


@each
def first_word_answer(text: str, first_word: PhraseValue) -> Verdict:
    """The text begins with the word; found: its first word."""
    found = bare(text.split()[0])
    return found == bare(first_word), found


@each
def last_word_sent(text: str, last_word: PhraseValue) -> Verdict:
    """Every sentence ends with the word; found: how many do not."""
    ends = (next((word for token in sentence[::-1] if (word := bare(token))), "") for sentence in sentences_of(text))
    found = sum(end != bare(last_word) for end in ends)
    return found == 0, found


@each
def last_word_answer(text: str, last_word: PhraseValue) -> Verdict:
    """The text ends with the word; found: its last word."""
    found = bare(text.split()[-1])
    return found == bare(last_word), found


@each
def bigram_wrapping(text: str) -> Verdict:
    """Every two words are in <<double angle brackets>>; a word left over at the end may be outside."""
    words = text.split()
    pairs = list(zip(words[::2], words[1::2], strict=False))
    wrapped = all(one.startswith("<<") and other.rstrip(".,;:!?").endswith(">>") for one, other in pairs)
    return wrapped and words[0].startswith("<<"), None


def punctuation_dot(texts: pl.Series) -> Verdicts:
    """No full stop anywhere."""
    return ~texts.str.contains(".", literal=True), None


def punctuation_exclamation(texts: pl.Series) -> Verdicts:
    """No exclamation mark."""
    return ~texts.str.contains("!", literal=True), None


@each
def lowercase_counting(text: str, N: WholeValue) -> Verdict:  # noqa: N803
    """At most this number of words of small letters alone."""
    found = len(re.findall(r"\b[a-z]+\b", text))
    return found <= N, found


def letter_counting(texts: pl.Series, N: Whole, relation: Relation) -> Verdicts:  # noqa: N803
    """Number of letters from A to Z."""
    return related(texts.str.count_matches("[A-Za-z]"), N, relation)


@each
def counting_composition(text: str, n_sent: WholeValue, n_words: WholeValue) -> Verdict:
    """Three paragraphs between dividers, each of this number of sentences, each of this number of words."""
    parts = [sentences_of(part) for part in DIVIDER.split(text)]
    words = [sum(any(map(str.isalnum, token)) for token in sentence) for part in parts for sentence in part]
    return len(parts) == 3 and all(len(part) == n_sent for part in parts) and set(words) == {n_words}, len(parts)


def count_unique(texts: pl.Series) -> Verdicts:
    """No word occurs twice, in any case; found: the number of repeats."""
    words = in_words(texts.str.to_lowercase())
    found = words.list.len().cast(pl.Int64) - words.list.n_unique().cast(pl.Int64)
    return found == 0, found


@each
def count_increment_word(text: str, keyword1: PhraseValue, keyword2: PhraseValue) -> Verdict:
    """The first keyword occurs once and the second twice, in any case, also inside a word."""
    low = text.lower()
    return (low.count(keyword1.strip().lower()), low.count(keyword2.strip().lower())) == (1, 2), None


@each
def palindrome(text: str) -> Verdict:
    """A word of three letters or more is the same from behind; found: the first such word."""
    words = (bare(word) for word in text.split())
    found = next((word for word in words if len(word) > 2 and word.isalpha() and word == word[::-1]), None)
    return found is not None, found


@each
def keyword_specific_position(text: str, keyword: PhraseValue, n: WholeValue, m: WholeValue) -> Verdict:
    """The mth word of the nth sentence is the keyword; found: that word."""
    sentences = sentences_of(text)
    words = [word for token in sentences[n - 1] if (word := bare(token))] if 0 < n <= len(sentences) else []
    found = words[m - 1] if 0 < m <= len(words) else None
    return found == bare(keyword), found


@each
def start_end(text: str) -> Verdict:
    """The first word is the last one too, in any case, with nothing behind it."""
    words = text.split()
    return len(words) > 1 and bare(words[0]) == words[-1].lower(), None


# The set's name of a type -> its check.
MULTI_INSTRUCTIONS: dict[str, Kind] = {
    "copy:repeat_phrase": repeat_phrase,
    "copy:copy": copy,
    "copy:copying_simple": copy,
    "copy:copying_multiple": copying_multiple,
    "new:copy_span_idx": copy_span_idx,
    "detectable_format:sentence_hyphens": sentence_hyphens,
    "detectable_format:square_brackets": square_brackets,
    "detectable_format:bigram_wrapping": bigram_wrapping,
    "keywords:no_adjacent_consecutive": no_adjacent_consecutive,
    "keywords:word_once": word_once,
    "keywords:word_count_different_numbers": ifeval.frequency,
    "keywords:exclude_word_harder": exclude_word_harder,
    "keywords:palindrome": palindrome,
    "keywords:keyword_specific_position": keyword_specific_position,
    "keywords:start_end": start_end,
    "paragraphs:paragraphs": two_paragraphs,
    "paragraphs:paragraphs2": two_blocks,
    "first_word:first_word_sent": first_word_sent,
    "first_word:first_word_answer": first_word_answer,
    "last_word:last_word_sent": last_word_sent,
    "last_word:last_word_answer": last_word_answer,
    "punctuation:punctuation_dot": punctuation_dot,
    "punctuation:punctuation_exclamation": punctuation_exclamation,
    "count:lowercase_counting": lowercase_counting,
    "count:counting_composition": counting_composition,
    "count:count_unique": count_unique,
    "count:count_increment_word": count_increment_word,
    "letters:letter_counting": letter_counting,
    "letters:letter_counting2": ifeval.letter_frequency,
}
