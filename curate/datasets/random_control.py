"""The random control of a dataset: as many rows, drawn at random from the candidates it was chosen from.

Training on both shows what the selection was worth. The control draws from the candidates that reach the dataset,
before its ``where`` and its ``select``, and has the dataset's final numbers, after ``dedup`` and ``diverse``:

- candidates chosen within a prompt (the rule reads ``prompt_id``): the same prompts, as many rows of each;
- candidates chosen over all (``top_k_overall``; a rule given ``keep``; a dataset with ``diverse``), and those of a
  control ``{random: all}``: as many rows in each split, of any prompt;
- pairs: as many of each prompt (with ``diverse``: as many in each split, of any prompt). Where the rule reads a score,
  two random answers with different texts and different scores, the higher one chosen; where it reads none, random ones
  of the pairs that the rule itself proposes;
- unpaired answers: candidates as above, labelled by their own scores; of pairs, as many good and as many bad answers of
  each prompt (with ``diverse``: in each split), out of random pairs;
- prompts: as many in each split, of all.

With ``match: tokens`` each split gets the token count of the dataset's answers, to the nearest whole row: tokens of
completions, or a quarter of the characters where a completion has no count. Then prompts take turns, so that each has a
row before any has a second one, and a prompt may have more rows or fewer than in the dataset. Draws depend on ids and
the seed, not on the order of rows. The dataset's own rows are drawn as any other.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from curate.algorithms.random_order import id_draws, mix64
from curate.datasets.candidate_table import Candidates
from curate.datasets.choose import apply_rule, in_order, prompt_rows
from curate.datasets.dataset_spec import NOUNS, DatasetSpec
from curate.datasets.decision_writer import DecisionWriter
from curate.datasets.draws import (
    codes,
    counts_of_splits,
    rank_in_group,
    row_numbers,
    rows_of_prompts,
    sum_by_split,
    take_to_goal,
)
from curate.datasets.labels import answers_of_pairs, with_labels
from curate.datasets.pairs import PairOptions, Texts, choose_pairs, number_pairs
from curate.datasets.token_counts import pair_tokens, row_tokens
from curate.datasets.trl_rows import prompt_splits
from curate.datasets.write import write_prompts, write_rows
from curate.storage.stage import StageWriter

PAIRS = 2_000_000  # random pairs that are in memory at a time
SPARE = 2  # pairs of a prompt beyond the dataset's own number that may be drawn where tokens are matched


def control_of_candidates(
    spec: DatasetSpec, candidates: Candidates, base: pl.DataFrame, decisions: DecisionWriter, writer: StageWriter
) -> str:
    """Draw and write the control of a dataset of candidates, pairs or unpaired answers.

    Args:
        spec: The control.
        candidates: The candidates to draw from.
        base: The rows of the dataset it is the control of.
        decisions: Writes the decisions about what is not drawn.
        writer: Writes the control's rows.

    Returns:
        A summary.
    """
    texts, splits = Texts(candidates), prompt_splits(spec.recipe, spec.prompts, spec.shares_of, candidates.prompts)
    if spec.entry.type != "preference":
        draw = _draw_answers_of_pairs if spec.of_pairs else draw_rows
        made = with_labels(spec, candidates, draw(spec, candidates, base, texts, splits))
        drawn = pl.col("__row").is_in(made["__row"].implode())
        considered = candidates.frame.select(row_id="completion_id", kept=drawn)
    else:
        made = draw_pairs(spec, candidates, base, texts, splits)
        prompts = candidates.frame.select("__place", "prompt_id").unique("__place", maintain_order=True)
        considered = prompts.select(row_id="prompt_id", kept=pl.col("__place").is_in(made["__place"].implode()))
    decisions.write("control", considered.with_columns(reason=_reason(spec)))
    summary = write_rows(spec, candidates, made, writer)
    tokens = _token_counts(candidates, texts, spec, base, made)
    summary += _comparison(spec, candidates.frame.height, made, base, tokens)
    if made.height and _is_the_dataset(spec, candidates, base, made):
        summary += f"; these are the rows of {spec.entry.control_of}: there is nothing else to draw"
    return summary


def control_of_prompts(spec: DatasetSpec, base: pl.DataFrame, decisions: DecisionWriter, writer: StageWriter) -> str:
    """Draw and write the control of a dataset of prompts, whose rows are ``base``; return a summary."""
    prompts, made = prompt_rows(spec)
    splits = prompt_splits(spec.recipe, spec.prompts, spec.shares_of, prompts)
    draws = id_draws(made["prompt_id"], spec.recipe.seed, "control").to_numpy()
    kept = pl.Series("kept", rank_in_group(codes(splits), draws) < counts_of_splits(base, splits))
    considered = made.select(row_id="prompt_id").with_columns(kept)
    decisions.write("control", considered.with_columns(reason=_reason(spec)))
    summary = write_prompts(spec, prompts, made.filter(kept), writer)
    return summary + _comparison(spec, made.height, made.filter(kept), base, None)


def chooses_over_all(spec: DatasetSpec) -> bool:
    """Return whether a control is drawn over all candidates, and not within each prompt.

    It is where its dataset chooses so (its rule, or ``diverse``), or the recipe says so (``control: {random: all}``).
    """
    rule = spec.selection
    return _of_any_prompt(spec) or bool("prompt_id" not in rule.step.reads or rule.settings.get("keep") is not None)


def _of_any_prompt(spec: DatasetSpec) -> bool:
    """Return whether which prompts there are is part of what is compared: ``diverse``, ``control: {random: all}``."""
    return bool(spec.entry.diverse) or spec.entry.control_over == "all"


def draw_rows(
    spec: DatasetSpec, candidates: Candidates, base: pl.DataFrame, texts: Texts, splits: pl.Series
) -> pl.DataFrame:
    """Draw candidates for a control; return their ``__row`` and ``__place``, in order of rows."""
    frame = candidates.frame.select("__row", "__place", "completion_id", "prompt_id")
    draws = id_draws(frame["completion_id"], spec.recipe.seed, "control").to_numpy()
    place = frame["__place"].to_numpy()
    split = splits[frame["__place"]]
    wanted = rows_of_prompts(candidates, base)
    if spec.entry.match == "tokens":
        kept = _draw_by_tokens(spec, candidates, base, texts, split, draws, wanted[place])
    elif chooses_over_all(spec):
        kept = rank_in_group(codes(split), draws) < counts_of_splits(base, split)
    else:
        kept = rank_in_group(place, draws) < wanted[place]
    return frame.select("__row", "__place").filter(pl.Series(kept))


def _draw_by_tokens(
    spec: DatasetSpec,
    candidates: Candidates,
    base: pl.DataFrame,
    texts: Texts,
    split: pl.Series,
    draws: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """Draw candidates until each split has the dataset's token count; return which are drawn.

    ``wanted`` is, for each candidate, how many rows its prompt has in the dataset.
    """
    over_all = chooses_over_all(spec)
    rows = np.arange(len(draws)) if over_all else np.flatnonzero(wanted > 0)
    rank = np.zeros(len(draws), np.int64) if over_all else rank_in_group(candidates.frame["__place"].to_numpy(), draws)
    goal = sum_by_split(base, row_tokens(candidates, texts, row_numbers(candidates, base["completion_id"])))
    kept = np.zeros(len(draws), bool)
    tokens = row_tokens(candidates, texts, rows)
    kept[rows] = take_to_goal(split.gather(rows), rank[rows], draws[rows], tokens, goal)
    return kept


def draw_pairs(
    spec: DatasetSpec, candidates: Candidates, base: pl.DataFrame, texts: Texts, splits: pl.Series
) -> pl.DataFrame:
    """Draw pairs for a control; return ``chosen``, ``rejected`` and ``__place``, in order."""
    wanted = rows_of_prompts(candidates, base)
    by_tokens = spec.entry.match == "tokens"
    if _of_any_prompt(spec):  # which prompts there are is part of what was chosen
        wanted[:] = max(1, wanted.max(initial=1))
    drawn = _admissible_pairs(spec, candidates, texts, wanted, spare=SPARE if by_tokens else 0)
    if drawn.height and (by_tokens or _of_any_prompt(spec)):
        drawn = _shuffled(candidates, drawn, spec.recipe.seed)
        split = splits[drawn["place"]]
        if by_tokens:
            rank = rank_in_group(drawn["place"].to_numpy(), np.arange(drawn.height))
            of_base = [row_numbers(candidates, base[f"{side}_id"]) for side in ("chosen", "rejected")]
            goal = sum_by_split(base, pair_tokens(candidates, texts, *of_base))
            tokens = pair_tokens(candidates, texts, drawn["chosen"].to_numpy(), drawn["rejected"].to_numpy())
            kept = take_to_goal(split, rank, drawn["draw"].to_numpy(), tokens, goal)
        else:
            kept = rank_in_group(codes(split), drawn["draw"].to_numpy()) < counts_of_splits(base, split)
        drawn = drawn.filter(pl.Series(kept))
    return in_order(candidates, drawn)


def _draw_answers_of_pairs(
    spec: DatasetSpec, candidates: Candidates, base: pl.DataFrame, texts: Texts, splits: pl.Series
) -> pl.DataFrame:
    """Draw answers of random pairs for the control of an unpaired dataset; return ``__row``, ``__place``, ``label``."""
    wanted = rows_of_prompts(candidates, base)
    if _of_any_prompt(spec):
        wanted[:] = max(1, wanted.max(initial=1))
    pairs = _admissible_pairs(spec, candidates, texts, wanted, spare=SPARE)
    rows, _ = answers_of_pairs(candidates, in_order(candidates, pairs))
    split, prompt = splits[rows["__place"]], candidates.prompts.ids[rows["__place"]]
    rows = rows.with_columns(split.alias("split"), prompt.alias("prompt_id"))
    group = ["split" if _of_any_prompt(spec) else "prompt_id", "label"]
    counts = base.select(group).group_by(group).len("wanted")
    held = rows.join(counts, on=group, how="left", maintain_order="left")["wanted"].fill_null(0).to_numpy()
    draws = id_draws(candidates.frame["completion_id"].gather(rows["__row"]), spec.recipe.seed, "control").to_numpy()
    number = rows.select(pl.struct(group).rank("dense").cast(pl.Int64)).to_series().to_numpy()
    return rows.filter(pl.Series(rank_in_group(number, draws) < held, dtype=pl.Boolean)).drop("split", "prompt_id")


def _admissible_pairs(
    spec: DatasetSpec, candidates: Candidates, texts: Texts, wanted: np.ndarray, *, spare: int
) -> pl.DataFrame:
    """Return, in random order, as many pairs of each prompt as are ``wanted`` and ``spare``, none of one text twice."""
    seed, options = spec.recipe.seed, PairOptions(preferred=spec.pair_options.preferred)
    if spec.needs_score:
        proposed = _random_pairs(spec, candidates, wanted)
    else:
        rule = spec.selection.step.name
        pairs = number_pairs(candidates, candidates.frame, apply_rule(spec, candidates, candidates.frame), rule)
        pairs = pairs.filter(pl.Series(wanted[pairs["place"].to_numpy()] > 0)).select("chosen", "rejected", "place")
        proposed = iter([_shuffled(candidates, pairs, seed)])
    parts = []
    for pairs in proposed:
        cap = wanted[pairs["place"].to_numpy()] + spare
        considered = choose_pairs(pairs.drop("draw"), options, candidates, texts, cap)
        parts.append(considered.filter(pl.col("code") == 0).select("chosen", "rejected", "place"))
    if not parts:
        return pl.DataFrame(schema={"chosen": pl.UInt32, "rejected": pl.UInt32, "place": pl.UInt32})
    return pl.concat(parts)


def _random_pairs(spec: DatasetSpec, candidates: Candidates, wanted: np.ndarray) -> Iterator[pl.DataFrame]:
    """Yield all pairs of differently scored answers to the prompts wanted, in random order, some prompts at a time."""
    score = pl.col(spec.by or "").cast(pl.Float64)
    rows = candidates.frame.filter(
        pl.Series(wanted[candidates.frame["__place"].to_numpy()] > 0), score.is_finite()
    ).select("__row", place="__place", score=score)
    work = rows.group_by("place").agg(n=pl.len().cast(pl.Int64).pow(2)).sort("place")
    work = work.with_columns(block=pl.col("n").cum_sum() // PAIRS)
    for (_,), block in work.group_by("block", maintain_order=True):
        part = rows.filter(pl.col("place").is_in(block["place"].implode()))
        pairs = part.join(part, on="place", suffix="_low").filter(pl.col("score") > pl.col("score_low"))
        yield _shuffled(candidates, pairs.select("place", chosen="__row", rejected="__row_low"), spec.recipe.seed)


def _shuffled(candidates: Candidates, pairs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Give each pair a random number ``draw``, from ids and seed alone, and sort by prompt and draw."""
    draws = id_draws(candidates.frame["completion_id"], seed, "control").to_numpy()
    of_pair = mix64(mix64(draws[pairs["chosen"].to_numpy()]) ^ draws[pairs["rejected"].to_numpy()])
    return pairs.with_columns(draw=pl.Series(of_pair)).sort("place", "draw")


