"""The 25 functions of RLVR-IFEval (open-instruct's ``if_functions``) as kinds of constraints, under their names.

``{"kind": "verify_paragraph_count", "N": 2}``; ``recorded_lists`` reads the form that the set has,
``{"func_name": "verify_paragraph_count", "N": 2, "quantifier": null}``. ``around`` is within a tenth of a number of
words, within one of a number of sentences, and exactly the number of words in capitals.

Where a function says another thing than its instruction, the instruction counts: white space at the ends of the text is
ignored, a divider is ``***`` or ``* * *``, a choice is the whole of an option, sentences also end in "!", a section
begins with its mark (text before the first one is none), and titles, lists, highlights, quotes and JSON are as IFEval
has them.
"""

import re

import polars as pl

from curate.verifiers.constraints import ifeval
from curate.verifiers.constraints.forms import (
    Character,
    Found,
    Kind,
    Language,
    Long,
    Phrases,
    PhraseValue,
    PhraseValues,
    QuantifierValue,
    Verdicts,
    Whole,
    WholeValue,
    compare,
    each,
    missing,
)
from curate.verifiers.constraints.text_units import sentence_lengths, whole_words

Verdict = tuple[bool, Found]
DIVIDER = re.compile(r"\*{3}|\* \* \*")


def verify_keywords(texts: pl.Series, keyword_list: Phrases) -> Verdicts:
    """Every keyword occurs, in any case, also inside a word; found: the missing ones."""
    return ifeval.existence(texts, keywords=keyword_list)


@each
def verify_keyword_frequency(text: str, word: PhraseValue, N: WholeValue) -> Verdict:  # noqa: N803
    """Exactly this number of times the word occurs as a whole word, in any case."""
    found = whole_words(text, word)
    return found == N, found


def validate_forbidden_words(texts: pl.Series, forbidden_words: Phrases) -> Verdicts:
    """None of the words occurs, in any case, not even inside a word; found: those that do."""
    low = texts.str.to_lowercase()
    found = [low.str.contains(pl.lit(word.str.to_lowercase()), literal=True) for word in forbidden_words]
    return missing(found, forbidden_words)


def verify_letter_frequency(texts: pl.Series, letter: Character, N: Whole) -> Verdicts:  # noqa: N803
    """Exactly this number of times the letter occurs, in this case."""
    return compare(texts.str.count_matches(letter, literal=True), N, "exactly")


def validate_response_language(texts: pl.Series, language: Language) -> Verdicts:
    """The text is in the language (ISO 639-1)."""
    return ifeval.response_language(texts, language=language)


@each
def verify_paragraph_count(text: str, N: WholeValue) -> Verdict:  # noqa: N803
    """Exactly this number of paragraphs between dividers, none of them blank."""
    parts = DIVIDER.split(text)
    return len(parts) == N and all(part.strip() for part in parts), len(parts)


@each
def validate_word_constraint(text: str, N: WholeValue, quantifier: QuantifierValue) -> Verdict:  # noqa: N803
    """Number of words between white space."""
    found = len(text.split())
    return quantified(found, N, quantifier, max(round(N * 0.1), 1)), found


@each
def verify_sentence_constraint(text: str, N: WholeValue, quantifier: QuantifierValue) -> Verdict:  # noqa: N803
    """Number of sentences."""
    found = len(sentence_lengths(text))
    return quantified(found, N, quantifier, 1), found


@each
def validate_paragraphs(text: str, N: WholeValue, first_word: PhraseValue, i: WholeValue) -> Verdict:  # noqa: N803
    """Exactly this number of paragraphs between empty lines; the ith begins with the word, in this case."""
    parts = [part.strip() for part in text.strip().split("\n\n")]
    word = first_word.strip()
    nth = parts[i - 1] if 0 < i <= len(parts) else ""
    begins = nth.startswith(word) and whole_words(nth[: len(word) + 1], word) == 1
    return len(parts) == N and begins, len(parts)


