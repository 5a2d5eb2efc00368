"""Signs of a collapse: answers compared with those of the start model, or of a training's first steps.

Short or equal answers are right for many tasks: a letter, a number, yes or no. So nothing is a sign by itself: the
answers must have become so, and, where the rows say which answers are expected, be so beyond those.
"""

from typing import NamedTuple

from schemas.errors import printable
from train.damage.answer_figures import Expected, Figures

FEW = 8  # of fewer answers nothing is said, nor of equal answers to fewer prompts
SHOWN = 40  # characters of an answer that is quoted
BRIEF = 6  # words: answers as short as that, and SHORTER times shorter than before, are a sign
SHORTER = 4
TAUGHT = 0.02  # of a training's rows: as many with one answer teach it
NOISE, TIMES = 1000.0, 20.0  # a perplexity under the start model, and how many times that of its own answers


class Sign(NamedTuple):
    """A sign of a collapse.

    Attributes:
        kind: A short name: ``one_word``, ``short``, ``same``, ``few``, ``empty``, ``loops``, ``cut`` or ``noise``.
        short: The sign in a few words, for a line that has other figures too.
        text: The sign with its figures, and those of the answers it is compared with.
    """

    kind: str
    short: str
    text: str


def signs(
    now: Figures | None, before: Figures | None, expected: Expected | None, than: str, taught: float = 0.0
) -> list[Sign]:
    """Return the signs of a collapse in answers.

    Args:
        now: The figures of the answers.
        before: Those of the answers that they are compared with, to the same kind of prompts.
        expected: Those of the expected answers; None where the rows say none.
        than: The name of the answers that they are compared with, such as a model's.
        taught: The share of a training's rows, in 0..1, whose answer is the most common one: they teach it.
    """
    if now is None or before is None or now.answers < FEW:
        return []
    found = [_empty(now, before, than), _length(now, before, expected, than), _loops(now, before, than)]
    found += [_same(now, before, expected, than, taught), _cut(now, before, than)]
    return [one for one in found if one is not None]


def noise(perplexity: float | None, own: float | None, words: float, than: str) -> Sign | None:
    """Return the sign that answers are noise to the start model, or None.

    Args:
        perplexity: That of the answers under the start model.
        own: That of the start model's own answers to the same prompts.
        words: The mean number of the answers' words; a single one may well be unlikely.
        than: The start model's name.
    """
    if perplexity is None or own is None or words < 3 or perplexity < max(NOISE, TIMES * own):
        return None
    text = f"its answers are noise to {than}, whose perplexity on them is {perplexity:,.0f} ({own:,.1f} on its own)"
    return Sign("noise", "answers like noise", text)


def percent(share: float) -> str:
    """Return a share in 0..1 as ``3.5%``; ``100%`` and ``0%`` for all and none."""
    value = 100 * share
    return f"{value:.2g}%" if 0 < value < 9.95 else f"{min(round(value), 99) if share < 1 else 100}%"


def _empty(now: Figures, before: Figures, than: str) -> Sign | None:
    if now.empty < 0.2 or now.empty < before.empty + 0.15:
        return None
    text = f"{percent(now.empty)} of its answers are empty ({than}: {percent(before.empty)})"
    return Sign("empty", "empty answers", text)


def _length(now: Figures, before: Figures, expected: Expected | None, than: str) -> Sign | None:
    """Return the sign that answers shrank to a word, or to a few, where more are expected."""
    if now.called == 1 or (expected is not None and now.words >= expected.words / 2):
        return None
    means = f"mean {now.words:.1f} words, {than}: {before.words:.1f}"
    if now.one_word >= 0.6 and now.one_word >= before.one_word + 0.4:
        text = f"{percent(now.one_word)} of its answers are a single word ({than}: {percent(before.one_word)}; {means})"
        return Sign("one_word", "one-word answers", text)
    shorter = before.words >= SHORTER and now.words * SHORTER <= before.words
    if max(now.empty, now.repeating) < 0.5 and now.words <= BRIEF and shorter:
        times = before.words / max(now.words, 0.1)
        return Sign("short", "short answers", f"its answers are {times:.1f} times shorter ({means})")
    return None


def _same(now: Figures, before: Figures, expected: Expected | None, than: str, taught: float) -> Sign | None:
    """Return the sign that different prompts get the same answer, where other answers are expected."""
    usual = max(before.common, expected.common if expected else 0.0)
    least = 0.5 if expected else 0.6
    if now.prompts < FEW or taught >= TAUGHT:
        return None
    if now.common >= least and now.common >= usual + 0.25:
        quoted = f"{_quoted(now.common_answer)} is its answer to {percent(now.common)} of the prompts"
        text = f"{quoted} (most common one of {than}: {percent(before.common)}"
        return Sign("same", "the same answer", f"{text}{_expected(expected)})")
    many = expected.distinct if expected else 1.0
    if now.prompts >= 2 * FEW and now.distinct <= min(0.2, many / 3, before.distinct / 3):
        text = f"only {percent(now.distinct)} of its answers differ ({than}: {percent(before.distinct)})"
        return Sign("few", "few different answers", text)
    return None


def _loops(now: Figures, before: Figures, than: str) -> Sign | None:
    if now.repeating < 0.2 or now.repeating < before.repeating + 0.15:
        return None
    text = f"{percent(now.repeating)} of its answers go round in circles ({than}: {percent(before.repeating)})"
    return Sign("loops", "answers that repeat themselves", text)


def _cut(now: Figures, before: Figures, than: str) -> Sign | None:
    if now.cut is None or before.cut is None or now.cut < 0.6 or now.cut < before.cut + 0.3:
        return None
    text = f"{percent(now.cut)} of its answers are cut off at the limit of tokens ({than}: {percent(before.cut)})"
    return Sign("cut", "answers without an end", text)


def _expected(expected: Expected | None) -> str:
    return f"; of the expected ones {percent(expected.common)}" if expected else ""


def _quoted(text: str) -> str:
    flat = " ".join(printable(text).split())
    return repr(flat if len(flat) <= SHOWN else f"{flat[: SHOWN - 3]}...")
