"""What was asked of models and what it cost, also for each row that was kept."""

from typing import TYPE_CHECKING, Any

from cli.reporting.charts import bars, label
from cli.reporting.section import Section, figure, rows, seconds
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST_MODELS = 8
BY_MODEL = """
SELECT coalesce(model, 'no model') AS model, sum(requests)::BIGINT AS requests, sum(failed)::BIGINT AS failed,
       sum(prompt_tokens)::BIGINT AS prompt_tokens, sum(completion_tokens)::BIGINT AS completion_tokens,
       sum(seconds) AS seconds, sum(cost) AS cost
FROM costs WHERE requests + failed > 0 GROUP BY 1
ORDER BY cost DESC NULLS LAST, sum(prompt_tokens) + sum(completion_tokens) DESC, 1
"""
BY_COMMAND = """
SELECT command, count(*) AS runs, sum(seconds) AS seconds, sum(requests)::BIGINT AS requests,
       sum(requests_reused)::BIGINT AS reused, sum(cost) AS cost
FROM runs GROUP BY 1 ORDER BY seconds DESC NULLS LAST, 1
"""
MADE = """
SELECT sum(c.cost) AS cost, sum(c.seconds) AS seconds, sum(c.prompt_tokens + c.completion_tokens)::BIGINT AS tokens
FROM costs AS c JOIN runs AS r USING (run_id) WHERE r.command = 'run'
"""
DATASETS = """
SELECT dataset, count(*) AS n FROM (
    SELECT dataset FROM sft UNION ALL SELECT dataset FROM preferences UNION ALL SELECT dataset FROM unpaired
    UNION ALL SELECT dataset FROM rl_prompts) GROUP BY 1 ORDER BY n DESC, 1 LIMIT 12
"""


def costs(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return requests, tokens, time and money by model and command, and for a row kept; None where nothing ran."""
    models, commands = rows(con, BY_MODEL), rows(con, BY_COMMAND)
    if not commands:
        return None
    made = rows(con, MADE)[0]
    datasets = [
        {"dataset": row["dataset"], "n": row["n"], "tokens": figure((made["tokens"] or 0) / row["n"], 1),
         "seconds": seconds((made["seconds"] or 0) / row["n"]), "cost": money((made["cost"] or 0) / row["n"])}
        for row in rows(con, DATASETS)
    ]  # fmt: skip
    total = {name: sum(row[name] or 0 for row in models) for name in ("requests", "prompt_tokens",
             "completion_tokens", "seconds", "cost")}  # fmt: skip
    tokens = total["prompt_tokens"] + total["completion_tokens"]
    spent = money(total["cost"]) if total["cost"] else "no money"
    return Section(
        "costs", "Costs", f"{counted(tokens, 'token')} in {counted(total['requests'], 'request')} cost {spent}",
        "All requests that runs of this recipe made, none sampled; what the log of replies answered is not asked again "
        "and costs nothing. A row kept costs what all requests of 'run' cost, divided by the rows of the dataset.",
        {
            "drawing": bars("cost-tokens", "Tokens by model", _parts(models), "tokens", form="~s", legend=(
                ("random", "prompt tokens"), ("accent", "completion tokens"))) if models else None,
            "models": [{**row, "time": seconds(row["seconds"]), "money": money(row["cost"])}
                       for row in models[:MOST_MODELS]],
            "left": max(0, len(models) - MOST_MODELS),
            "commands": [{**row, "time": seconds(row["seconds"]), "money": money(row["cost"])} for row in commands],
            "datasets": datasets,
        },
    )  # fmt: skip


def money(value: float | None) -> str:
    """Return an amount of money for a person; the store does not say which currency the prices are in."""
    return "–" if value is None else "0" if value == 0 else f"{value:,.2f}" if value >= 1 else f"{value:.2g}"


def _parts(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"row": place, "part": part, "kind": kind, "value": row[name] or 0,
         "label": f"{label(row['model'], 30)}   {(row['prompt_tokens'] or 0) + (row['completion_tokens'] or 0):,}"
         if part == 0 else None,
         "tip": f"{label(row['model'])}: {row[name] or 0:,} {name.replace('_', ' ')}"}
        for place, row in enumerate(models[:MOST_MODELS])
        for part, (kind, name) in enumerate((("random", "prompt_tokens"), ("accent", "completion_tokens")))
    ]  # fmt: skip