@each
def verify_postscript(text: str, postscript_marker: PhraseValue) -> Verdict:
    """The marker occurs in this case, and text follows it."""
    _, marker, rest = text.partition(postscript_marker.strip())
    return bool(marker and rest.strip()), None


def validate_placeholders(texts: pl.Series, N: Whole) -> Verdicts:  # noqa: N803
    """At least this number of texts in square brackets."""
    return ifeval.number_placeholders(texts, num_placeholders=N)


def verify_bullet_points(texts: pl.Series, N: Whole) -> Verdicts:  # noqa: N803
    """Exactly this number of lines that begin with one * or with -."""
    return ifeval.number_bullet_lists(texts, num_bullets=N)


@each
def validate_choice(text: str, options: PhraseValues) -> Verdict:
    """The text is one of the options, apart from white space and a full stop at the end."""
    options = [option for given in options for option in (given, *given.split("/"))] if len(options) == 1 else options
    return text.strip().removesuffix(".") in [option.strip().removesuffix(".") for option in options], None


def validate_highlighted_sections(texts: pl.Series, N: Whole) -> Verdicts:  # noqa: N803
    """At least this number of texts *between asterisks*."""
    return ifeval.number_highlighted_sections(texts, num_highlights=N)


@each
def validate_sections(text: str, N: WholeValue, section_splitter: PhraseValue) -> Verdict:  # noqa: N803
    """Exactly this number of sections, each beginning with the mark; one without a letter may stand between them."""
    parts = text.strip().split(section_splitter.strip())
    between = not any(map(str.isalnum, section_splitter)) and bool(parts[0].strip())
    found = len(parts) if between else len(parts) - 1
    return found == N, found


def validate_repeat_prompt(texts: pl.Series, original_prompt: Long) -> Verdicts:
    """The text begins with the request, in this case."""
    return texts.str.strip_chars_start().str.starts_with(pl.lit(original_prompt.str.strip_chars())), None


def validate_uppercase(texts: pl.Series) -> Verdicts:
    """No small letter."""
    return texts == texts.str.to_uppercase(), None


def validate_lowercase(texts: pl.Series) -> Verdicts:
    """No capital letter."""
    return texts == texts.str.to_lowercase(), None


@each
def validate_frequency_capital_words(text: str, N: WholeValue, quantifier: QuantifierValue) -> Verdict:  # noqa: N803
    """Number of words of the letters A to Z in capitals alone."""
    found = len(re.findall(r"\b[A-Z]+\b", text))
    return quantified(found, N, quantifier, 0), found


def validate_end(texts: pl.Series, end_phrase: Long) -> Verdicts:
    """The text ends with the phrase, in this case."""
    return texts.str.strip_chars_end().str.ends_with(pl.lit(end_phrase.str.strip_chars_end())), None


def quantified(found: int, n: int, quantifier: str, tolerance: int) -> bool:
    """Return whether a number is at least, at most, exactly or around ``n``."""
    distances = {"at least": found >= n, "at most": found <= n, "exactly": found == n}
    return distances.get(quantifier, abs(found - n) <= tolerance)


# The set's name of a function -> its check.
FUNCTIONS: dict[str, Kind] = {
    check.__name__: check
    for check in (
        verify_keywords,
        verify_keyword_frequency,
        validate_forbidden_words,
        verify_letter_frequency,
        validate_response_language,
        verify_paragraph_count,
        validate_word_constraint,
        verify_sentence_constraint,
        validate_paragraphs,
        verify_postscript,
        validate_placeholders,
        verify_bullet_points,
        validate_choice,
        validate_highlighted_sections,
        validate_sections,
        validate_repeat_prompt,
        validate_uppercase,
        validate_lowercase,
        validate_frequency_capital_words,
        validate_end,
    )
} | {
    "validate_title": ifeval.title,
    "validate_json_format": ifeval.json_format,
    "validate_two_responses": ifeval.two_responses,
    "validate_quotation": ifeval.quotation,
    "validate_no_commas": ifeval.no_comma,
}
