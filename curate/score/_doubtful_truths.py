"""Why a ground truth of ``math`` seems broken, though an answer that is spelled the same passes."""

import re

import polars as pl

from curate.verifiers.math.comparison.decide import Verdict, decide
from curate.verifiers.math.equal import compare
from curate.verifiers.math.final_answers.response_answers import right_answers

PROBE = "7919"  # an answer of another kind than words, sets and formulas: whoever can read the truth tells them apart
# Characters of no answer: control characters (of backslashes that were read as escapes, as in "\frac", "\times" and
# "\neq").
CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\t(?:ext|imes|heta|an\b|frac|riangle)|\r(?:ho|ight)|\n(?:eq?\b|abla|otin)"
)
PLACEHOLDER = re.compile(
    r"n/?a|nan|null|nil|None|\[?(?:todo|tbd|unknown|missing|redacted|omitted)\]?|[?\s.…_]+|-{1,}|#\w+[/!?]*"
    r"|(?:error|timeout|traceback|exception)\b.*|https?://.*|see\s+(?:the\s+)?(?:solution|figure|above|below)\b.*",
    re.IGNORECASE | re.DOTALL,
)
WORDS = re.compile(r"ground_truth is no mathematical answer")
LOOKED_AT = 2000  # characters of an answer, above which its signs are not looked at
FEW_WORDS = 8  # a name or a short phrase is compared by its words
UNFINISHED = re.compile(  # an operator or a command without what belongs behind it; 0^+, x^* and A+ are whole
    r"(?:(?<!\^)(?<!\^\{)(?<!\*)(?<!^[A-F])[-+*]|(?<!\\)[/=<^_&]"
    r"|\\(?:[dt]?frac|sqrt|cdot|times|div|pm|mp|leq?|geq?|neq?|left|text)|\\[dt]?frac\s*(?:\d|\{[^{}]*\}))\s*\}*$|(?<!\\)\\$"
)
DELIMITER = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)\s*(?:\\[{}|]|[][()|./<>])?|\\[{}]")
LISTED = re.compile(r"(^|[\s,;])(?:[A-Za-z]|\d|[ivx]+)\)\s+(?=\S)")  # a) 5, b) 6
INTERVAL = re.compile(  # ]0, 1[
    r"\][^\]\[()]*[,;][^\]\[()]*\[|\][^\]\[()]*[,;][^\]\[()]*[\])]|[\[(][^\]\[()]*[,;][^\]\[()]*\["
)


def doubts(truth: pl.Series, *, quick: bool = False) -> list[str | None]:
    """Return for each ground truth why it seems broken; None where it does not.

    Args:
        truth: The ground truths.
        quick: Whether expressions that can be read are not computed: 10,000 take a second, and not a minute.
    """
    answers = right_answers(truth.str.strip_chars())
    found = [_broken(text or "", answer or "") for text, answer in zip(truth, answers, strict=True)]
    left = [place for place, why in enumerate(found) if why is None]
    pairs = [(answers[place], PROBE) for place in left]
    verdicts = [_read(*pair) for pair in pairs] if quick else compare(pairs)
    for place, (_, why) in zip(left, verdicts, strict=True):
        if why is not None and why.startswith("ground_truth") and not _is_name(answers[place], why):
            found[place] = f"only the same spelling does: {why[:160]}"
    return found


def _read(truth: str, answer: str) -> Verdict:
    """Return the verdict on an answer, where an expression that can be read counts as another one."""
    return decide(truth, answer, lambda *_: False)


def _broken(text: str, answer: str) -> str | None:
    """Return what is wrong with a ground truth, by its characters."""
    control = CONTROL.search(text)
    if control:
        return f"ground_truth has the character {control[0][0]!r}, as of a backslash that was lost"
    if "\ufffd" in text:
        return "ground_truth has bytes that could not be read as text"
    if len(answer) > LOOKED_AT:
        return None
    if PLACEHOLDER.fullmatch(answer.strip(" $\"'.")) or PLACEHOLDER.fullmatch(answer):
        return "ground_truth stands for no answer"
    if UNFINISHED.search(answer):
        return "ground_truth ends before its end"
    return None if _balanced(answer) else "ground_truth has a bracket that is not closed, or not opened"


def _balanced(answer: str) -> bool:
    """Return whether brackets are closed; a half-open interval is, ``a) 5, b) 6`` and ``]0, 1[`` are too."""
    if answer.count("\\begin{") != answer.count("\\end{") or answer.count("\\left") != answer.count("\\right"):
        return False
    plain = DELIMITER.sub(" ", answer)
    if plain.count("{") != plain.count("}"):
        return False
    return any(_closed(one) for one in (plain, LISTED.sub(r"\1", plain), INTERVAL.sub(" ", plain)))


def _closed(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if depth < 0:
            return False
    return depth == 0


def _is_name(answer: str, why: str) -> bool:
    """Return whether a ground truth is a name or a few words, which are compared as words."""
    return bool(WORDS.match(why)) and len(answer.split()) <= FEW_WORDS and ":" not in answer
