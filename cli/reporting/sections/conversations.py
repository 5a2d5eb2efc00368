"""Rows of SFT as conversations, in which the turns are coloured that are learnt."""

from typing import TYPE_CHECKING, Any

from cli.pages.conversation import parsed
from cli.reporting.section import Section, one, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST = 6
MOST_TOOLS = 20  # whose names are shown


def conversations(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return rows of the table ``sft``, of each dataset as many; None where there are none."""
    total = one(con, "SELECT count(*) FROM sft")
    if not total:
        return None
    found = rows(
        con,
        """SELECT row_id, dataset, split, prompt::VARCHAR AS prompt, completion::VARCHAR AS completion, score,
                  tools::VARCHAR AS tools
           FROM (FROM sft QUALIFY row_number() OVER (PARTITION BY row_id ORDER BY dataset) = 1)
           QUALIFY row_number() OVER (PARTITION BY dataset ORDER BY split <> 'train', md5(row_id)) <= ?
           ORDER BY row_number() OVER (PARTITION BY dataset ORDER BY split <> 'train', md5(row_id)), dataset LIMIT ?""",
        [MOST, MOST],
    )
    for row in found:
        row["tools"] = tool_names(row["tools"])
    datasets = one(con, "SELECT count(DISTINCT dataset) FROM sft")
    return Section(
        "conversations", "SFT rows", f"{counted(total, 'row')} for SFT in {counted(datasets, 'dataset')}",
        f"{len(found)} of {total:,} rows, drawn by their ids, of each dataset as many, long texts cut. Coloured turns "
        "are learnt: their tokens have a loss; the others are context.",
        {"rows": found},
    )  # fmt: skip


def tool_names(tools: Any) -> list[str]:
    """Return the names of the tools of a row, from their JSON text; after the most that are shown, how many more."""
    found = parsed(tools)
    if not isinstance(found, list):
        return []
    functions = [tool.get("function", tool) for tool in found if isinstance(tool, dict)]
    names = [str(one.get("name", "?")) for one in functions if isinstance(one, dict)]
    left = len(names) - MOST_TOOLS
    return names[:MOST_TOOLS] + ([f"{left:,} more"] if left > 0 else [])
