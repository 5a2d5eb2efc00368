r"""IFEval's 25 types of instruction (arXiv 2311.07911) as kinds of constraints, with its own checks (strict accuracy).

Each is a kind under IFEval's name, with IFEval's parameters:
``{"kind": "length_constraints:number_words", "relation": "less than", "num_words": 100}``. ``recorded_lists`` reads the
form in which IFEval and open-instruct's data write the instructions of a prompt.

Differences from google-research's instruction_following_eval: keywords and markers are texts, not regular expressions;
languages are recognised by py3langid, not langdetect, and sentences as ``text_units`` defines them, not by NLTK's punkt
model; tokens for capital words are close to NLTK's. Hostile texts take linear time.
"""

import json
import re

import polars as pl

from curate.algorithms.text.language import detect
from curate.algorithms.text.text_columns import lowercase_only, uppercase_only
from curate.verifiers.constraints.forms import (
    Character,
    Found,
    Kind,
    Language,
    Long,
    Phrase,
    Phrases,
    PhraseValue,
    PhraseValues,
    Relation,
    RelationValue,
    Verdicts,
    Whole,
    WholeValue,
    each,
    is_related,
    missing,
    related,
)
from curate.verifiers.constraints.sentence_counts import sentence_counts
from curate.verifiers.constraints.text_units import whole_words

Verdict = tuple[bool, Found]
OPTIONS = ["My answer is yes.", "My answer is no.", "My answer is maybe."]
POSTSCRIPTS = {"P.S.": r"p\.\s?s\.", "P.P.S": r"p\.\s?p\.\s?s"}
CONTRACTION = re.compile(r"(?i)(n't|'(?:s|m|d|ll|re|ve))$")


def existence(texts: pl.Series, keywords: Phrases) -> Verdicts:
    """Every keyword occurs, in any case, also inside a word; found: the missing ones."""
    low = texts.str.to_lowercase()
    return missing([~low.str.contains(pl.lit(word.str.to_lowercase()), literal=True) for word in keywords], keywords)


def frequency(texts: pl.Series, keyword: Phrase, frequency: Whole, relation: Relation) -> Verdicts:
    """Number of times the keyword occurs, in any case, also inside a word."""
    keyword = keyword.str.strip_chars().str.to_lowercase()
    return related(texts.str.to_lowercase().str.count_matches(keyword, literal=True), frequency, relation)


@each
def forbidden_words(text: str, forbidden_words: PhraseValues) -> Verdict:
    """None of the words occurs as a whole word, in any case; found: those that do."""
    present = [word for word in forbidden_words if whole_words(text, word)]
    return not present, present


def letter_frequency(texts: pl.Series, letter: Character, let_frequency: Whole, let_relation: Relation) -> Verdicts:
    """Number of times a letter, or any one character, occurs, in any case."""
    found = texts.str.to_lowercase().str.count_matches(letter.str.to_lowercase(), literal=True)
    return related(found, let_frequency, let_relation)


def response_language(texts: pl.Series, language: Language) -> Verdicts:
    """The text is in the language (ISO 639-1). A text too short to recognise passes, as in IFEval."""
    found = detect(texts)["language"]
    expected = language.str.to_lowercase().str.extract(r"^([^-]*)")
    return (found == expected).fill_null(True), found


def number_sentences(texts: pl.Series, num_sentences: Whole, relation: Relation) -> Verdicts:
    """Number of sentences."""
    return related(sentence_counts(texts)[0], num_sentences, relation)


@each
def number_paragraphs(text: str, num_paragraphs: WholeValue) -> Verdict:
    """Exactly this number of paragraphs, separated by ***; blank ones only at the beginning or end."""
    parts = [bool(part.strip()) for part in text.split("***")]
    return all(parts[1:-1]) and sum(parts) == num_paragraphs, sum(parts)


def number_words(texts: pl.Series, num_words: Whole, relation: Relation) -> Verdicts:
    r"""Number of words, each a run of letters, digits and underscores ("well-known" is two, and so is "don't")."""
    return related(texts.str.count_matches(r"\w+"), num_words, relation)


@each
def nth_paragraph_first_word(
    text: str, num_paragraphs: WholeValue, nth_paragraph: WholeValue, first_word: PhraseValue
) -> Verdict:
    """Exactly this number of paragraphs, separated by empty lines; the nth begins with the word; found: that word."""
    parts = text.split("\n\n")
    count = sum(bool(part.strip()) for part in parts)
    nth = parts[nth_paragraph - 1].split() if 0 < nth_paragraph <= count else []
    word = re.split(r"[.,?!'\"]", nth[0].lstrip("'").lstrip('"'), maxsplit=1)[0].lower() if nth else None
    return count == num_paragraphs and word == first_word.lower(), word


def number_placeholders(texts: pl.Series, num_placeholders: Whole) -> Verdicts:
    """At least this number of texts in square brackets, such as [address]."""
    found = texts.str.count_matches(r"\[[^\]\n]*\]").cast(pl.Int64)
    return found >= num_placeholders, found


@each
def postscript(text: str, postscript_marker: PhraseValue) -> Verdict:
    """A postscript marker occurs; "P.S." and "P.P.S" may have a space inside."""
    marker = postscript_marker.strip()
    return re.search(POSTSCRIPTS.get(marker, re.escape(marker.lower())), text.lower()) is not None, None


