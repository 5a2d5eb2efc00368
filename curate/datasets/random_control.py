"""The matched control of a dataset: as many rows, drawn at random from the candidates it was chosen from.

What selection was worth is seen by training on both. The control draws from the candidates that reach the dataset,
before its ``where`` and its ``select``, and has the dataset's final numbers, after ``dedup`` and ``diverse``:

- candidates chosen within a prompt (the rule reads ``prompt_id``): the same prompts, as many rows of each;
- candidates chosen over all (``top_k_overall``; a rule given ``keep``; a dataset with ``diverse``): as many rows in
  each split, of any prompt;
- pairs: as many of each prompt (with ``diverse``: as many in each split, of any prompt). Where the rule goes by a
  score, two random answers that say different things and have different scores, the higher one chosen; where it does
  not, random ones of the pairs the rule itself proposes;
- prompts: as many in each split, of all.

With ``match: tokens`` each split gets as many tokens as the dataset's answers have, as near as whole rows come to it:
of completions, or a quarter of the characters where a completion has no count. Then prompts take turns, so that each
has a row before any has a second one, and a prompt may have more rows or fewer than in the dataset. What is drawn goes
by ids and the seed, not by the order of rows. The dataset's own rows are drawn as any other.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from curate.algorithms.random_order import id_draws, mix64
from curate.datasets.candidate_table import Candidates
from curate.datasets.choose import NOUNS, Decisions, View, apply, in_order, prompt_rows, write_prompts, write_rows
from curate.datasets.pairs import Options, Texts, numbered, settle
from curate.datasets.trl_rows import sides
from curate.pipeline.pipeline import Walk
from curate.storage.store import StageWriter

PAIRS = 2_000_000  # random pairs that are in memory at a time
CHARACTERS = 4  # of a token, where tokens were not counted
SPARE = 2  # pairs of a prompt beyond the dataset's own number that may be drawn where tokens are matched


def control_candidates(
    walk: Walk, view: View, candidates: Candidates, base: pl.DataFrame, decide: Decisions, writer: StageWriter
) -> str:
    """Draw the control of a dataset of candidates or pairs; ``base`` is that dataset's rows. Says what came of it."""
    texts, seed = Texts(candidates), walk.recipe.seed
    split = sides(walk, candidates.prompts)
    if view.entry.type == "sft":
        made = _draw_rows(view, candidates, base, texts, split, seed)
        row = pl.col("__row")
        decide.write(
            "control",
            candidates.frame.select(row_id="completion_id", kept=row.is_in(made["__row"].implode())).with_columns(
                reason=_reason(view)
            ),
        )
    else:
        made = _draw_pairs(view, candidates, base, texts, split, seed)
        prompts = candidates.frame.select("__place", "prompt_id").unique("__place", maintain_order=True)
        kept = pl.col("__place").is_in(made["__place"].implode())
        decide.write("control", prompts.select(row_id="prompt_id", kept=kept).with_columns(reason=_reason(view)))
    said = write_rows(walk, view, candidates, made, writer)
    said += _said(view, candidates.frame.height, made, base, _tokens(candidates, texts, view, base, made))
    return said + (
        f"; these are the rows of {view.entry.control_of}: there is nothing else to draw"
        if made.height and _alike(view, candidates, base, made)
        else ""
    )


def control_prompts(walk: Walk, view: View, base: pl.DataFrame, decide: Decisions, writer: StageWriter) -> str:
    """Draw the control of a dataset of prompts."""
    prompts, made = prompt_rows(walk, view)
    split = sides(walk, prompts)
    lot = id_draws(made["prompt_id"], walk.recipe.seed, "control").to_numpy()
    kept = pl.Series("kept", _turn(_codes(split), lot) < _counts(base, split))
    decide.write("control", made.select(row_id="prompt_id").with_columns(kept).with_columns(reason=_reason(view)))
    said = write_prompts(walk, view, prompts, made.filter(kept), writer)
    return said + _said(view, made.height, made.filter(kept), base, None)


def overall(view: View) -> bool:
    """Whether a dataset chooses over all candidates (its rule, or ``diverse``), and not within each prompt."""
    rule = view.rule
    return bool(view.entry.diverse or "prompt_id" not in rule.step.reads or rule.settings.get("keep") is not None)


