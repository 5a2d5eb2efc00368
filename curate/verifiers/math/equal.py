"""Whether two mathematical answers are equal, in three steps of which each is tried only if those before can't decide.

Equal spelling (``spelling``) is equal. Else both answers are read as the kinds that they are (``readers``) and compared
kind by kind (``same``), with exact rational numbers. Expressions that are not rational are compared by their values to
many digits (``trees``), in worker processes that can be killed (``workers``). What can't be judged has a reason.
"""

import re
from fractions import Fraction

from curate.verifiers.math.comparison.decide import LONGEST, Verdict, decide
from curate.verifiers.math.expressions.parser import Tree
from curate.verifiers.math.reading.phrases import same_case
from curate.verifiers.math.reading.readers import spelled

WORD = re.compile(r"[^\W\d_]{2,}")
NUMBER = re.compile(r"-?\d{1,100}(?:\.(?!\d{3}$)\d{1,100})?")  # 1.234 may be 1,234 in another country

__all__ = ["LONGEST", "compare"]


class _NeedsWorker(Exception):  # noqa: N818 (no mistake)
    """Two expressions must be compared by their values."""


def compare(pairs: list[tuple[str, str]]) -> list[Verdict]:
    """Compare the answers of each pair.

    Args:
        pairs: Pairs of the right answer and the given one, each out of the text around it.

    Returns:
        For each pair (1.0 or 0.0, None), or (None, the reason why they could not be compared).
    """
    verdicts: dict[tuple[str, str], Verdict] = {}
    left = []
    for pair in set(pairs):
        try:
            verdicts[pair] = _decide_here(*pair)
        except _NeedsWorker:
            left.append(pair)
    if left:
        from curate.verifiers.math.comparison.workers import compare_in_workers

        verdicts |= compare_in_workers(left)
    return [verdicts[pair] for pair in pairs]


def _decide_here(truth: str, answer: str) -> Verdict:
    """Return the verdict, if it needs no worker."""
    if truth == answer:
        return 1.0, None
    if NUMBER.fullmatch(truth) and NUMBER.fullmatch(answer):
        return float(Fraction(truth) == Fraction(answer)), None
    left, right = spelled(truth), spelled(answer)
    if (left == right and left) or _same_word(left, right):
        return 1.0, None
    return decide(truth, answer, _leave_to_worker)


def _same_word(left: str, right: str) -> bool:
    """Tell whether two words differ in case only, and in no case that counts."""
    return left.casefold() == right.casefold() and WORD.fullmatch(left) is not None and same_case(left, right)


def _leave_to_worker(what: str, left: Tree, right: Tree, tolerance: Fraction) -> bool:
    raise _NeedsWorker
