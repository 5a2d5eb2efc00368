"""Two texts side by side, with the words marked that only one of them has."""

import re
from collections import Counter
from difflib import SequenceMatcher

from markupsafe import Markup

from cli.pages.texts import shown

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
REMOVED, ADDED = Markup("<del>{}</del>"), Markup("<ins>{}</ins>")
MOST_WORDS = 3_000  # of both texts together
MOST_WORK = 1_500_000  # comparisons of two words, some 0.3 s: a text that repeats a word takes the cube of its length


def differences(left: str, right: str) -> tuple[Markup, Markup, bool]:
    """Return two texts as HTML in which the words that the other lacks are marked.

    Where the texts repeat the same words so often that comparing them takes long, more may be marked than differs.

    Returns:
        The left text, the right one, and whether they were compared: texts of over ``MOST_WORDS`` words are not.
    """
    first, second = WORDS.findall(left), WORDS.findall(right)
    if len(first) + len(second) > MOST_WORDS:
        return shown(left), shown(right), False
    out: tuple[list[Markup], list[Markup]] = ([], [])
    a = b = 0
    for start, other, size in [*_alike(first, second), (len(first), len(second), 0)]:
        for side, words, mark in ((0, first[a:start], REMOVED), (1, second[b:other], ADDED)):
            text = "".join(words)
            out[side].append(mark.format(shown(text)) if text.strip() else shown(text))
        for side, words in ((0, first[start : start + size]), (1, second[other : other + size])):
            out[side].append(shown("".join(words)))
        a, b = start + size, other + size
    return Markup().join(out[0]), Markup().join(out[1]), True


def _alike(first: list[str], second: list[str]) -> list[tuple[int, int, int]]:
    """Return the runs of words that both texts have, in order: where each begins in both, and its length.

    The longest run is found first, then those before and after it, as ``SequenceMatcher`` does, until the work is
    used up.
    """
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    times = Counter(second)
    places = [times[word] for word in first]  # in the second text, of each word of the first
    found, left, work = [], [(0, len(first), 0, len(second))], MOST_WORK
    while left:
        low, high, start, end = left.pop()
        work -= sum(places[low:high]) + high - low
        if work < 0:
            break
        one = matcher.find_longest_match(low, high, start, end)
        if one.size:
            found.append((one.a, one.b, one.size))
            left += [(low, one.a, start, one.b), (one.a + one.size, high, one.b + one.size, end)]
    return sorted(found)
