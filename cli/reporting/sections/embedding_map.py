"""The map of the texts that have a stored embedding: what was kept and dropped, beside random ones."""

from typing import TYPE_CHECKING

from cli.pages.map_data import in_base64, map_bytes, plain
from cli.pages.map_points import Points, map_points
from cli.pages.script_json import script_json
from cli.reporting.section import Section
from curate.algorithms.vectors.layout import positions

if TYPE_CHECKING:
    import duckdb

MOST_POINTS, LONGEST_TEXT = 2_000, 100  # so that the section stays under 300 KB
SEED = 7
ABOUT = (
    "Each point is a text, placed so that texts of like meaning are near; distances between far groups mean little. "
    "Drag to move it, turn the wheel to zoom, drag with Shift held to choose points."
)


def embedding_map(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the map; None where no text has a stored embedding."""
    points = map_points(con, MOST_POINTS, LONGEST_TEXT)
    if points is None:
        return None
    drawn = {
        "data": in_base64(map_bytes(points, positions(points.vectors, SEED))),
        "ids": [*map(plain, points.ids)],
        "texts": [*map(plain, points.texts)],
    }
    beside = next((f"set:{name}:{name}_random" for name in points.sets if f"{name}_random" in points.sets), "")
    values = {"drawn": script_json(drawn), "notes": points.notes, "beside": plain(beside)}
    return Section("map", "Map", _title(points), ABOUT, values)


def _title(points: Points) -> str:
    """Return how many texts there are, and how many were dropped, in a sentence."""
    fate = points.categories[0]
    shown = f"{len(points.ids):,} texts by meaning"
    if "dropped" not in fate.values or "kept" not in fate.values:
        return shown
    dropped = int((fate.codes == fate.values.index("dropped")).sum())
    return f"{shown}: {dropped:,} of them were dropped"
