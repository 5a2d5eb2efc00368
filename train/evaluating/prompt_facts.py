"""Facts of the prompts that an evaluation asks, by which its figures are broken down: source, metadata, length."""

import polars as pl

from curate.storage.rows import RowSet, read_parts
from schemas.errors import BadRow
from schemas.json_text import dump, parse

LONGEST = 2_000  # characters of metadata that are kept beside every score: the table ``prompts`` has them all
LONGEST_VALUE = 200  # characters of a value of longer metadata


def prompt_facts(rows: pl.DataFrame, prompts: RowSet | None) -> pl.DataFrame:
    """Return what is known of the prompts that are asked.

    Args:
        rows: The held-out prompts: prompt_id, messages (JSON text), metadata (null where the dataset has none).
        prompts: The recipe's prompts; None where they are not at hand.

    Returns:
        A row for each of ``rows``, in order: ``prompt_id``, ``source``, ``metadata`` (both null where they are not
        known; of long metadata the short values) and ``prompt_length``, the characters of the texts of all its turns.
    """
    lengths = pl.Series("prompt_length", [_length(text) for text in rows["messages"]], dtype=pl.Int64)
    found = rows.select("prompt_id", own=pl.col("metadata").cast(pl.String)).with_columns(lengths)
    known = _known(rows["prompt_id"], prompts)
    joined = found.join(known, on="prompt_id", how="left", maintain_order="left").select(
        "prompt_id", "source", metadata=pl.coalesce("metadata", "own"), prompt_length="prompt_length"
    )
    short = [text if text is None or len(text) <= LONGEST else _shortened(text) for text in joined["metadata"]]
    return joined.with_columns(metadata=pl.Series(short, dtype=pl.String))


def _known(ids: pl.Series, prompts: RowSet | None) -> pl.DataFrame:
    """Return source and metadata of the prompts with these ids, each once; only theirs are read into memory."""
    columns = {"prompt_id": pl.String, "source": pl.String, "metadata": pl.String}
    parts = [
        part.filter(pl.col("prompt_id").is_in(ids.implode()))
        for stage in (prompts.stages if prompts else [])
        for part in read_parts(stage, "prompts", [*columns])
    ]
    return pl.concat([pl.DataFrame(schema=columns), *parts]).unique("prompt_id", keep="first", maintain_order=True)


def _length(messages: str) -> int:
    """Return the characters of the texts of a conversation."""
    return sum(len(turn["content"]) for turn in parse(messages) if isinstance(turn.get("content"), str))


def _shortened(text: str) -> str | None:
    """Return long metadata with their short values alone, as many as there is room for; they tell groups apart."""
    try:
        values = parse(text)
    except ValueError:
        return None
    kept, room = {}, LONGEST
    for key, value in values.items() if isinstance(values, dict) else ():
        try:
            length = len(dump({key: value}, key))
        except BadRow:  # such as an infinite number, which JSON does not have
            continue
        if length <= min(room, LONGEST_VALUE):
            kept[key] = value
            room -= length
    return dump(kept, "metadata")