def _draw_rows(
    view: View, candidates: Candidates, base: pl.DataFrame, texts: Texts, split: pl.Series, seed: int
) -> pl.DataFrame:
    """Draw candidates: ``__row`` and ``__place``, in order of rows."""
    frame = candidates.frame.select("__row", "__place", "completion_id", "prompt_id")
    lot = id_draws(frame["completion_id"], seed, "control").to_numpy()
    place = frame["__place"].to_numpy()
    side = split[frame["__place"]]
    wanted = np.zeros(candidates.prompts.frame.height, np.int64)  # rows of each prompt in the dataset
    np.add.at(wanted, _places(candidates, base), 1)
    if view.entry.match == "tokens":
        fit = np.ones(len(lot), bool) if overall(view) else wanted[place] > 0
        turn = np.zeros(len(lot), np.int64) if overall(view) else _turn(place, lot)
        kept = np.zeros(len(lot), bool)
        rows = np.flatnonzero(fit)
        goal = _by_split(base, row_tokens(candidates, texts, _rows(candidates, base["completion_id"])))
        kept[rows] = _nearest(side.gather(rows), turn[rows], lot[rows], row_tokens(candidates, texts, rows), goal)
    elif overall(view):
        kept = _turn(_codes(side), lot) < _counts(base, side)
    else:
        kept = _turn(place, lot) < wanted[place]
    return frame.select("__row", "__place").filter(pl.Series(kept))


def _draw_pairs(
    view: View, candidates: Candidates, base: pl.DataFrame, texts: Texts, split: pl.Series, seed: int
) -> pl.DataFrame:
    """Draw pairs: ``chosen``, ``rejected`` and ``__place``, in order."""
    wanted = np.zeros(candidates.prompts.frame.height, np.int64)
    np.add.at(wanted, _places(candidates, base), 1)
    more = SPARE if view.entry.match == "tokens" else 0
    if view.entry.diverse:  # which prompts there are is part of what was chosen
        wanted[:] = max(1, wanted.max(initial=1))
    if view.scored:
        proposed = _random_pairs(view, candidates, wanted, seed)
    else:
        pairs = numbered(candidates, candidates.frame, apply(view, candidates, candidates.frame), view.rule.step.name)
        pairs = pairs.filter(pl.Series(wanted[pairs["place"].to_numpy()] > 0)).select("chosen", "rejected", "place")
        proposed = iter([_shuffled(candidates, pairs, seed)])
    parts = []
    for pairs in proposed:
        cap = wanted[pairs["place"].to_numpy()] + more
        looked = settle(pairs.drop("lot"), Options(), candidates, texts, cap)
        parts.append(looked.filter(pl.col("code") == 0))
    drawn = (
        pl.concat(parts)
        if parts
        else pl.DataFrame(schema={"chosen": pl.UInt32, "rejected": pl.UInt32, "place": pl.UInt32})
    )
    if more and drawn.height:
        drawn = _shuffled(candidates, drawn, seed)
        turn = _turn(drawn["place"].to_numpy(), np.arange(drawn.height))
        goal = _by_split(base, pair_tokens(candidates, texts, base))
        spent = sum(row_tokens(candidates, texts, drawn[side].to_numpy()) for side in ("chosen", "rejected"))
        drawn = drawn.filter(pl.Series(_nearest(split[drawn["place"]], turn, drawn["lot"].to_numpy(), spent, goal)))
    elif view.entry.diverse and drawn.height:
        drawn = _shuffled(candidates, drawn, seed)
        side = split[drawn["place"]]
        drawn = drawn.filter(pl.Series(_turn(_codes(side), drawn["lot"].to_numpy()) < _counts(base, side)))
    return in_order(candidates, drawn)


