"""Compare ranges, scores and other numbers with hyphens, which may be subtractions."""

from typing import TypeGuard

from curate.verifiers.math.comparison.same_group import Groups
from curate.verifiers.math.reading.kinds import Group, Node, Plain, Unsure
from curate.verifiers.math.reading.ranges import as_value, ascends


class Ranges(Groups):
    """Compares ranges."""

    def ranges(self, truth: Node, answer: Node) -> bool:
        """Compare where at least one of the two is a range: number by number, never by its difference alone."""
        both = is_range(truth) and is_range(answer)
        if both and len(truth.items) == len(answer.items) and self.ordered(truth.items, answer.items):
            return True
        if both and ascends(truth) and ascends(answer):
            return False
        left, right = (as_value(node) if is_range(node) else node for node in (truth, answer))
        if isinstance(left, Plain) and isinstance(right, Plain) and not self.plain(left, right):
            return False
        raise Unsure("an answer may be a range or a subtraction")


def is_range(node: Node) -> TypeGuard[Group]:
    """Tell whether an answer is a range."""
    return isinstance(node, Group) and node.shape == "range"
