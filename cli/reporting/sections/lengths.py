"""Whether scores go with the length of the response, and whether chosen answers are longer than rejected ones."""

from typing import TYPE_CHECKING, Any

from cli.reporting.charts import Drawing, histogram, label, lines
from cli.reporting.section import Section, figure, percent, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST_SCORERS = 8
SAMPLED = 4_000  # candidates whose rank correlation is computed
BINS = 25  # odd: the middle one has the answers that are as long
# Of labels by hand nothing is told: they are of the few rows that a person chose to look at.
QUERY = """
WITH measured AS (
    SELECT s.scorer, s.value, length(c.response) AS length,
           ntile(10) OVER (PARTITION BY s.scorer ORDER BY length(c.response), c.completion_id) AS part
    FROM scores AS s JOIN completions AS c ON c.completion_id = s.row_id
    WHERE s.value IS NOT NULL AND isfinite(s.value) AND c.response IS NOT NULL AND s.scorer <> 'by_hand'
)
SELECT scorer, part, avg(length) AS length, avg(value) AS mean, count(*) AS n FROM measured
GROUP BY ALL ORDER BY scorer, part
"""


def lengths(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the mean score by length, and how pairs differ in length; None where there are neither."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows(con, QUERY):
        found.setdefault(row["scorer"], []).append(row)
    found = {name: _joined(parts) for name, parts in found.items()}
    found = {
        name: parts for name, parts in found.items() if len(parts) > 2 and parts[-1]["length"] > parts[0]["length"]
    }
    drawings, sentences = [], []
    if found:
        _draw_sample(con)
    for place, (name, parts) in enumerate([*found.items()][:MOST_SCORERS]):
        sentence = _sentence(con, name)
        sentences.append(sentence)
        drawings.append(_curve(f"length-{place}", name, parts, sentence))
    pairs = _pairs(con)
    if not drawings and pairs is None:
        return None
    said = next((one for one in sentences if "hardly" not in one and one), next(filter(None, sentences), ""))
    title = said.partition(" (")[0] or (pairs.title if pairs else "Scores by the length of the response")
    left = len(found) - len(drawings)
    return Section(
        "lengths", "Length", title[:1].upper() + title[1:] if not said else title,
        "Mean score of a tenth of the candidates each, from the shortest to the longest; no candidate is sampled for "
        f"that. Rank correlations are of at most {SAMPLED:,} candidates of each scorer, drawn by their ids"
        + (f". {counted(left, 'more scorer')} not drawn." if left > 0 else "."),
        {"drawings": drawings, "pairs": pairs},
    )  # fmt: skip


def _joined(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return parts of which those of the same length are one."""
    out: list[dict[str, Any]] = []
    for row in parts:
        if out and out[-1]["length"] == row["length"]:
            last, n = out[-1], out[-1]["n"] + row["n"]
            out[-1] = last | {"n": n, "mean": (last["mean"] * last["n"] + row["mean"] * row["n"]) / n}
        else:
            out.append(row)
    return out


def _draw_sample(con: "duckdb.DuckDBPyConnection") -> None:
    """Make the table of the candidates whose rank correlations are computed, whole prompts, drawn by their ids."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE report_sample AS
            SELECT c.completion_id, length(c.response) AS length, c.prompt_id, coalesce(p.family, c.prompt_id) AS family
            FROM completions AS c LEFT JOIN prompts AS p ON p.prompt_id = c.prompt_id
            WHERE c.response IS NOT NULL ORDER BY md5(c.prompt_id), md5(c.completion_id) LIMIT {SAMPLED}"""
    )


def _sentence(con: "duckdb.DuckDBPyConnection", scorer: str) -> str:
    from curate.api.length_bias import length_bias, length_sentence
    from schemas.sql_frames import frame_of

    found = con.sql(
        """SELECT s.value AS score, r.length, dense_rank() OVER (ORDER BY r.prompt_id) - 1 AS prompt,
                  dense_rank() OVER (ORDER BY r.family) - 1 AS cluster
           FROM report_sample AS r JOIN scores AS s ON s.row_id = r.completion_id
           WHERE s.scorer = ? AND s.value IS NOT NULL ORDER BY r.completion_id""",
        params=[scorer],
    )
    sample = frame_of(found)
    return length_sentence(label(scorer, 30), length_bias(sample)) if sample.height else ""


def _curve(name: str, scorer: str, parts: list[dict[str, Any]], sentence: str) -> Drawing:
    data = [
        {"x": row["length"], "y": row["mean"], "line": 0, "colour": "accent",
         "tip": f"{counted(row['n'], 'response')} of {row['length']:,.0f} characters on average: {figure(row['mean'])}"}
        for row in parts
    ]  # fmt: skip
    return lines(
        name, label(scorer, 44), data, "length of the response (characters)", "mean score", points=True, whole=False,
        zero=all(row["mean"] >= 0 for row in parts), about=sentence or "no rank correlation can be told",
    )  # fmt: skip


def _pairs(con: "duckdb.DuckDBPyConnection") -> Drawing | None:
    """Return the histogram of how much longer the chosen answer of a pair is than the rejected one."""
    found = rows(con, """SELECT (length(chosen) - length(rejected)) AS more FROM pairs
                         WHERE chosen IS NOT NULL AND rejected IS NOT NULL ORDER BY more""")  # fmt: skip
    if len(found) < 2:
        return None
    values = [row["more"] for row in found]
    reach = max(1, *(abs(values[int(at * (len(values) - 1))]) for at in (0.01, 0.99)))
    width = 2 * reach / BINS
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, max(0, int((value + reach) / width)))] += 1
    data = [
        {"low": -reach + at * width, "high": -reach + (at + 1) * width, "value": count,
         "kind": "other" if at == BINS // 2 else "kept" if at > BINS // 2 else "dropped",
         "tip": f"{counted(count, 'pair')}: the chosen answer has {-reach + at * width:+,.0f} to "
         f"{-reach + (at + 1) * width:+,.0f} characters"}
        for at, count in enumerate(counts) if count
    ]  # fmt: skip
    longer = sum(value > 0 for value in values) / len(values)
    return histogram(
        "length-pairs", f"The chosen answer is the longer one in {percent(longer)} of pairs", data,
        "characters more in the chosen answer", "pairs", form=",d", height=150,
        about=f"{counted(len(values), 'pair')}; the ends have what is beyond them",
        legend=(("kept", "chosen is longer"), ("dropped", "rejected is longer"), ("other", "about as long")),
    )  # fmt: skip
