r"""Read functions that are given piece by piece: 1 & x > 0 \\ 2 & \text{otherwise}."""

import re
from collections.abc import Callable

from curate.verifiers.math.reading.kinds import Group, Node, Words
from curate.verifiers.math.reading.spelling import without_text

SIGN = r"[=<>]|\\(?:le|ge|neq|in|notin|equiv)(?![A-Za-z])"
NO_CONDITION = re.compile(rf"(?:{SIGN}|[*/+]|-(?!.*(?:[<>]|\\[lg]e(?![A-Za-z]))))")  # the other half of an equation
CONDITION = re.compile(rf"{SIGN}|[A-Za-z]{{2,}}")
HALF = re.compile(rf"(?:[-+*/]|{SIGN})$")
LEADS = re.compile(r"(?:if|for|when|whenever|where|otherwise|else|provided)\b", re.I)
WORDED = re.compile(
    r"(.+?)[,;]?\s*(\\text\s*\{\s*(?:if|for|when|otherwise)\b.*|\b(?:if|when|otherwise)\b.*)", re.DOTALL
)
OTHERWISE = Words(("otherwise",))


def read_piecewise(rows: list[list[str]], read: Callable[[str], Node]) -> Group | None:
    """Return rows of a value and its condition as pieces, or None for rows of equations.

    Args:
        rows: The cells of each row.
        read: Returns the node of a text.
    """
    pieces = [_piece([cell for cell in row if cell.strip(" ,;.")]) for row in rows]
    if not any(condition for _, condition in pieces) or any(condition is None for _, condition in pieces):
        return None
    nodes = [Group("piece", (read(value), _condition(condition or "", read))) for value, condition in pieces]
    return Group("piecewise", tuple(nodes))


def row_of_equations(cells: list[str]) -> str:
    """Return the cells of a row as one equation, or with commas between them where each is an equation."""
    cells = [cell for cell in cells if cell]
    whole = all(re.search(SIGN, cell) and not NO_CONDITION.match(cell) and not HALF.search(cell) for cell in cells)
    return (", " if whole else " ").join(cells)


def _piece(cells: list[str]) -> tuple[str, str | None]:
    """Return a value and its condition, which is "" for a value alone and None in a row of another kind."""
    if len(cells) == 1 and (found := WORDED.fullmatch(cells[0])):
        cells = [found[1], found[2]]
    if len(cells) == 1:
        return cells[0].strip(" ,;."), None if re.search(SIGN, cells[0]) else ""
    value, condition = (cell.strip(" ,;.") for cell in cells[:2]) if len(cells) == 2 else ("", "")
    bare = without_text(condition)
    if not value or NO_CONDITION.match(bare) or HALF.search(value) or not CONDITION.search(bare):
        return value, None
    if re.search(SIGN, value) and not LEADS.match(bare):
        return value, None
    return value, condition


def _condition(text: str, read: Callable[[str], Node]) -> Node:
    bare = without_text(text)
    lead = LEADS.match(bare)
    rest = bare[lead.end() :].strip(" ,;.") if lead else bare
    return read(rest) if rest else OTHERWISE
