"""Tells near-duplicate prompts that ask the same from prompts that only have a template in common.

Two prompts with a long instruction, a few examples and a question each are near-duplicates by their words, whatever the
questions are. So two near-duplicates are compared without what other prompts share with them, too: the words before and
after the question, and, of a family of near-duplicates, every n-gram that is its template's.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from os.path import commonprefix
from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.families.components import component_labels
from curate.algorithms.families.near_texts import near_pairs_of, near_sketches
from curate.algorithms.families.templates import LEAST, without_template
from curate.algorithms.families.typing_errors import WORDS, differ_in_spelling
from curate.algorithms.text.ngrams import normalise

NGRAM = 3  # words
OTHER_WORDS = 3  # as many words may be others in a prompt that asks the same
TEMPLATE = 0.25  # the share of a prompt's words, at the least, that make what others share its template
CLUSTER = 5  # prompts: of fewer that share words it is not known whether these are a template or copies of one prompt
SIGNS = r"[+\-*/=<>^%$&|~\\]"  # of a formula: words do not have them
LARGE = 64  # prompts: of a larger family not every two are compared

Words = list[str]
Left = Callable[[], dict[int, Words]]


class NearPrompt(NamedTuple):
    """A held-out prompt and a near-duplicate of it that is trained on.

    Attributes:
        held: The number of the held-out text.
        trained: That of the other.
        sure: Whether both ask the same; false where it is not known whether they are of one template.
    """

    held: int
    trained: int
    sure: bool


def near_prompts(text: pl.Series, label: np.ndarray, trained: int, near: float) -> Iterator[NearPrompt]:
    """Yield each held-out text that has a near-duplicate among those trained on, with the first that it is most like.

    Texts of one template are no near-duplicates here.

    Args:
        text: Different texts; the first ones are trained on.
        label: For each text the first one of its family of near-duplicates.
        trained: How many are trained on.
        near: The least Jaccard similarity of near-duplicates, in (0, 1].
    """
    numbers = np.arange(len(text))
    mixed = np.intersect1d(label[numbers < trained], label[numbers >= trained])
    members = np.flatnonzero(np.isin(label, mixed))
    if not len(members):
        return
    words, signs = normalise(text).fill_null(""), text.str.extract_all(SIGNS)
    asked = [
        (dict(zip(members.tolist(), _without_ends(words, members, least), strict=True)), known)
        for least, known in ((CLUSTER, True), (LEAST, False))
    ]
    order = members[np.argsort(label[members], kind="stable")]
    for family in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        left = cache(partial(_without_template, text, tuple(family.tolist())))
        for part in _parts(left, family, near):
            for pair in _in_family(words, asked, left, part, len(family), trained, near):
                formulas = signs[pair.held].equals(signs[pair.trained])
                yield NearPrompt(pair.held, pair.trained, pair.sure and formulas)


def _parts(left: Left, family: np.ndarray, near: float) -> Iterator[list[int]]:
    """Yield the members of a family; of a large one those that are near-duplicates without its template."""
    if len(family) <= LARGE:
        yield family.tolist()
        return
    rest = pl.Series("text", [" ".join(left()[int(one)]) for one in family], dtype=pl.String)
    label = component_labels(len(family), near_pairs_of(rest, near_sketches(rest, near), near))
    order = np.argsort(label, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        if 1 < len(part) <= LARGE:
            yield family[part].tolist()


def _in_family(
    words: pl.Series,
    asked: list[tuple[dict[int, Words], bool]],
    left: Left,
    members: Sequence[int],
    size: int,
    trained: int,
    near: float,
) -> Iterator[NearPrompt]:
    """Yield the near prompts among some texts of a family of a size.

    ``asked`` has the words of texts without their ends, and whether as many share these as make a template; ``left``
    returns those without the family's template.
    """
    whole = {one: words[one].split() for one in members}
    grams = {one: _grams(whole[one]) for one in members}
    for held in (one for one in sorted(members) if one >= trained):
        found: list[NearPrompt] = []
        for other in (one for one in sorted(members) if one < trained):
            texts = whole[held], whole[other]
            if _jaccard(grams[held], grams[other]) < near and not differ_in_spelling(*texts):
                continue
            said = [
                _ask_the_same(*texts, rest[held], rest[other], max(size, CLUSTER * known), near)
                for rest, known in asked
            ]
            if False not in said:  # the template of the family takes longer to find
                said.append(_ask_the_same(*texts, left()[held], left()[other], size, near))
            if False not in said:
                found.append(NearPrompt(held, other, None not in said))
        yield from sorted(found, key=lambda one: not one.sure)[:1]


def _ask_the_same(one: Words, other: Words, rest: Words, other_rest: Words, size: int, near: float) -> bool | None:
    """Return whether two near-duplicates ask the same; None where that is not known.

    Args:
        one: The words of one.
        other: Those of the other.
        rest: The words of the one without what is shared.
        other_rest: Those of the other.
        size: How many near-duplicates share what is left out.
        near: The least Jaccard similarity of near-duplicates.
    """
    stripped = min(1 - len(rest) / max(len(one), 1), 1 - len(other_rest) / max(len(other), 1))
    if stripped < TEMPLATE:
        return True if _is_edited(one, other) else None
    if not rest or not other_rest or size < CLUSTER:
        if _has_all(one, other) or _has_all(other, one):
            return True
    spelt = len(rest) >= WORDS and differ_in_spelling(rest, other_rest)
    if rest == other_rest or spelt or _jaccard(_grams(rest), _grams(other_rest)) >= near:
        return True
    shorter, longer = sorted((rest, other_rest), key=len)
    added = len(shorter) >= WORDS and len(longer) - len(shorter) <= OTHER_WORDS and _has_all(longer, shorter)
    unsure = not shorter or added or size < CLUSTER or (len(longer) <= OTHER_WORDS and size <= LARGE)
    return None if unsure else False


def _is_edited(one: Words, other: Words) -> bool:
    """Return whether a text is another with words added, misspelt, or with a few others."""
    if _has_all(one, other) or _has_all(other, one) or differ_in_spelling(one, other):
        return True
    start = len(commonprefix([one, other]))
    one, other = one[start:], other[start:]
    end = len(commonprefix([one[::-1], other[::-1]]))
    return max(len(one), len(other)) - end <= OTHER_WORDS


def _has_all(one: Words, other: Words) -> bool:
    """Return whether a text has all words of another in their order."""
    rest = iter(one)
    return all(word in rest for word in other)


def _grams(words: Words) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + NGRAM]) for at in range(max(len(words) - NGRAM + 1, 1))}


def _jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    both = len(one & other)
    return both / max(len(one) + len(other) - both, 1)


def _without_template(text: pl.Series, family: tuple[int, ...]) -> dict[int, Words]:
    """Return the words of each text of a family that are not its template's."""
    texts = text.gather(list(family))
    left = without_template(texts) if len(family) >= LEAST else normalise(texts)
    return {one: rest.split() for one, rest in zip(family, left, strict=True)}


