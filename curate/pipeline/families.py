"""The families of prompts: which prompts a split keeps on one side.

Prompts are of one family where

- one was made from the other (the recorded ``family``), or both were made from one prompt;
- the column that the recipe names (``by``) has one value for both;
- they begin with the same turn of the user, levelled (``prompt_keys``): copies, one question under several system
  texts, and the turns of one conversation; or one begins with a later turn of the other, whose earlier ones it lacks;
- their first turns are near-duplicates (``near_texts``), or differ in spelling only (``typing_errors``).

What very many prompts begin with is no question but an opening ("Hi", or instructions with the question in the next
turn), and what very many near-duplicates share is a template. A family that is so large that the shares cannot be met
(``TooLarge``) is looked at again without them: by the turn after the opening (or the system text, where no turn is
left), and by the words that are not the template's. The notes say so.

Where a step that makes prompts has asked for a split, the families of the prompts before it stay: a later prompt joins
one of them at most, first that of the prompt it was made from. Only the keys of all prompts are in memory, their
sketches, and the texts that have a possible near-duplicate.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.families.components import Pairs, component_labels, joined, pairs_by_key, sizes_of
from curate.algorithms.families.near_texts import near_pairs_of, near_sketches, with_partner
from curate.algorithms.families.templates import without_template
from curate.algorithms.families.typing_errors import spelling_keys, spelling_pairs, without_crowds
from curate.algorithms.random_order import mix64
from curate.pipeline.prompt_keys import DEPTH, PromptKeys, turn_texts

Tables = Callable[[], Iterable[pl.DataFrame]]  # reads the prompts again, in the same tables
TooLarge = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (label, identity) of each row -> whose family is too large
CONTINUATIONS = 3  # an opening has more than so many


class Families(NamedTuple):
    """The families of prompts, a row a prompt.

    Attributes:
        label: A number of the family that a split keeps together (int64).
        identity: A number of the family that depends on what its prompts say, not on their order (uint64).
        all: A number of the family that it would be if the families of the first prompts could still grow together.
        openings: How many prompts begin with an opening.
        template: How many prompts were compared without a template.
        apart: How many of these are in no family by their texts, as they were too many without it too.
    """

    label: np.ndarray
    identity: np.ndarray
    all: np.ndarray
    openings: int
    template: int
    apart: int


class _Near(NamedTuple):
    """Near-duplicates among the prompts: pairs of rows, and the rows whose template was left out."""

    pairs: Pairs
    template: np.ndarray
    apart: int


def find_families(keys: PromptKeys, tables: Tables, early: int, near: float, too_large: TooLarge) -> Families:
    """Return the families of prompts.

    Args:
        keys: The keys of the prompts.
        tables: Reads them, with the columns ``messages`` and ``prompt``.
        early: How many of them, the first ones, have families that stay.
        near: The least Jaccard similarity of near-duplicates, in (0, 1]; 0 for none.
        too_large: Says of the first prompts which rows are of a family that is too large.
    """
    rows = len(keys.turns)
    depth = _depths(keys, early, too_large)
    node = keys.path[np.arange(rows), depth]
    found = _near(keys, tables, depth, node, early, near, too_large)
    exact = _exact_pairs(keys, node)
    every = component_labels(rows, joined([exact, found.pairs]))
    label = every if early == rows else _keep_early(keys, node, early, found.pairs, exact)
    template = int(found.template.sum())
    return Families(label, identities(keys, depth, label, early), every, int((depth > 0).sum()), template, found.apart)


def identities(keys: PromptKeys, depth: np.ndarray, label: np.ndarray, early: int) -> np.ndarray:
    """Return a number of each row's family: the least of its prompts' own, of those that no model made if any are.

    Of a family of the first prompts, later ones do not count.
    """
    own = np.where(depth >= keys.turns, keys.whole, keys.users)
    own = mix64(np.where(keys.by != 0, keys.by, own))
    counts, made = counted(label, early), keys.family != 0
    most = np.full(len(label), np.iinfo(np.uint64).max)
    np.minimum.at(most, label[counts & ~made], own[counts & ~made])
    orphans = counts & made & (most[label] == np.iinfo(np.uint64).max)
    np.minimum.at(most, label[orphans], own[orphans])
    return most[label]


def counted(label: np.ndarray, early: int) -> np.ndarray:
    """Return which rows say what their family is like: of a family of the first prompts, these alone (bool)."""
    return (np.arange(len(label)) < early) | (label >= early)  # a label is the least row of its family


def _depths(keys: PromptKeys, early: int, too_large: TooLarge) -> np.ndarray:
    """Return for each row how many openings it begins with (int64): those of the first prompts, until none is left."""
    rows = np.arange(len(keys.turns))
    depth = np.zeros(len(rows), np.int64)
    first = keys.first(early)
    for at in range(DEPTH - 1):
        node = first.path[rows[:early], depth[:early]]
        label = component_labels(early, _exact_pairs(first, node))
        large = too_large(label, identities(first, depth[:early], label, early)) & (depth[:early] == at)
        opened = _openings(node[large], first.path[:, at + 1][large])
        here = (depth == at) & np.isin(keys.path[:, at], opened)
        depth[here] = at + 1
    return depth


def _openings(node: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the nodes that more than ``CONTINUATIONS`` different ones follow."""
    both = np.unique(np.stack([node, after]), axis=1) if len(node) else np.zeros((2, 0), np.uint64)
    values, counts = np.unique(both[0], return_counts=True)
    return values[counts > CONTINUATIONS]


