"""Pair the answers of a recorded preference as the file has them: several pairs of one prompt stay several pairs.

A source lists the answers of a prompt in the order of its rows, an answer that two rows share once. So a prompt's
answers are read in that order: two that follow each other and are one preferred, one rejected are a pair; an answer
that is left, whose partner an earlier row has, is paired with the nearest earlier one of the other side. Answers that a
step left out leave a gap, and no pair is made across one. Answers without the score, or with one that is neither 0 nor
1, are ignored.
"""

import polars as pl

WITHIN_PROMPTS = True
TWO = 2  # answers of a prompt with one pair


def pair(prompt_id: pl.Series, completion_id: pl.Series, sample_index: pl.Series, score: pl.Series) -> pl.DataFrame:
    """Return a row per pair: ``chosen_id`` and ``rejected_id``, in the order of the prompts and of their answers."""
    rows = pl.DataFrame({"prompt": prompt_id, "id": completion_id, "at": sample_index, "score": score})
    rows = rows.with_columns(
        pl.col("id").cast(pl.String), pl.col("at").cast(pl.Int64), pl.col("score").cast(pl.Float64)
    )
    rows = rows.with_row_index("row").filter(pl.col("score").is_in([0.0, 1.0]), pl.col("at").is_not_null())
    # A number for each prompt: sorting by it first, few ids (text) are ever compared.
    rows = rows.select("id", "at", good=pl.col("score") == 1, group=pl.col("row").min().over("prompt"))
    rows = rows.sort("group", "at", "id").with_columns(count=pl.len().over("group"))
    next_one = pl.col("id", "at", "good").shift(-1).over("group").name.suffix("_next")
    two = rows.filter(pl.col("count") == TWO).with_columns(next_one)
    two = two.filter(pl.col("at_next") == pl.col("at") + 1, pl.col("good_next") != pl.col("good"))
    first, second = pl.col("id"), pl.col("id_next")
    pairs = two.select(
        "group",
        chosen_id=pl.when("good").then(first).otherwise(second),
        rejected_id=pl.when("good").then(second).otherwise(first),
    )
    more = [
        (group, *sides)
        for (group,), part in rows.filter(pl.col("count") > TWO).group_by("group", maintain_order=True)
        for sides in _in_order(part["id"].to_list(), part["at"].to_list(), part["good"].to_list())
    ]
    pairs = pl.concat([pairs, pl.DataFrame(more, pairs.schema, orient="row")])
    return pairs.sort("group", maintain_order=True).select("chosen_id", "rejected_id")


def _in_order(ids: list[str], at: list[int], good: list[bool]) -> list[tuple[str, str]]:
    """Return the pairs of one prompt's answers, which are in the order of the file."""
    pairs: list[tuple[str, str]] = []
    latest: dict[bool, str] = {}
    place = 0
    while place < len(ids):
        if place and at[place] != at[place - 1] + 1:
            latest = {}
        side, one = good[place], ids[place]
        follows = place + 1 < len(ids) and at[place + 1] == at[place] + 1 and good[place + 1] != side
        other = ids[place + 1] if follows else latest.get(not side)
        if other is not None:
            pairs.append((one, other) if side else (other, one))
        latest[side] = one
        if follows:
            latest[not side] = ids[place + 1]
        place += 2 if follows else 1
    return pairs
