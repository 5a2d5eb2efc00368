"""How a score goes with the response's length, in figures and in a plain sentence."""

import json

import duckdb
import polars as pl

from curate.algorithms.statistics.figures import Figure
from curate.algorithms.statistics.orders import CONSTANT, spearman, spearman_within
from schemas.sql_frames import frame_of

SLIGHT, STRONG = 0.1, 0.3  # sizes of a correlation, after Cohen (1988): small from 0.1, medium from 0.3
TOO_FEW = 10  # answers below which nothing is said


def length_bias(rows: pl.DataFrame, value: str = "score") -> dict[str, Figure]:
    """Return the rank correlations of a score with the length: of all answers, and within prompts.

    Args:
        rows: The columns ``value``, ``length``, and ``prompt`` and ``cluster`` as whole numbers.
        value: The name of the score's column.
    """
    known = rows.drop_nulls([value, "length"])
    score, length = (known[name].cast(pl.Float64).to_numpy() for name in (value, "length"))
    prompt, cluster = known["prompt"].to_numpy(), known["cluster"].to_numpy()
    return {
        "length": spearman(score, length, cluster),
        "length within prompts": spearman_within(score, length, prompt),
    }


def length_sentence(score: str, found: dict[str, Figure]) -> str:
    """Return what the correlations of a score with the length mean, or an empty text where they cannot be told.

    Where prompts have several answers, the correlation within prompts counts: the prompt is the same there.
    """
    overall, within = found["length"], found["length within prompts"]
    if overall.count < TOO_FEW or overall.value is None:
        return ""
    figures, chief = f"Spearman {overall.value:+.2f}", overall
    if within.value is not None and within.count >= TOO_FEW:
        figures, chief = f"{figures}, within prompts {within.value:+.2f}", within
    if within.value is None and within.why == CONSTANT:
        return f"{score} is the same for all responses to a prompt, so it prefers none by its length ({figures})"
    if chief.value is None or abs(chief.value) < SLIGHT:
        return f"{score} hardly depends on the response's length ({figures})"
    how = "strongly" if abs(chief.value) >= STRONG else "somewhat"
    which = "longer" if chief.value > 0 else "shorter"
    sure = "" if chief.low is None or chief.low * (chief.high or 0.0) > 0 else "; the interval includes 0"
    return f"{score} {how} prefers {which} responses ({figures}{sure})"


def model_scores(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of the scores of answers in a store that a model gives, or that are made of such scores."""
    stages = con.execute(
        "SELECT settings FROM stages WHERE stage LIKE 'completions.score.%' ORDER BY run_id, position"
    ).fetchall()
    found: dict[str, None] = {}
    for (text,) in stages:
        held = json.loads(text)
        scorer = held.get("scorer")
        if not (isinstance(scorer, list) and len(scorer) == 5):  # a store of another version
            continue
        reads = {name for names in scorer[3].values() for name in names}
        if any(task != "run" for _, task in scorer[4]) or not reads.isdisjoint(found):
            found[held["name"]] = None
    return list(found)


def length_sentences(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return for each score of ``model_scores`` how it goes with the response's length."""
    sentences = []
    for name in model_scores(con):
        found = con.sql(
            """SELECT s.value AS score, length(c.response) AS length,
                      dense_rank() OVER (ORDER BY c.prompt_id) - 1 AS prompt,
                      dense_rank() OVER (ORDER BY coalesce(p.family, c.prompt_id)) - 1 AS cluster
               FROM scores s JOIN completions c ON c.completion_id = s.row_id
               LEFT JOIN prompts p ON p.prompt_id = c.prompt_id WHERE s.scorer = ? AND s.value IS NOT NULL""",
            params=[name],
        )
        sentences.append(length_sentence(name, length_bias(frame_of(found))))
    return [sentence for sentence in sentences if sentence]