@each
def number_bullet_lists(text: str, num_bullets: WholeValue) -> Verdict:
    """Exactly this number of lines that begin with one * or with -."""
    lines = [line.lstrip() for line in text.split("\n")]
    found = sum(line[:1] == "-" for line in lines)
    inside = False  # the line after a * alone is its text
    for line, is_last in zip(lines, [False] * (len(lines) - 1) + [True], strict=True):
        alone = line == "*"
        found += not inside and line[:1] == "*" and line[1:2] != "*" and not (alone and is_last)
        inside = alone and not inside
    return found == num_bullets, found


def constrained_response(texts: pl.Series) -> Verdicts:
    """One of "My answer is yes.", "My answer is no." and "My answer is maybe." occurs."""
    return texts.str.contains_any(OPTIONS), None


@each
def number_highlighted_sections(text: str, num_highlights: WholeValue) -> Verdict:
    """At least this number of texts *between asterisks*; those between double asterisks count separately."""
    single = sum(bool(part.strip("*").strip()) for part in re.findall(r"\*[^\n*]*\*", text))
    double = sum(bool(part[2:-2].strip()) for part in re.findall(r"\*\*[^\n*]*\*\*", text))
    return single + double >= num_highlights, single + double


@each
def multiple_sections(text: str, section_spliter: PhraseValue, num_sections: WholeValue) -> Verdict:
    """At least this number of sections, each beginning with the word and a number, such as "Section 1"."""
    found = len(re.findall(rf"{re.escape(section_spliter.strip())}\s?\d+", text))
    return found >= num_sections, found


@each
def json_format(text: str) -> Verdict:
    """The whole text is JSON, with or without a Markdown fence."""
    body = re.sub(r"^```(?:json|Json|JSON)?", "", text.strip()).removesuffix("```").strip()
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False, None
    return True, None


@each
def title(text: str) -> Verdict:
    """A title in <<double angle brackets>> occurs."""
    for line in text.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start <= end - 3 and line[start : end + 2].lstrip("<").rstrip(">").strip():
            return True, None
    return False, None


@each
def two_responses(text: str) -> Verdict:
    """Two different texts separated by ******; blank ones only at the beginning or end."""
    parts = [part.strip() for part in text.split("******")]
    whole = [part for part in parts if part]
    return all(parts[1:-1]) and len(whole) == 2 and whole[0] != whole[1], len(whole)


def repeat_prompt(texts: pl.Series, prompt_to_repeat: Long) -> Verdicts:
    """The text begins with the request, in any case."""
    texts, request = (some.str.strip_chars().str.to_lowercase() for some in (texts, prompt_to_repeat))
    return texts.str.starts_with(pl.lit(request)), None


def end_checker(texts: pl.Series, end_phrase: Long) -> Verdicts:
    """The text ends with the phrase, in any case; a double quote may follow."""
    texts = texts.str.strip_chars().str.strip_chars('"').str.to_lowercase()
    return texts.str.ends_with(pl.lit(end_phrase.str.strip_chars().str.to_lowercase())), None


def quotation(texts: pl.Series) -> Verdicts:
    """The whole text is between straight double quotes."""
    texts = texts.str.strip_chars()
    return texts.str.starts_with('"') & texts.str.ends_with('"') & (texts.str.len_chars() > 1), None


@each
def capital_word_frequency(text: str, capital_frequency: WholeValue, capital_relation: RelationValue) -> Verdict:
    """Number of words whose letters are all capitals; "I" is one, "DON'T" two as NLTK splits it, "WELL-KNOWN" one."""
    found = 0
    for word in re.findall(r"[^\s,:;?!()\[\]{}<>\"“”«»*`@#$%&]+", text):
        cut = CONTRACTION.split(word.strip("'‘’"))
        found += sum(part.isupper() for part in cut if part)
    return is_related(found, capital_frequency, capital_relation), found


def english_capital(texts: pl.Series) -> Verdicts:
    """English, without a lower-case letter."""
    return uppercase_only(texts) & is_english(texts), None


def english_lowercase(texts: pl.Series) -> Verdicts:
    """English, without a capital letter."""
    return lowercase_only(texts) & is_english(texts), None


def is_english(texts: pl.Series) -> pl.Series:
    """Return whether texts are English, or too short to recognise."""
    return (detect(texts)["language"] == "en").fill_null(True)


def no_comma(texts: pl.Series) -> Verdicts:
    """No comma."""
    return ~texts.str.contains(",", literal=True), None


# IFEval's name of a type -> its check.
INSTRUCTIONS: dict[str, Kind] = {
    f"{group}:{check.__name__}": check
    for group, checks in {
        "keywords": (existence, frequency, forbidden_words, letter_frequency),
        "language": (response_language,),
        "length_constraints": (number_sentences, number_paragraphs, number_words, nth_paragraph_first_word),
        "detectable_content": (number_placeholders, postscript),
        "detectable_format": (
            number_bullet_lists,
            constrained_response,
            number_highlighted_sections,
            multiple_sections,
            json_format,
            title,
        ),
        "combination": (two_responses, repeat_prompt),
        "startend": (end_checker, quotation),
        "change_case": (capital_word_frequency, english_capital, english_lowercase),
        "punctuation": (no_comma,),
    }.items()
    for check in checks
}
