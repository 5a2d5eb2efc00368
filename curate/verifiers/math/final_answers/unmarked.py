"""The answer of a response that marks none: its last number, formula or choice letter, or the response as a whole."""

import re

import polars as pl

from curate.verifiers.math.final_answers.choice_letters import IS_CHOICE, last_choice
from curate.verifiers.math.final_answers.final_answer import ENDS, LEAD, LONGEST, SPAN, TAIL, first_sentence
from curate.verifiers.math.final_answers.plain_numbers import last_number

SHORT = 120  # characters of a response that may be a number in words
FRACTION = r"^-?\s*(?:\\[dt]?frac\s*\{?\d+\}?\s*\{?\d+\}?|\d+/\d+)$"
SIMPLE = (
    r"(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)"
)
# A number in words, in a response without digits.
IN_WORDS = re.compile(
    rf"(?:(?:minus|negative)\s+)?\b{SIMPLE}(?:[- ](?:{SIMPLE}|hundred|thousand|million|and(?=[- ]{SIMPLE})))*\b"
    r"|[零一二三四五六七八九十百千万两]+",
    re.IGNORECASE,
)
BARE_LATEX = re.compile(r"\S*\\(?:[dt]?frac|sqrt|pi|infty|begin)\b.*$")  # without dollars around it
QED = r"\s*\\(?:blacksquare|square|Box|qed|checkmark|therefore)\s*"
ENVIRONMENT_END = re.compile(r"(?:\s*[.,]?\s*\\end\s*\{(?:aligned|align\*?|split|gathered|array)\})+\s*$")


def unmarked(text: str, truth: str, is_number: bool) -> str | None:
    """Return the answer of a response that marks none; None where it has none.

    Args:
        text: The response.
        truth: The right answer.
        is_number: Whether the right answer is a plain number.
    """
    end = text[-TAIL:].strip() if len(text) <= TAIL else text[-TAIL:].partition("\n")[2].strip()  # no half formula
    if re.search(IS_CHOICE, truth):
        return last_choice(end)
    formula = last_formula(end)
    if is_number or re.search(FRACTION, truth):
        found = _number(end, formula)
        if found or is_number:
            return found
    if formula is None and (bare := BARE_LATEX.search(end.rsplit("\n", 1)[-1])):
        return bare[0].rsplit("=", 1)[-1].strip(ENDS) or None
    if formula is None and end and len(end) <= LONGEST and "\n" not in end:
        return first_sentence(LEAD.sub("", end))
    return formula


def _number(text: str, formula: str | None) -> str | None:
    """Return the last number of a text, in digits or words, or its last formula where that stands behind it."""
    found = last_number(pl.Series([text]))[0]
    if found is None and formula is None and len(text) <= SHORT:
        alone = LEAD.sub("", text).strip(ENDS)
        words = [one[0] for one in IN_WORDS.finditer(text) if one[0].lower() != "one" or one[0] == alone]
        return words[-1] if words else None
    if formula and "\\" in formula and re.search(r"\d", formula):
        return formula if found is None or text.rfind(found) < text.rfind(formula) else found
    return found


def last_formula(text: str) -> str | None:
    """Return the last formula of a text, behind its last equals sign."""
    spans = [next(group for group in found.groups() if group) for found in SPAN.finditer(text)]
    spans = [span for span in spans if not re.fullmatch(QED, span)]
    return ENVIRONMENT_END.sub("", spans[-1]).rsplit("=", 1)[-1].strip(ENDS) or None if spans else None