def _exact_pairs(keys: PromptKeys, node: np.ndarray) -> Pairs:
    """Return pairs that connect the rows of one beginning, one value of ``by``, and one recorded family."""
    rows = np.arange(len(node))
    parts = [pairs_by_key(rows, node), pairs_by_key(rows, keys.by), _without_earlier_turns(keys)]
    made = keys.family != 0
    if made.any():
        # The prompt that others were made from has no family of its own; its root is theirs.
        parts.append(pairs_by_key(np.concatenate([rows[made], rows]), np.concatenate([keys.family[made], keys.root])))
    return joined(parts)


def _without_earlier_turns(keys: PromptKeys) -> Pairs:
    """Return pairs that connect a prompt with those that have its first turn as a later one.

    A turn that comes after more than ``CONTINUATIONS`` different beginnings ("Thanks.") says nothing.
    """
    turn, row = keys.later[:, 0], keys.later[:, 1].astype(np.int64)
    known = np.isin(turn, keys.path[:, 0])
    turn, row = turn[known], row[known]
    asked = np.unique(np.stack([turn, keys.path[row, 0]]), axis=1)[0]
    turns, counts = np.unique(asked, return_counts=True)
    said = np.isin(turn, turns[counts <= CONTINUATIONS])
    turn, row = turn[said], row[said]
    begun = np.flatnonzero(np.isin(keys.path[:, 0], turn))
    return pairs_by_key(np.concatenate([row, begun]), np.concatenate([turn, keys.path[begun, 0]]))


def _near(
    keys: PromptKeys,
    tables: Tables,
    depth: np.ndarray,
    node: np.ndarray,
    early: int,
    near: float,
    too_large: TooLarge,
) -> _Near:
    """Return near-duplicates among the first prompts, and between these and later ones."""
    template = np.zeros(len(node), bool)
    none = _Near((np.zeros(0, np.int64), np.zeros(0, np.int64)), template, 0)
    _, chosen = np.unique(node, return_index=True)  # one row of each beginning, the first
    chosen.sort()
    if not near or len(chosen) < 2:
        return none
    rows, text, made, spelt = _texts_with_partner(tables, depth, chosen, near)
    known = int(np.searchsorted(rows, early))
    alike = joined([near_pairs_of(text[:known], made[:known], near), spelling_pairs(text[:known], spelt[:known])])
    pairs = _of_rows(rows, alike)
    first = keys.first(early)
    inner = _exact_pairs(first, node[:early])
    label = component_labels(early, joined([inner, pairs]))
    large = too_large(label, identities(first, depth[:early], label, early)) & (sizes_of(label) > 3)
    large &= ~(sizes_of(component_labels(early, inner)) == sizes_of(label))  # not by its near-duplicates
    apart = 0
    if large.any():
        template[:early] = large
        kept = ~large[pairs[0]]
        pairs = pairs[0][kept], pairs[1][kept]
        of_template = np.flatnonzero(large[rows[:known]])
        stripped = without_template(text[:known].gather(of_template))
        again = _of_rows(rows[of_template], near_pairs_of(stripped, near_sketches(stripped, near), near))
        label = component_labels(early, joined([inner, pairs, again]))
        still = large & too_large(label, identities(first, depth[:early], label, early))
        apart = int(still.sum())
        kept = ~still[again[0]]
        pairs = joined([pairs, (again[0][kept], again[1][kept])])
    if early < len(node):
        usable = np.flatnonzero(~template[rows])
        later = near_pairs_of(text.gather(usable), made[usable], near, int(np.searchsorted(usable, known)))
        one, other = spelling_pairs(text.gather(usable), spelt[usable])
        new = (usable[one] >= known) | (usable[other] >= known)
        pairs = joined([pairs, _of_rows(rows[usable], joined([later, (one[new], other[new])]))])
    return _Near(pairs, template, apart)


