"""The kinds of format constraint that ``score: constraints`` checks, in the manner of IFEval (arXiv 2311.07911).

Each kind is a pure function ``kind(text, parameters) -> (holds, found)``: ``found`` is the number that was counted,
the words that were missing, or None. Its annotations say what a parameter may be. To add a kind, write its function
and name it in ``KINDS``. What a word, sentence, line, paragraph and phrase is: see ``curate/text_units.py``.
Texts are hostile and long: every check takes time proportional to the text, so no pattern here has nested repeats.
"""

import csv
import re
from collections.abc import Callable
from typing import Literal, NewType

from curate.text_units import (
    PUNCTUATION,
    STRAIGHT,
    bare_words_of,
    from_json,
    inside_word,
    lines_of,
    paragraphs_of,
    plain,
    sentence_lengths,
    times,
    words_of,
)

How = Literal["exactly", "at_least", "at_most"]
Letter = NewType("Letter", str)
Verdict = tuple[bool, int | str | list[str] | None]


def compare(found: int, n: int, how: How) -> Verdict:
    """Compare a count with the count that was asked for."""
    return {"exactly": found == n, "at_least": found >= n, "at_most": found <= n}[how], found


def lowercase(text: str) -> Verdict:
    """No capital letter, and at least one small one."""
    return text.islower(), None


def uppercase(text: str) -> Verdict:
    """No small letter, and at least one capital."""
    return text.isupper(), None


def title_case(text: str) -> Verdict:
    """Every word that begins with a letter begins with a capital; found: how many do not."""
    small = sum(w[:1].islower() for w in bare_words_of(text))
    return small == 0 and any(map(str.isupper, text)), small


