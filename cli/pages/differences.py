"""Two texts side by side, with the words marked that only one of them has."""

import re
from difflib import SequenceMatcher

from markupsafe import Markup

from cli.pages.texts import shown

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
REMOVED, ADDED = Markup("<del>{}</del>"), Markup("<ins>{}</ins>")
MOST_WORDS = 3_000  # of both texts together: the comparison takes the square of it


def differences(left: str, right: str) -> tuple[Markup, Markup, bool]:
    """Return two texts as HTML in which the words that the other lacks are marked.

    Returns:
        The left text, the right one, and whether they were compared: texts of over ``MOST_WORDS`` words are not.
    """
    first, second = WORDS.findall(left), WORDS.findall(right)
    if len(first) + len(second) > MOST_WORDS:
        return shown(left), shown(right), False
    out: tuple[list[Markup], list[Markup]] = ([], [])
    for kind, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        for side, words, mark in ((0, first[a:b], REMOVED), (1, second[c:d], ADDED)):
            text = shown("".join(words))
            out[side].append(text if kind == "equal" or not "".join(words).strip() else mark.format(text))
    return Markup().join(out[0]), Markup().join(out[1]), True
