"""The verdict on one pair of answers, given a way to compare two expressions."""

from collections.abc import Callable
from fractions import Fraction

from curate.verifiers.math.comparison.same import Comparison
from curate.verifiers.math.comparison.wording import only_formula
from curate.verifiers.math.expressions.exact import rational
from curate.verifiers.math.expressions.parser import DEEPEST, TooCostly, Tree
from curate.verifiers.math.reading.kinds import NO_MATHEMATICS, Node, Opaque, Unsure, Words
from curate.verifiers.math.reading.quoted_lists import quoted_items
from curate.verifiers.math.reading.readers import readings

LONGEST = 300  # characters of an answer that is compared by more than its spelling
Verdict = tuple[float | None, str | None]
Trees = Callable[[str, Tree, Tree, Fraction], bool]


def decide(truth: str, answer: str, trees: Trees) -> Verdict:
    """Return the verdict on answers whose spelling differs.

    Args:
        truth: The right answer.
        answer: The given one.
        trees: Compares two expressions (``trees.compare_trees``); what else it raises is raised here.

    Returns:
        (1.0 or 0.0, None), or (None, the reason why they could not be compared).
    """
    try:
        return _decide(truth, answer, trees)
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        # A mistake of ours in one odd answer must not end a run; tests draw odd answers and look for this reason.
        return None, f"answer could not be compared: {type(error).__name__}"


def _decide(truth: str, answer: str, trees: Trees) -> Verdict:
    if refused := _not_read("ground_truth", truth) or _not_read("answer", answer):
        return None, refused
    left, right = readings(truth), readings(answer)
    if isinstance(right[0], Words | Opaque) and not isinstance(left[0], Words) and (formula := only_formula(answer)):
        right = readings(formula)
    if _is_costly(truth, left):
        return None, f"ground_truth is too costly to check: {truth[:60]!r}"
    if _is_costly(answer, right):
        return None, "answer is too costly to check"
    compared = Comparison(trees)
    try:
        if compared.same(left[0], right[0]):
            return 1.0, None
    except Unsure as error:
        reason = str(error)
        return None, f"{reason}: {truth[:60]!r}" if reason == NO_MATHEMATICS else reason
    except TooCostly as error:
        return None, f"answer is too costly to check beside ground_truth: {error}"
    others = [(one, other) for one in left for other in right][1:]
    if any(_may_be_same(one, other, compared) for one, other in others):
        return None, "a number that can be read in two ways"
    return 0.0, None


def _not_read(whose: str, text: str) -> str | None:
    """Return why a text is not read, or None."""
    if len(text) > LONGEST:
        return f"{whose} is longer than {LONGEST} characters"
    return f"{whose} is a list of several quoted texts" if len(quoted_items(text)) > 1 else None


def _is_costly(text: str, nodes: tuple[Node, ...]) -> bool:
    """Tell whether an answer is nested too deep, or has a number in it that is too large to compute."""
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth > DEEPEST:
            return True
    try:
        return any(map(_has_costly_part, nodes))
    except TooCostly:
        return True


def _has_costly_part(node: object) -> bool:
    """Tell whether a part of an answer was too costly to read; compute the rational ones.

    Raises:
        TooCostly: If one is too large.
    """
    if isinstance(node, Opaque):
        return node.costly
    if isinstance(node, Tree):
        rational(node)
        return False
    return isinstance(node, tuple) and any(map(_has_costly_part, node))


def _may_be_same(truth: Node, answer: Node, compared: Comparison) -> bool:
    """Tell whether two answers are the same in a reading that is not the first one, or may be."""
    try:
        return compared.same(truth, answer)
    except (Unsure, TooCostly):
        return False
