"""The rubrics by which a judge scores responses, each with its scale; and the reading of the setting ``rubric``.

``quality`` is single-answer grading as in MT-Bench (arXiv 2306.05685); the four aspects are UltraFeedback's
(arXiv 2310.01377), in our words.
"""

from typing import NamedTuple

from schemas.errors import UserError, unknown


class Rubric(NamedTuple):
    """A criterion and its scale.

    Attributes:
        name: Name in recipes and in ``detail``.
        low: Worst score, a whole number.
        high: Best score, a whole number.
        question: What the judge is to judge.
        levels: What some of the scores mean; empty for a user's own rubric.
    """

    name: str
    low: int
    high: int
    question: str
    levels: str = ""


RUBRICS = {
    rubric.name: rubric
    for rubric in [
        Rubric(
            "quality",
            1,
            10,
            "Judge how well the response answers the user: whether it is helpful, relevant and correct, as deep and "
            "as detailed as the question asks for, and original where that is called for.",
            "1-2: wrong, empty or beside the point. 3-4: serious errors or large gaps. 5-6: answers in part, or with "
            "faults. 7-8: good, with small faults. 9-10: hard to improve.",
        ),
        Rubric(
            "helpfulness",
            1,
            5,
            "Judge how helpful the response is: whether it gives correct, relevant and sufficient information for "
            "what the user needs, clearly and without repetition or filler.",
            "1: wrong or useless. 2: partly wrong or far from enough. 3: correct, but with gaps. 4: informative and "
            "to the point. 5: thorough, clear, and nothing that matters is missing.",
        ),
        Rubric(
            "honesty",
            1,
            5,
            "Judge how well the confidence of the response fits what it knows: whether it says plainly what is "
            "uncertain or beyond it, and is sure only where it is right.",
            "1: confident and wrong. 2: confident with large errors, or pretends to know. 3: partly right, its "
            "confidence only partly fitting. 4: right, its doubts a little too large or too small. 5: right and sure, "
            "or exact about what it does not know.",
        ),
        Rubric(
            "instruction_following",
            1,
            5,
            "Judge how well the response does what was asked: whether it understands the goal and keeps every "
            "restriction on content, format, length and style.",
            "1: does something else. 2: a small part of what was asked. 3: the goal or the restrictions, not both. 4: "
            "nearly all, with small deviations. 5: everything.",
        ),
        Rubric(
            "truthfulness",
            1,
            5,
            "Judge whether the response is true: whether it states facts that are wrong, contradicts itself or the "
            "conversation, or invents what nobody can check.",
            "1: false throughout. 2: false in what matters. 3: some false statements. 4: true but for trifles. 5: "
            "nothing false.",
        ),
    ]
}
ULTRAFEEDBACK = ("helpfulness", "honesty", "instruction_following", "truthfulness")


def rubrics(given: str | list[str], scale: list[int] | None) -> list[Rubric]:
    """Return the rubrics of a setting, all on one scale.

    Args:
        given: Names of rubrics, or the user's own rubrics, which are texts of several words.
        scale: Lowest and highest score of the user's own rubrics; None for 1 to 10.

    Raises:
        UserError: If there is no such rubric, one is given twice, or their scales differ.
    """
    listed = [given] if isinstance(given, str) else given
    names = [name for one in listed for name in (ULTRAFEEDBACK if one == "ultrafeedback" else (one,))]
    if not names or len(set(names)) < len(names):
        raise UserError(f"rubric: expected a rubric or a list of different ones, found {given!r}")
    if scale is not None and (len(scale) != 2 or scale[0] >= scale[1]):
        raise UserError(f"scale: expected [low, high], whole numbers, found {scale!r}")
    own = [name for name in names if name not in RUBRICS]
    for name in own:
        if name.isascii() and len(name.split()) < 2:
            raise unknown("rubric (or text of several words)", name, [*RUBRICS, "ultrafeedback"])
    if scale is not None and not own:
        raise UserError(f"scale: only a rubric of your own takes one; {names[0]!r} has its own")
    low, high = scale or (1, 10)
    title = {text: "own" if len(own) == 1 else f"own {number}" for number, text in enumerate(own, 1)}
    found = [RUBRICS.get(name) or Rubric(title[name], low, high, name.strip()) for name in names]
    scales = {(rubric.low, rubric.high): rubric.name for rubric in found}
    if len(scales) > 1:
        listing = ", ".join(f"{name!r} {low} to {high}" for (low, high), name in scales.items())
        raise UserError(f"rubric: a mean needs one scale, found {listing}")
    return found