def _without_ends(words: pl.Series, members: np.ndarray, least: int) -> list[Words]:
    """Return some texts without the words, at both ends, that ``least`` texts have in common."""
    begin, end = (_shared_beginning(one, members, least) for one in (words, words.str.reverse()))
    found = []
    for text, first, last in zip(words.gather(members), begin, end, strict=True):
        found.append(text[first : max(len(text) - last, first)].split())
    return found


def _shared_beginning(texts: pl.Series, members: np.ndarray, least: int) -> list[int]:
    """Return how many characters of some texts, in whole words, ``least`` texts begin with, itself counted."""
    order = texts.arg_sort().to_numpy()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    found = []
    for at in place[members].tolist():
        windows = [(low, low + least - 1) for low in range(at - least + 1, at + 1) if low >= 0]
        ends = [(order[low], order[high]) for low, high in windows if high < len(order)]
        shared = max((_common(texts[int(low)], texts[int(high)]) for low, high in ends), default=0)
        found.append(shared)
    return found


def _common(one: str, other: str) -> int:
    """Return the length of the whole words that two texts begin with."""
    length = bisect_left(range(min(len(one), len(other))), True, key=lambda at: one[: at + 1] != other[: at + 1])
    if all(len(text) == length or text[length] == " " for text in (one, other)):
        return length
    return one.rfind(" ", 0, length) + 1