def _reason(spec: DatasetSpec) -> pl.Expr:
    return pl.when("kept").then(None).otherwise(pl.lit(f"not drawn: the random control of {spec.entry.control_of}"))


def _token_counts(
    candidates: Candidates, texts: Texts, spec: DatasetSpec, base: pl.DataFrame, made: pl.DataFrame
) -> tuple[int, int] | None:
    """Return the tokens of the control and of the dataset, where they are to match."""
    if spec.entry.match != "tokens":
        return None
    numbers = ("chosen", "rejected") if spec.entry.type == "preference" else ("__row",)
    ours = sum(row_tokens(candidates, texts, made[side].to_numpy()).sum() for side in numbers)
    ids = ("chosen_id", "rejected_id") if spec.entry.type == "preference" else ("completion_id",)
    theirs = sum(row_tokens(candidates, texts, row_numbers(candidates, base[id_])).sum() for id_ in ids)
    return round(float(ours)), round(float(theirs))


def _is_the_dataset(spec: DatasetSpec, candidates: Candidates, base: pl.DataFrame, made: pl.DataFrame) -> bool:
    """Return whether the control has the very rows of the dataset, so that comparing them says nothing."""
    pair = {"chosen": "chosen_id", "rejected": "rejected_id"}
    names = pair if spec.entry.type == "preference" else {"__row": "completion_id"}
    theirs = pl.DataFrame({name: row_numbers(candidates, base[ids]) for name, ids in names.items()})
    ours = made.select(pl.col(name).cast(theirs[name].dtype) for name in names)
    return ours.height == theirs.height and ours.join(theirs, on=[*names], how="anti").is_empty()


def _comparison(
    spec: DatasetSpec, total: int, made: pl.DataFrame, base: pl.DataFrame, tokens: tuple[int, int] | None
) -> str:
    of, noun = spec.entry.control_of, NOUNS[spec.entry.type]
    pool = "prompts" if spec.entry.type == "prompt" else "candidates"
    if tokens:
        return f", drawn at random of {total:,} {pool}: {tokens[0]:,} tokens for the {tokens[1]:,} of {of}"
    short = base.height - made.height
    beside = f"; {short:,} fewer than {of}: its prompts have no more {noun} to draw" if short else f", as many as {of}"
    return f", drawn at random of {total:,} {pool}{beside}"
