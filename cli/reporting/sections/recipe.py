"""The recipe as it ran, and the versions of what ran it."""

import io
from typing import TYPE_CHECKING, Any

from cli.reporting.section import Section, rows, seconds
from schemas.json_text import parse

if TYPE_CHECKING:
    import duckdb

LONGEST = 60_000  # characters of a recipe


def recipe(con: "duckdb.DuckDBPyConnection", run_id: str | None) -> Section | None:
    """Return the recipe of a run as YAML, and the versions of gristmill and of the trainings' libraries."""
    found = rows(
        con,
        """SELECT run_id, recipe, command, status, started_at, version, error, resolved::VARCHAR AS resolved FROM runs
           ORDER BY run_id = ? DESC, number DESC LIMIT 1""",
        [run_id],
    )
    if not found:
        return None
    run = found[0]
    versions = {"gristmill": run["version"]}
    for row in rows(con, "SELECT versions::VARCHAR AS held FROM trainings WHERE versions IS NOT NULL ORDER BY run_id"):
        held = _parsed(row["held"])
        versions |= held if isinstance(held, dict) else {}
    text = recipe_text(_parsed(run["resolved"]))
    history = rows(con, """SELECT run_id, command, status, started_at, seconds, error FROM runs
                           ORDER BY number DESC LIMIT 12""")  # fmt: skip
    for row in history:
        row["time"] = seconds(row["seconds"])
    cut = f", cut after {LONGEST:,} characters" if len(text) > LONGEST else ""
    return Section(
        "recipe", "Recipe", f"{run['recipe']}: the recipe of this report, with gristmill {run['version']}",
        f"The recipe as the run {run['run_id']} read it, with the values of --set, without defaults that are "
        f"null{cut}; the versions that the latest trainings wrote; the latest {len(history)} runs.",
        {"text": text[:LONGEST], "versions": versions, "runs": history},
    )  # fmt: skip


def recipe_text(resolved: Any) -> str:
    """Return a recipe as YAML, without lines of its file and what is null; as it is where it is no mapping."""
    from ruamel.yaml import YAML

    made, out = YAML(typ="safe", pure=True), io.StringIO()
    made.default_flow_style, made.width, made.allow_unicode = False, 100, True
    made.sort_base_mapping_type_on_output = False
    made.dump(bare(resolved), out)
    return out.getvalue()


def bare(value: Any) -> Any:
    """Return a recipe's value without lines of its file, and without what is null or empty."""
    if isinstance(value, dict):
        held = {key: bare(one) for key, one in value.items() if key != "line"}
        return {key: one for key, one in held.items() if one not in (None, {}, [])}
    return [bare(one) for one in value] if isinstance(value, list) else value


def _parsed(text: str | None) -> Any:
    try:
        return parse(text or "null")
    except ValueError:
        return text
