"""Putting dataset rows together: ids and scores become rows in TRL's columns, with the ids they came from."""

import polars as pl

from curate.frames import Rows, collect
from curate.store import empty
from curate.walk import Walk
from schemas.ids import content_id


def by_prompt(walk: Walk, by: str | None) -> pl.DataFrame:
    """Every prompt with what its candidates' scores come to.

    ``pass_rate`` is the share of its scored candidates whose score ``by`` is at least 1; for each scorer there are
    ``..._mean``, ``..._min`` and ``..._max``; all null for a prompt without candidates.
    """
    names = [n for n in walk.prompts.columns() if n != "prompt_id"]
    prompts = collect(walk.prompts, names)
    scorers = list(walk.completions.scores)
    frame = collect(walk.completions, ["prompt_id", *scorers], walk.prompts)
    summary = [getattr(pl.col(s), how)().alias(f"{s}_{how}") for s in scorers for how in ("mean", "min", "max")]
    passed = (pl.col(by) >= 1).mean() if by in scorers else pl.lit(None, pl.Float64).first()
    grouped = frame.group_by("prompt_id").agg(*summary, pass_rate=passed, n_completions=pl.len().cast(pl.Int64))
    return prompts.join(grouped, on="prompt_id", how="left", maintain_order="left")


def rl_rows(prompts: pl.DataFrame) -> pl.DataFrame:
    """RL prompts: ``prompt`` holds the messages as JSON text."""
    ids = [content_id("r", "prompt", p) for p in prompts["prompt_id"]]
    summary = [c for c in prompts.columns if c.endswith(("_mean", "_min", "_max"))]
    return prompts.select(
        "prompt_id", "ground_truth", "metadata", "tools", "pass_rate",
        row_id=pl.Series(ids, dtype=pl.String), prompt="messages", scores=_json(prompts, summary),
        text_prompt="prompt", text_response=pl.lit(""), text_row="prompt",
    )  # fmt: skip


def sft_rows(walk: Walk, picked: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """SFT rows for these candidates (a frame of ``completion_id``), in their order."""
    rows = picked.join(_texts(walk, picked["completion_id"]), on="completion_id", how="left", maintain_order="left")
    ids = [content_id("r", "sft", c) for c in rows["completion_id"]]
    return rows.select(
        "prompt_id", "completion_id", "tools", row_id=pl.Series(ids, dtype=pl.String), prompt="messages",
        completion="__turns", score=_score(rows, by), scores=_json(rows, list(walk.completions.scores)),
        text_prompt="prompt", text_response="response", text_row=_whole("prompt", "response"),
    )  # fmt: skip


def preference_rows(walk: Walk, pairs: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """Preference rows for pairs of candidates (``chosen_id``, ``rejected_id``), in their order."""
    texts = _texts(walk, pl.concat([pairs["chosen_id"], pairs["rejected_id"]]).unique(maintain_order=True))
    scorers = list(walk.completions.scores)
    rejected = texts.select("completion_id", __rejected="__turns", __rejected_score=_score(texts, by),
                            __rejected_scores=_json(texts, scorers))  # fmt: skip
    rows = pairs.join(texts, left_on="chosen_id", right_on="completion_id", how="left", maintain_order="left")
    rows = rows.join(rejected, left_on="rejected_id", right_on="completion_id", how="left", maintain_order="left")
    ids = [content_id("r", "preference", c, r) for c, r in rows.select("chosen_id", "rejected_id").iter_rows()]
    both = pl.concat_str(
        pl.lit('{"chosen":'), _json(rows, scorers), pl.lit(',"rejected":'), "__rejected_scores", pl.lit("}")
    )
    return rows.select(
        "prompt_id", "chosen_id", "rejected_id", "tools", rejected="__rejected", rejected_score="__rejected_score",
        row_id=pl.Series(ids, dtype=pl.String), prompt="messages", chosen="__turns", chosen_score=_score(rows, by),
        scores=both, text_prompt="prompt", text_response="response", text_row=_whole("prompt", "response"),
    )  # fmt: skip


def _texts(walk: Walk, ids: pl.Series) -> pl.DataFrame:
    """The candidates of these ids with all that a dataset row shows of them.

    A score may have any name, so what is put beside the scores goes by names no score has.
    """
    columns = ["prompt_id", "response", "prompt", "tools", *walk.completions.scores]
    only = Rows("completions", "completion_id", walk.completions.stages, pl.DataFrame({"completion_id": ids}),
                walk.completions.scores)  # fmt: skip
    frame = collect(only, columns, walk.prompts)
    held = [empty("completions"), *(s.read("completions", ["completion_id", "messages"]) for s in only.stages)]
    turns = pl.concat([h.select("completion_id", __turns="messages").join(frame, on="completion_id", how="semi")
                       for h in held])  # fmt: skip
    context = collect(walk.prompts, ["messages"])
    frame = frame.join(turns.unique("completion_id"), on="completion_id", how="left", maintain_order="left")
    return frame.join(context, on="prompt_id", how="left", maintain_order="left")


def _score(rows: pl.DataFrame, by: str | None) -> pl.Expr:
    return pl.col(by).cast(pl.Float64) if by in rows.columns else pl.lit(None, pl.Float64)


def _json(rows: pl.DataFrame, names: list[str]) -> pl.Expr:
    held = [n for n in names if n in rows.columns]
    return pl.struct(held).struct.json_encode() if held else pl.lit("{}")


def _whole(*columns: str) -> pl.Expr:
    return pl.concat_str([pl.col(c).fill_null("") for c in columns], separator="\n")