def _random_pairs(view: View, candidates: Candidates, wanted: np.ndarray, seed: int) -> Iterator[pl.DataFrame]:
    """All pairs of differently scored answers to the prompts wanted, in random order, some prompts at a time."""
    score = pl.col(view.by).cast(pl.Float64)
    rows = candidates.frame.filter(
        pl.Series(wanted[candidates.frame["__place"].to_numpy()] > 0), score.is_finite()
    ).select("__row", place="__place", score=score)
    work = rows.group_by("place").agg(n=pl.len().cast(pl.Int64).pow(2)).sort("place")
    work = work.with_columns(block=pl.col("n").cum_sum() // PAIRS)
    for (_,), block in work.group_by("block", maintain_order=True):
        part = rows.filter(pl.col("place").is_in(block["place"].implode()))
        pairs = part.join(part, on="place", suffix="_low").filter(pl.col("score") > pl.col("score_low"))
        yield _shuffled(candidates, pairs.select("place", chosen="__row", rejected="__row_low"), seed)


def _shuffled(candidates: Candidates, pairs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add each pair's ``lot`` and sort by prompt and lot; ids and seed decide, not the order of rows."""
    lot = id_draws(candidates.frame["completion_id"], seed, "control").to_numpy()
    of_pair = mix64(mix64(lot[pairs["chosen"].to_numpy()]) ^ lot[pairs["rejected"].to_numpy()])
    return pairs.with_columns(lot=pl.Series(of_pair)).sort("place", "lot")


def _turn(group: np.ndarray, lot: np.ndarray) -> np.ndarray:
    """The place of each row in its group, by lot: 0 for the first."""
    order = np.lexsort((lot, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1)) if len(order) else order
    sizes = np.diff(np.append(starts, len(order)))
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    return turn


def _nearest(
    split: pl.Series, turn: np.ndarray, lot: np.ndarray, tokens: np.ndarray, goal: dict[str, float]
) -> np.ndarray:
    """Take rows of each split, by turn and then by lot, until their tokens are as near to the goal as they come."""
    kept = np.zeros(len(lot), bool)
    for name, wanted in goal.items():
        rows = np.flatnonzero((split == name).to_numpy())
        rows = rows[np.lexsort((lot[rows], turn[rows]))]
        sums = np.concatenate(([0.0], np.cumsum(tokens[rows])))
        kept[rows[: int(np.argmin(np.abs(sums - wanted)))]] = True
    return kept


def row_tokens(candidates: Candidates, texts: Texts, rows: np.ndarray) -> np.ndarray:
    """How many tokens these candidates have; a quarter of their characters where nobody counted."""
    known = candidates.frame["completion_tokens"].cast(pl.Float64)[rows].to_numpy().copy()
    bare = np.isnan(known)
    texts.measure(rows[bare])
    known[bare] = texts.length[rows[bare]] / CHARACTERS
    return known


def pair_tokens(candidates: Candidates, texts: Texts, pairs: pl.DataFrame) -> np.ndarray:
    """How many tokens both answers of pairs (``chosen_id``, ``rejected_id``) have."""
    return sum(row_tokens(candidates, texts, _rows(candidates, pairs[f"{side}_id"])) for side in ("chosen", "rejected"))


def _by_split(base: pl.DataFrame, tokens: np.ndarray) -> dict[str, float]:
    counted = base.select("split").with_columns(tokens=pl.Series(tokens, dtype=pl.Float64))
    return dict(counted.group_by("split").agg(pl.col("tokens").sum()).sort("split").rows())


def _rows(candidates: Candidates, ids: pl.Series) -> np.ndarray:
    found = candidates.frame.select("completion_id", "__row")
    return (
        ids.rename("completion_id")
        .to_frame()
        .join(found, on="completion_id", how="left", maintain_order="left")["__row"]
        .to_numpy()
    )


def _places(candidates: Candidates, base: pl.DataFrame) -> np.ndarray:
    places = candidates.prompts.frame.select("prompt_id").with_row_index("place")
    return base.select("prompt_id").join(places, on="prompt_id", how="left", maintain_order="left")["place"].to_numpy()


def _counts(base: pl.DataFrame, split: pl.Series) -> np.ndarray:
    """For each split named, how many rows the dataset has of it."""
    counts = dict(base["split"].value_counts().rows())
    return split.replace_strict(counts, default=0, return_dtype=pl.Int64).to_numpy()


def _codes(names: pl.Series) -> np.ndarray:
    return names.rank("dense").cast(pl.Int64).to_numpy()


def _reason(view: View) -> pl.Expr:
    return pl.when("kept").then(None).otherwise(pl.lit(f"not drawn: the random control of {view.entry.control_of}"))


def _tokens(
    candidates: Candidates, texts: Texts, view: View, base: pl.DataFrame, made: pl.DataFrame
) -> tuple[int, int] | None:
    """Tokens of the control and of the dataset, where they are to match."""
    if view.entry.match != "tokens":
        return None
    sides_ = ("__row",) if view.entry.type == "sft" else ("chosen", "rejected")
    ours = sum(row_tokens(candidates, texts, made[side].to_numpy()).sum() for side in sides_)
    ids = ("completion_id",) if view.entry.type == "sft" else ("chosen_id", "rejected_id")
    theirs = sum(row_tokens(candidates, texts, _rows(candidates, base[id_])).sum() for id_ in ids)
    return round(float(ours)), round(float(theirs))


def _alike(view: View, candidates: Candidates, base: pl.DataFrame, made: pl.DataFrame) -> bool:
    """Whether the control has the very rows of the dataset, so that comparing them says nothing."""
    pair = {"chosen": "chosen_id", "rejected": "rejected_id"}
    names = {"__row": "completion_id"} if view.entry.type == "sft" else pair
    theirs = pl.DataFrame({name: _rows(candidates, base[ids]) for name, ids in names.items()})
    ours = made.select(pl.col(name).cast(theirs[name].dtype) for name in names)
    return ours.height == theirs.height and ours.join(theirs, on=[*names], how="anti").is_empty()


def _said(view: View, total: int, made: pl.DataFrame, base: pl.DataFrame, tokens: tuple[int, int] | None) -> str:
    of, noun = view.entry.control_of, NOUNS[view.entry.type]
    pool = "prompts" if view.entry.type == "prompt" else "candidates"
    if tokens:
        return f", drawn at random of {total:,} {pool}: {tokens[0]:,} tokens for the {tokens[1]:,} of {of}"
    short = base.height - made.height
    said = f"; {short:,} fewer than {of}: its prompts have no more {noun} to draw" if short else f", as many as {of}"
    return f", drawn at random of {total:,} {pool}{said}"
