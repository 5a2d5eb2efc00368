"""Ask the model the prompt itself: candidates are its own answers.

With ``system`` a system turn is put first; a prompt that has one of its own keeps that and gets no other.
"""

import json

import polars as pl


def ask(messages: pl.Series, *, system: str | None = None) -> pl.Series:
    """Return the messages to send for each prompt (JSON text); null where the prompt is null or has no turns."""
    text = messages.cast(pl.String).str.strip_chars()
    role = text.str.json_path_match("$[0].role")
    rows = pl.DataFrame({"text": text, "role": role})
    sent = pl.when(pl.col("role").is_not_null()).then("text")
    if system is not None:
        turn = json.dumps({"role": "system", "content": system}, ensure_ascii=False)
        first = pl.concat_str(pl.lit(f"[{turn}, "), pl.col("text").str.slice(1).str.strip_chars_start())
        sent = pl.when(pl.col("role").is_in(["system", "developer"])).then("text").when(
            pl.col("role").is_not_null()).then(first)  # fmt: skip
    return rows.select(messages=sent)["messages"]
