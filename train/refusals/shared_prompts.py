"""Finds held-out prompts that are trained on too: the same prompt, or one of its near-duplicates.

Prompts are the same where all turns of the user are, levelled as a split levels them (``curate.pipeline.prompt_keys``);
they are near-duplicates where a split would keep them on one side (``curate.algorithms.families``). Prompts of one
template are not: near-duplicates are compared without what others share with them, too (``near_prompts``).
"""

import numpy as np
import polars as pl

from curate.algorithms.families.components import Pairs, component_labels, joined
from curate.algorithms.families.near_texts import near_pairs_of, near_sketches, with_partner
from curate.algorithms.families.typing_errors import spelling_keys, spelling_pairs, without_crowds
from curate.pipeline.prompt_keys import ONE_TURN, PromptKeys, prompt_keys
from curate.pipeline.split import FEW, LARGE, MANY
from schemas.json_text import parse
from train.refusals.near_prompts import near_prompts

SHARED = {"row_id": pl.String, "trained": pl.String, "same": pl.Boolean, "sure": pl.Boolean}


def shared_prompts(trained: pl.DataFrame, held: pl.DataFrame, near: float) -> pl.DataFrame:
    """Return the held-out rows whose prompt is trained on too.

    Args:
        trained: The rows that are trained on: ``row_id``, and ``prompt``, its messages as JSON text.
        held: The rows that are held out, with the same columns.
        near: The least Jaccard similarity of near-duplicates, in (0, 1]; 0 to look for equal prompts only.

    Returns:
        ``row_id`` of the held-out row, ``trained`` (a row that is trained on), ``same`` (false for a near-duplicate)
        and ``sure`` (false where it is not known whether a near-duplicate asks the same), in the order of ``held``.
        Nothing where a prompt can't be read: the rows' own check says so.
    """
    both = pl.concat([one.select("row_id", "prompt") for one in (trained, held)])
    if trained.is_empty() or held.is_empty():
        return pl.DataFrame(schema=SHARED)
    rows = _with_text(both)
    try:
        keys = prompt_keys(rows, None, recorded=False)
        label, in_system = _equal_labels(keys)
    except ValueError:  # not JSON
        return pl.DataFrame(schema=SHARED)
    partner, first = np.where(label < trained.height, label, -1), trained.height
    sure = partner >= 0
    if near:
        one_each = np.flatnonzero(label == np.arange(len(label)))
        text = _texts(rows[one_each], in_system[one_each])
        alike = component_labels(len(text), _near_pairs(text, near))
        for pair in near_prompts(text, alike, int((one_each < first).sum()), near):
            copies = label == one_each[pair.held]
            partner[copies], sure[copies] = one_each[pair.trained], pair.sure
    hit = np.flatnonzero(partner[first:] >= 0) + first
    ids = both["row_id"]
    found = {"row_id": ids.gather(hit), "trained": ids.gather(partner[hit]), "same": label[hit] < first}
    return pl.DataFrame(found | {"sure": sure[hit]}, schema=SHARED)


def _with_text(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows as ``prompt_keys`` reads them: ``messages``, and as ``prompt`` the text of a prompt of one turn."""
    one_turn = pl.col("prompt").str.contains(ONE_TURN)
    text = pl.when(one_turn).then("prompt").str.json_path_match("$[0].content")
    return rows.select(messages="prompt", prompt=text)


def _equal_labels(keys: PromptKeys) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the first row of the same prompt (int64), and whether its question is in the system text.

    Where very many rows have the same turns of the user, but different system texts, the question is in these.
    """
    _, group = np.unique(keys.users, return_inverse=True)
    whole = np.unique(np.stack([group.astype(np.uint64), keys.whole]), axis=1)[0]
    crowd = _crowds(np.bincount(group)[group]) & (np.bincount(whole.astype(np.int64))[group] > FEW)
    _, first, place = np.unique(np.where(crowd, keys.whole, keys.users), return_index=True, return_inverse=True)
    return first[place].astype(np.int64), crowd


def _crowds(sizes: np.ndarray) -> np.ndarray:
    """Return which rows are of a family, whose sizes are given, that is a template or an opening by its size."""
    rows = len(sizes)
    return (sizes > max(MANY, LARGE * rows)) | (sizes > max(FEW, rows / 2))


def _near_pairs(text: pl.Series, near: float) -> Pairs:
    """Return pairs that connect the near-duplicates among texts."""
    made, spelt = near_sketches(text, near), without_crowds(spelling_keys(text)) * np.uint64(near < 1)
    rows = np.flatnonzero(with_partner(made) | (spelt != 0))
    some = text.gather(rows)
    left, right = joined([near_pairs_of(some, made[rows], near), spelling_pairs(some, spelt[rows])])
    return rows[left], rows[right]


def _texts(rows: pl.DataFrame, in_system: np.ndarray) -> pl.Series:
    """Return the text of each prompt to compare: all turns of the user, or all turns where there are none.

    Args:
        rows: The prompts.
        in_system: For each whether its question is in the system text, so that all turns are compared.
    """
    texts = rows["prompt"].to_list()
    for row in (rows["prompt"].is_null() | pl.Series(in_system)).arg_true():
        turns = [(one["role"], one["content"]) for one in parse(rows["messages"][row]) if _has_text(one)]
        users = [content for role, content in turns if role == "user" and not in_system[row]]
        texts[row] = "\n".join(users or [content for _, content in turns])
    return pl.Series("text", texts, dtype=pl.String)


def _has_text(message: object) -> bool:
    return isinstance(message, dict) and "role" in message and isinstance(message.get("content"), str)
