"""Choose among the pairs that a rule proposes, by the options that every ``pair`` rule has.

A rule proposes pairs in order of preference. Pairs of one slot are alternatives: the first admissible one is taken. A
pair without a slot stands by itself. With ``max_pairs: m`` the first m admissible pairs of each prompt are taken,
whatever their slot. A pair is refused

- if its two texts are the same but for white space (always; of answers that call tools or have several turns, all turns
  must be the same);
- if the shorter text has less than ``length_band`` times the characters of the longer;
- if ``models: different`` or ``same`` does not hold of the models that gave the two answers;
- if a person prefers the other one, whatever the rule says: in a comparison of the two, else by the score ``by_hand``;
- if the similarity of their word pairs is above ``max_similarity`` (off by default, since a rewritten answer is similar
  to its original by nature).

A pair is considered, and counted, only if the pairs before it leave room for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.algorithms.text import same_text
from curate.datasets.candidate_table import SLICE, Candidates
from curate.storage.row_table import gather
from schemas.errors import UserError

SAME, LENGTHS, MODELS, NEAR, BY_HAND = 1, 2, 3, 4, 5
NEAR_SLICE = 10_000  # pairs whose word pairs are in memory at a time


@dataclass(frozen=True)
class PairOptions:
    """The options of a dataset that say which pairs are admissible, whatever the rule.

    ``preferred`` are the ids of two candidates of which a person prefers the first; None where no labels count.
    """

    max_pairs: int | None = None
    length_band: float | None = None
    models: str | None = None
    max_similarity: float | None = None
    preferred: frozenset[tuple[str, str]] | None = None

    def reasons(self) -> list[str]:
        """Return the reason for each code of a refusal; that of code 0 is empty."""
        return [
            "",
            "the same text",
            f"lengths further apart than {self.length_band}",
            "the same model" if self.models == "different" else "different models",
            f"texts more alike than {self.max_similarity}",
            "a person prefers the other",
        ]


class Texts:
    """Lengths and hashes of the candidates' texts, read when a pair of them is considered."""

    def __init__(self, candidates: Candidates) -> None:
        """Begin with no text read."""
        count = candidates.own.height  # zeros take no memory before they are written
        self.table = candidates.own
        self.length, self.has_length = np.zeros(count, np.int64), np.zeros(count, bool)  # in characters
        self.end, self.whole = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
        self.has_whole = np.zeros(count, bool)

    def read(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, pl.Series]]:
        """Yield slices of distinct rows with their texts: the turns of a row that has no text and calls tools."""
        rows = np.unique(rows)
        for low in range(0, len(rows), SLICE):
            part = pl.Series(rows[low : low + SLICE])
            text = gather(self.table, part, ["response"])["response"]
            blank = text.fill_null("").str.strip_chars() == ""
            if blank.any():
                calls = same_text.more_than_text(gather(self.table, part.filter(blank), ["completion"]).to_series())
                text = text.scatter(blank.arg_true(), calls.fill_null(""))
            yield part.to_numpy(), text

    def measure(self, rows: np.ndarray) -> None:
        """Read the length and the end of rows that were not read yet."""
        for part, text in self.read(rows[~self.has_length[rows]]):
            self.length[part], self.has_length[part] = text.str.len_chars().fill_null(0).to_numpy(), True
            self.end[part] = same_text.end_hashes(text)

    def same(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return for each pair whether its two texts are the same."""
        self.measure(np.concatenate([left, right]))
        equal = self.end[left] == self.end[right]
        rows = np.concatenate([left[equal], right[equal]])
        for part, text in self.read(rows[~self.has_whole[rows]]):
            self.whole[part], self.has_whole[part] = same_text.text_hashes(text), True
        equal[equal] = self.whole[left[equal]] == self.whole[right[equal]]
        equal[equal] = self.hash_beyond_text(left[equal]) == self.hash_beyond_text(right[equal])
        return equal

    def hash_beyond_text(self, rows: np.ndarray) -> np.ndarray:
        """Return a hash of each row's turns where they are more than its text: tool calls, turns before the last."""
        found = np.zeros(len(rows), np.uint64)
        for low in range(0, len(rows), SLICE):
            turns = gather(self.table, pl.Series(rows[low : low + SLICE]), ["completion"]).to_series()
            found[low : low + SLICE] = same_text.text_hashes(same_text.more_than_text(turns))
        return found

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the similarity of the two texts of each pair, from 0 to 1."""
        found = np.zeros(len(left))
        for low in range(0, len(left), NEAR_SLICE):
            sides = [pl.Series(side[low : low + NEAR_SLICE]) for side in (left, right)]
            texts = [gather(self.table, side, ["response"]).to_series() for side in sides]
            found[low : low + NEAR_SLICE] = same_text.similarity(*texts)
        return found


def number_pairs(candidates: Candidates, frame: pl.DataFrame, pairs: pl.DataFrame, rule: str) -> pl.DataFrame:
    """Return a rule's pairs by row number.

    Args:
        candidates: The candidates.
        frame: Those of them that the rule was shown.
        pairs: The rule's result: chosen_id, rejected_id and, if it has slots, slot.
        rule: The rule's name, for errors.

    Returns:
        ``chosen``, ``rejected`` and ``place`` (the prompt's row number); with slots, ``slot``, which becomes the number
        of the first pair of its prompt in it.

    Raises:
        UserError: The rule returned no such table, or paired answers to different prompts.
    """
    for column in ("chosen_id", "rejected_id"):
        if not isinstance(pairs, pl.DataFrame) or column not in pairs.columns:
            raise UserError(f"select {rule!r} returned {pairs!r:.80}; expected a table of chosen_id and rejected_id")
    ids = frame.select("completion_id", "__row", "__place")
    found = pairs.unique(["chosen_id", "rejected_id"], keep="first", maintain_order=True)
    for side in ("chosen", "rejected"):
        rows = ids.select(
            pl.col("completion_id").alias(f"{side}_id"),
            pl.col("__row").alias(side),
            pl.col("__place").alias(f"place_{side}"),
        )
        found = found.with_columns(pl.col(f"{side}_id").cast(pl.String))
        found = found.join(rows, on=f"{side}_id", how="left", maintain_order="left")
        lost = found.filter(pl.col(side).is_null())
        if lost.height:
            raise UserError(f"select {rule!r} made a pair with {lost[f'{side}_id'][0]!r}, which is no candidate here")
    apart = found.filter(pl.col("place_chosen") != pl.col("place_rejected"))
    if apart.height:
        one = apart.row(0, named=True)
        raise UserError(
            f"select {rule!r} paired {one['chosen_id']} with {one['rejected_id']}, an answer to another "
            f"prompt; both sides of a pair must answer one prompt"
        )
    pairs = found.select("chosen", "rejected", *(["slot"] if "slot" in found.columns else []), place="place_chosen")
    if "slot" not in pairs.columns:
        return pairs
    first = pl.when(pl.col("slot").is_null()).then("row").otherwise(pl.col("row").min().over("place", "slot"))
    return pairs.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)).with_columns(slot=first).drop("row")


def choose_pairs(
    pairs: pl.DataFrame, options: PairOptions, candidates: Candidates, texts: Texts, cap: np.ndarray | None = None
) -> pl.DataFrame:
    """Choose which pairs are made.

    Args:
        pairs: Pairs as ``number_pairs`` returns them, in order of preference.
        options: The dataset's options.
        candidates: The candidates.
        texts: Their texts, as far as they were read.
        cap: For each pair, how many pairs its prompt may have; by default ``max_pairs``.

    Returns:
        The pairs that were considered, with ``code``: 0 for a pair that is made, else the reason's code.
    """
    left, right = pairs["chosen"].to_numpy(), pairs["rejected"].to_numpy()
    count = pairs.height
    if cap is None and options.max_pairs is None:
        cap = np.ones(count, np.int64)
        key = pairs["slot"].to_numpy() if "slot" in pairs.columns else np.arange(count)
    else:
        cap = np.full(count, options.max_pairs) if cap is None else cap
        key = pairs["place"].to_numpy()
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=key[order][:1] - 1)) if count else order
    code = _models(options, candidates, left, right)
    sure = np.zeros(count, bool)
    while True:
        turn = _before(code == 0, order, first) < cap  # fewer pairs before it may be taken than its prompt may have
        look = np.flatnonzero(turn & (code == 0) & ~sure)
        if not len(look):
            break
        code[look] = _read(options, texts, left[look], right[look])
        sure[look] = True
    return pairs.with_columns(code=pl.Series(code)).filter(pl.Series(turn, dtype=pl.Boolean))


def _before(good: np.ndarray, order: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return for each pair how many good ones stand before it in its group; groups lie together in ``order``."""
    if not len(order):
        return np.zeros(0, np.int64)
    counts = np.cumsum(good[order]) - good[order]
    sizes = np.diff(np.append(first, len(order)))
    found = np.empty(len(order), np.int64)
    found[order] = counts - np.repeat(counts[first], sizes)
    return found


def _models(options: PairOptions, candidates: Candidates, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    code = np.zeros(len(left), np.int8)
    if options.models and len(left):
        model = candidates.short["model"]
        alike = (model[left] == model[right]).fill_null(False).to_numpy()
        code[alike == (options.models == "different")] = MODELS
    if options.preferred is not None and len(left):
        code[_worse_by_hand(options.preferred, candidates, left, right)] = BY_HAND
    return code


def _worse_by_hand(
    preferred: frozenset[tuple[str, str]], candidates: Candidates, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Return of which pairs a person prefers the right one: in a comparison of the two, else by the score."""
    score = candidates.short["by_hand"].to_numpy()
    worse = score[left] < score[right]  # never where one of them has none
    if preferred:
        known = pl.DataFrame([*preferred], schema=["better", "worse"], orient="row")
        ids = pl.DataFrame({"completion_id": candidates.own.ids}).with_columns(at=pl.int_range(pl.len()))
        for side in ("better", "worse"):
            known = known.join(ids.rename({"completion_id": side, "at": f"{side}_at"}), on=side)
        better, other = known["better_at"].to_numpy(), known["worse_at"].to_numpy()
        size = candidates.own.height
        proposed = left.astype(np.int64) * size + right  # row numbers of 32 bits would overflow
        worse &= ~np.isin(proposed, better * size + other)
        worse |= np.isin(proposed, other * size + better)
    return worse


def _read(options: PairOptions, texts: Texts, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Compare the texts of pairs and return their codes."""
    code = np.where(texts.same(left, right), SAME, 0).astype(np.int8)
    if options.length_band is not None:
        sizes = np.stack([texts.length[left], texts.length[right]])
        code[(code == 0) & (sizes.min(axis=0) < options.length_band * sizes.max(axis=0))] = LENGTHS
    if options.max_similarity is not None and (code == 0).any():
        open_ = np.flatnonzero(code == 0)
        near = texts.similarity(left[open_], right[open_])
        code[open_[near > options.max_similarity]] = NEAR
    return code
