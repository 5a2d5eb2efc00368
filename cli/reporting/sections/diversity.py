"""How varied a chosen subset is, beside a random one of the same size."""

from typing import TYPE_CHECKING, Any

from cli.reporting.charts import Drawing, label, lines
from cli.reporting.section import Section, figure, rows
from schemas.counted import counted
from schemas.json_text import parse

if TYPE_CHECKING:
    import duckdb

MOST_STAGES = 6
COLOURS = {"kept": "kept", "random": "random"}


def diversity(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the figures of the table ``diversity`` by stage; None where no step chose a diverse subset."""
    found = rows(con, "SELECT * FROM diversity ORDER BY stage, set")
    if not found:
        return None
    stages: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        stages.setdefault(row["stage"], []).append(row)
    cards = [
        {"stage": stage, "sets": sets, "drawing": _clusters(f"diversity-{place}", sets)}
        for place, (stage, sets) in enumerate([*stages.items()][:MOST_STAGES])
    ]
    left = len(stages) - len(cards)
    return Section(
        "diversity", "Diversity", _title(found),
        "The subset that a step chose beside one drawn at random of the same size, by the embeddings of the texts. "
        "Figures are of as many rows as the column 'measured on' says" + (f"; {left} more stages." if left else "."),
        {"cards": cards},
    )  # fmt: skip


def _title(found: list[dict[str, Any]]) -> str:
    stage = found[0]["stage"]
    by_set = {row["set"]: row for row in found if row["stage"] == stage}
    kept, random = by_set.get("kept"), by_set.get("random")
    if not kept or not random:
        return f"How varied the rows of {stage} are"
    return (
        f"{kept['rows']:,} chosen rows are as varied as {figure(kept['vendi'], 1)} that have nothing in common, "
        f"{random['rows']:,} random ones as {figure(random['vendi'], 1)}"
    )


def _clusters(name: str, sets: list[dict[str, Any]]) -> Drawing | None:
    """Return the sizes of the clusters of each set, the largest first; None where there are none."""
    data = []
    for line, row in enumerate(sets):
        colour = COLOURS.get(row["set"], "other")
        sizes = sorted(_sizes(row["clusters"]), reverse=True)
        data += [
            {"x": place + 1, "y": size, "line": line, "colour": colour,
             "tip": f"{label(row['set'])}: its cluster {place + 1} has {counted(size, 'row')}"}
            for place, size in enumerate(sizes)
        ]  # fmt: skip
    if not data:
        return None
    legend = tuple((COLOURS.get(row["set"], "other"), label(row["set"])) for row in sets)
    return lines(
        name, "Rows in each cluster, the largest first", data, "cluster", "rows", points=True, zero=True, legend=legend,
        about="a flat line is an even spread over the clusters",
    )  # fmt: skip


def _sizes(text: str | None) -> list[int]:
    try:
        sizes = parse(text or "[]")
    except ValueError:
        return []
    return [size for size in sizes if isinstance(size, int)] if isinstance(sizes, list) else []