def _texts_with_partner(
    tables: Tables, depth: np.ndarray, chosen: np.ndarray, near: float
) -> tuple[np.ndarray, pl.Series, np.ndarray, np.ndarray]:
    """Return the rows, texts, sketches and spelling keys of the ``chosen`` rows that may have a near-duplicate."""
    made = np.empty((len(chosen), near_sketches(pl.Series([], dtype=pl.String), near).shape[1]), np.uint32)
    spelt, done = np.empty(len(chosen), np.uint64), 0
    for text in _texts(tables, depth, chosen):  # into their places: the sketches of all prompts are there once
        low, done = done, done + len(text)
        made[low:done], spelt[low:done] = near_sketches(text, near), spelling_keys(text)
    spelt = without_crowds(spelt) * np.uint64(near < 1)  # 1 asks for equal words
    paired = np.flatnonzero(with_partner(made) | (spelt != 0))
    rows = chosen[paired]
    texts = [pl.Series("text", [], dtype=pl.String), *_texts(tables, depth, rows)]
    return rows, pl.concat(texts), made[paired], spelt[paired]


def _texts(tables: Tables, depth: np.ndarray, rows: np.ndarray) -> Iterable[pl.Series]:
    """Yield the texts to compare of rows, a table at a time."""
    start = 0
    for table in tables():
        low, high = np.searchsorted(rows, [start, start + table.height])
        held = table[rows[low:high] - start]
        yield turn_texts(held, depth[rows[low:high]])
        start += table.height


def _of_rows(rows: np.ndarray, pairs: Pairs) -> Pairs:
    return rows[pairs[0]], rows[pairs[1]]


def _keep_early(keys: PromptKeys, node: np.ndarray, early: int, near: Pairs, exact: Pairs) -> np.ndarray:
    """Return labels in which the families of the first prompts stay, and each later prompt joins one at most."""
    rows, inner = len(node), (near[0] < early) & (near[1] < early)
    exact_of_first = _exact_pairs(keys.first(early), node[:early])
    first = component_labels(early, joined([exact_of_first, (near[0][inner], near[1][inner])]))
    label = np.concatenate([first, np.full(rows - early, -1, np.int64)])
    for own, of_first in ((keys.family, keys.root), (keys.family, keys.family), (keys.by, keys.by), (node, node)):
        _join(label, early, own, of_first)
    left, right = np.minimum(*near), np.maximum(*near)
    across = (left < early) & (right >= early)
    for one, other in zip(left[across].tolist(), right[across].tolist(), strict=True):
        if label[other] < 0:
            label[other] = label[one]
    one, other = joined([exact, near])
    among = (one >= early) & (other >= early)
    group = component_labels(rows, (one[among], other[among]))
    free = np.flatnonzero(label < 0)
    least = np.full(rows, rows, np.int64)
    decided = np.flatnonzero(label[early:] >= 0) + early
    np.minimum.at(least, group[decided], label[decided])
    label[free] = np.where(least[group[free]] < rows, least[group[free]], group[free])
    return label


def _join(label: np.ndarray, early: int, own: np.ndarray, of_first: np.ndarray) -> None:
    """Give each later row without a label that of a first row whose key in ``of_first`` is its ``own``."""
    keys, place = np.unique(of_first[:early], return_index=True)
    later = np.flatnonzero(label < 0)
    later = later[own[later] != 0]
    if not len(keys) or not len(later):
        return
    at = np.minimum(np.searchsorted(keys, own[later]), len(keys) - 1)
    found = keys[at] == own[later]
    label[later[found]] = label[place[at[found]]]
