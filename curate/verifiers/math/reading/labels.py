"""Read answers to several parts, each behind its label: (a) 3; (b) 4 and A: 40, B: 60."""

import re

from curate.verifiers.math.reading.kinds import Choice, Group, Node, Relation, Words
from curate.verifiers.math.reading.part_readers import Read

NAME = r"[A-Za-z]|[ivx]{2,4}|\d"
LABEL = re.compile(
    rf"(?:^|(?<=[\s,;.]))(?:[Pp]art\s*|\\item\s*)?(?:\(\s*(?P<round>{NAME})\s*\):?(?=[\s$\\])|(?P<half>{NAME})\):?(?=\s)"
    r"|(?P<colon>[A-Za-z])\s?:(?=\s)|(?P<stop>[A-Za-z])\.(?=\s))"
)
ROMAN = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"]
END = re.compile(r"(?:[\s,;.]|\band$)+$")


def read_labelled(bare: str, read: Read) -> Node | None:
    """Return answers with labels as a list of equations, or None for another kind of text.

    There must be two labels of one form or more, which are different, each with a text after it; they follow one
    another as letters or numbers do, or a comma or semicolon stands before each.
    """
    found = list(LABEL.finditer(bare))
    if len(found) < 2 or found[0].start() or len({label.lastgroup for label in found}) > 1:
        return None
    names = [label[label.lastgroup or 0] for label in found]
    ends = [label.start() for label in found[1:]] + [len(bare)]
    parts = [bare[label.end() : end].strip() for label, end in zip(found, ends, strict=True)]
    values = [END.sub("", part) for part in parts]
    if len(set(names)) < len(names) or not all(values) or any(value.endswith(" or") for value in values):
        return None
    if not _follow(names) and (names[0].isdigit() or not all(part[-1] in ",;" for part in parts[:-1])):
        return None
    named = found[0].lastgroup == "colon"
    sides = [_label(name if named else name.upper()) for name in names]
    return Group(
        "list", tuple(Relation((side, read(value)), ("=",)) for side, value in zip(sides, values, strict=True))
    )


def _follow(names: list[str]) -> bool:
    low = [name.lower() for name in names]
    places = [ord(name[0]) for name in low]
    return low == ROMAN[: len(low)] or places == list(range(places[0], places[0] + len(places)))


def _label(name: str) -> Node:
    return Choice(name, False) if len(name) == 1 and name.isalpha() else Words((name.lower(),))