def all_caps_words(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of words of two or more letters that are all capitals."""
    return compare(sum(w.isupper() and sum(map(str.isalpha, w)) > 1 for w in words_of(text)), n, how)


def letter_frequency(text: str, letter: Letter, n: int, how: How = "at_least") -> Verdict:
    """Number of times the letter occurs, small or capital."""
    return compare(text.casefold().count(letter.casefold()), n, how)


def no_letter(text: str, letter: Letter) -> Verdict:
    """The letter occurs nowhere, small or capital (a lipogram)."""
    return compare(text.casefold().count(letter.casefold()), 0, "exactly")


def no_commas(text: str) -> Verdict:
    """No comma of any script."""
    return compare(sum(map(text.count, ",，、،")), 0, "exactly")


def no_digits(text: str) -> Verdict:
    """No decimal digit."""
    return compare(len(re.findall(r"\d", text)), 0, "exactly")


def ascii_only(text: str) -> Verdict:
    """Only ASCII: no accents, curly quotes or emoji."""
    return text.isascii(), None


def n_numbers(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of numbers written in digits; those joined by . or , are one, such as 1,000.5."""
    return compare(len(re.findall(r"\d+(?:[.,]\d+)*", text)), n, how)


def n_exclamations(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of exclamation marks."""
    return compare(text.count("!"), n, how)


def n_questions(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of question marks."""
    return compare(text.count("?"), n, how)


def ends_with_question(text: str) -> Verdict:
    """The last character is a question mark."""
    return text.rstrip().endswith(("?", "？")), None


def max_chars(text: str, n: int) -> Verdict:
    """At most n characters, white space at the ends not counted."""
    return compare(len(text.strip()), n, "at_most")


def max_words(text: str, n: int) -> Verdict:
    """At most n words."""
    return compare(len(words_of(text)), n, "at_most")


def min_words(text: str, n: int) -> Verdict:
    """At least n words."""
    return compare(len(words_of(text)), n, "at_least")


def n_words(text: str, n: int) -> Verdict:
    """Exactly n words."""
    return compare(len(words_of(text)), n, "exactly")


def words_between(text: str, least: int, most: int) -> Verdict:
    """From least to most words, both included."""
    found = len(words_of(text))
    return least <= found <= most, found


def max_word_length(text: str, n: int) -> Verdict:
    """No word has more than n letters and digits; found: the most."""
    return compare(max((sum(map(str.isalnum, w)) for w in words_of(text)), default=0), n, "at_most")


def unique_words(text: str) -> Verdict:
    """No word comes twice, small or capital; found: how many are repeats."""
    found = [w.casefold() for w in bare_words_of(text)]
    return compare(len(found) - len(set(found)), 0, "exactly")


def keywords(text: str, words: list[str]) -> Verdict:
    """Every one of the phrases occurs; found: the missing ones."""
    missing = [w for w in words if not times(text, w)]
    return not missing, missing


def keyword_count(text: str, word: str, n: int, how: How = "exactly") -> Verdict:
    """Number of times the phrase occurs."""
    return compare(times(text, word), n, how)


def forbidden_words(text: str, words: list[str]) -> Verdict:
    """None of the phrases occurs; found: those that do."""
    present = [w for w in words if times(text, w)]
    return not present, present


def starts_with(text: str, phrase: str) -> Verdict:
    """The text starts with the phrase, and where that ends in a letter the word ends too."""
    text, phrase = plain(text), plain(phrase)
    return text.startswith(phrase) and not inside_word(phrase, text[len(phrase) :]), None


def ends_with(text: str, phrase: str) -> Verdict:
    """The text ends with the phrase; punctuation may follow where the phrase ends in a letter or digit."""
    text, phrase = plain(text), plain(phrase)
    text = text.rstrip(PUNCTUATION + " ") if phrase[-1:].isalnum() else text
    return text.endswith(phrase) and not inside_word(text[: -len(phrase)], phrase), None


def one_of(text: str, options: list[str]) -> Verdict:
    """The text is one of the options and nothing else; punctuation around it is ignored."""
    return plain(text).strip(PUNCTUATION + " ") in {plain(o).strip(PUNCTUATION + " ") for o in options}, None


def n_sentences(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of sentences."""
    return compare(len(sentence_lengths(text)), n, how)


def max_sentence_words(text: str, n: int) -> Verdict:
    """No sentence has more than n words; found: the most."""
    return compare(max(sentence_lengths(text), default=0), n, "at_most")


def n_paragraphs(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of paragraphs."""
    return compare(len(paragraphs_of(text)), n, how)


def n_lines(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of lines."""
    return compare(len(lines_of(text)), n, how)


def single_line(text: str) -> Verdict:
    """Exactly one line."""
    return compare(len(lines_of(text)), 1, "exactly")


def each_line_starts_with(text: str, prefix: str) -> Verdict:
    """Every line starts with the prefix, to the letter; found: how many do not."""
    return compare(sum(not line.startswith(prefix) for line in lines_of(text)), 0, "exactly")


def n_bullets(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of lines that begin with - * + or • and a space."""
    return compare(sum(line[0] in "-*+•" and line[1:2].isspace() for line in lines_of(text)), n, how)


def numbered_list(text: str, n: int) -> Verdict:
    """The lines that begin with a number and . or ) are numbered 1 to n in this order; found: how many there are."""
    found = [m[1] for line in lines_of(text) if (m := re.match(r"([0-9]{1,4})[.)]\s", line))]
    return found == [str(i + 1) for i in range(len(found))] and len(found) == n, len(found)


def sections(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of Markdown headers: lines that begin with one to six # and a space."""
    return compare(sum(re.match(r"#{1,6}\s", line) is not None for line in lines_of(text)), n, how)


def highlights(text: str, n: int, how: How = "at_least") -> Verdict:
    """Number of stretches *between single* or **double** asterisks."""
    return compare(len(re.findall(r"\*{1,2}[^*\s][^*\n]*\*{1,2}", text)), n, how)


def n_placeholders(text: str, n: int, how: How = "at_least") -> Verdict:
    """Number of stretches in square brackets, such as [name]."""
    return compare(len(re.findall(r"\[[^\[\]\n]+\]", text)), n, how)


def n_hashtags(text: str, n: int, how: How = "exactly") -> Verdict:
    """Number of hashtags: # and letters or digits without a space."""
    return compare(len(re.findall(r"(?<![\w#])#\w+", text)), n, how)


def title(text: str) -> Verdict:
    """A title in <<double angle brackets>> stands somewhere."""
    return any(t.strip() for t in re.findall(r"<<([^<>\n]+)>>", text)), None


def quotation(text: str) -> Verdict:
    """The whole is between double quotes, straight or curly."""
    text = text.strip().translate(STRAIGHT)
    return len(text) > 2 and text[0] == text[-1] == '"', None


def postscript(text: str, marker: str) -> Verdict:
    """A line after the first begins with the marker, such as P.S., and goes on."""
    rest = [plain(line) for line in lines_of(text)[1:]]
    return any(line.startswith(plain(marker)) and len(line) > len(plain(marker)) for line in rest), None


def two_responses(text: str) -> Verdict:
    """Two different texts with ****** between them."""
    parts = [p.strip() for p in text.split("******")]
    return len(parts) == 2 and all(parts) and parts[0] != parts[1], None


def csv_fields(text: str, n: int) -> Verdict:
    """One line of exactly n values with commas between, none of them blank."""
    try:
        rows = list(csv.reader(lines_of(text), strict=True, skipinitialspace=True))
    except csv.Error:
        return False, None
    return len(rows) == 1 and len(rows[0]) == n and all(map(str.strip, rows[0])), sum(map(len, rows))


def json_keys(text: str, keys: list[str]) -> Verdict:
    """A JSON object with exactly these keys, with or without a ```json fence; found: how many it has."""
    found = from_json(text)
    return (set(found) == set(keys), len(found)) if isinstance(found, dict) else (False, "no JSON object")


def json_list(text: str, n: int) -> Verdict:
    """A JSON list of exactly n items, with or without a ```json fence."""
    found = from_json(text)
    return compare(len(found), n, "exactly") if isinstance(found, list) else (False, "no JSON list")


KINDS: dict[str, Callable[..., Verdict]] = {
    check.__name__: check
    for check in (
        lowercase, uppercase, title_case, all_caps_words, letter_frequency, no_letter, no_commas, no_digits,
        ascii_only, n_numbers, n_exclamations, n_questions, ends_with_question, max_chars, max_words, min_words,
        n_words, words_between, max_word_length, unique_words, keywords, keyword_count, forbidden_words, starts_with,
        ends_with, one_of, n_sentences, max_sentence_words, n_paragraphs, n_lines, single_line, each_line_starts_with,
        n_bullets, numbered_list, sections, highlights, n_placeholders, n_hashtags, title, quotation, postscript,
        two_responses, csv_fields, json_keys, json_list,
    )
}  # fmt: skip
