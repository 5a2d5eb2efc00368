"""The verb ``dedup``: drop duplicates, naming for each the kept row it duplicates and how near it is."""

from collections.abc import Iterator

import polars as pl

from curate.pipeline.decisions import apply_decisions, kept_summary
from curate.pipeline.pipeline import Walk
from curate.pipeline.row_rule import RowRule, read_columns, read_row_rule
from curate.steps import sql_conditions as conditions
from curate.storage.mapped_columns import mapped_texts
from curate.storage.rows import RowSet, read_all, read_batches
from curate.storage.store import StageWriter
from schemas import recipe as recipes
from schemas.errors import unknown

SHOWN = 300  # characters of a text that evidence shows


def dedup(walk: Walk, rows: RowSet, step: recipes.Step, context: RowSet | None) -> None:
    """Drop duplicates among the rows, and those of other data that the recipe names (``against``).

    With ``where``, an SQL condition, rows for which it does not hold are not compared, and stay.
    """
    where = f"{walk.recipe.path}:{step.line}"
    columns = rows.columns(context)
    column = step.settings.get("on", "prompt" if rows.table == "prompts" else "response")
    if not isinstance(column, str) or columns.get(column) != pl.String:
        texts = [name for name, kind in columns.items() if kind == pl.String]
        raise unknown("column (to deduplicate on)", str(column), texts, where)
    by = step.settings.get("by")
    if by is not None and not (isinstance(by, str) and by in columns and columns[by].is_numeric()):
        numbers = [name for name, kind in columns.items() if kind.is_numeric()]
        raise unknown("number (to keep the best by) called", str(by), numbers, where)
    which = step.settings.get("where")
    if which is not None:
        conditions.check(which, columns, f"{where}: dedup.where")
    given = {k: v for k, v in step.settings.items() if k not in ("as", "where")}
    rule = read_row_rule(walk, "dedup", step.use, given, where, column)
    label = walk.label(rows.table, "dedup", step.name)
    mentioned = conditions.mentioned(which, list(columns)) if which else []
    needed = list(dict.fromkeys([column, *([by] if by else []), *mentioned]))
    what = {
        "rule": rule.key(),
        "where": which,
        "input": rows.depends(needed),
        "context": context.depends(needed) if context else "",
    }

    def build(writer: StageWriter) -> str:
        walk.progress.begin(label, rows.kept_ids.height)
        compared, apart = [], []

        def parts() -> Iterator[pl.Series]:
            for part in read_batches(rows, needed, context):
                if which:
                    fit = conditions.holds(part, which, f"{where}: dedup.where")
                    apart.append(part.filter(~fit)[rows.id])
                    part = part.filter(fit)
                compared.append(part.select(rows.id, *([by] if by else [])))
                yield part[column]

        texts = mapped_texts(parts(), walk.store.path)
        held = pl.concat(compared) if compared else read_all(rows, needed, context)
        decided, said = duplicates(walk, rule, held[rows.id], texts, held[by] if by else None, label)
        writer.write("decisions", decided)
        for ids in apart:  # not looked at: they stay
            writer.write("decisions", pl.DataFrame({"row_id": ids}).with_columns(stage=pl.lit(label), kept=True))
        beside = f"; {sum(map(len, apart)):,} not compared (where)" if which else ""
        return kept_summary(writer, rows) + beside + said

    apply_decisions(walk, rows, label, what, build)


def duplicates(
    walk: Walk, rule: RowRule, ids: pl.Series, texts: pl.Series, score: pl.Series | None, label: str
) -> tuple[pl.DataFrame, str]:
    """Run a dedup step over rows and turn its answer into decisions; returns them, and what to say beside.

    A dropped row's evidence names the row it duplicates (``of``, or ``file`` and ``line`` of other data with its text)
    and their ``similarity``; where whole connected clusters are dropped, also the row ``via`` which it is in one.
    """
    columns = read_columns(walk, rule, texts, score)
    result, said = rule.step.decide(columns, rule.settings, ("duplicate_of", "similarity", "via"))
    other = rule.other.rows if rule.other else None
    before = other.height if other is not None else 0
    result = result[before:]
    out = result["duplicate_of"].is_not_null()
    evidence, near = _evidence(rule, result.filter(out), pl.concat([other["row_id"], ids]) if before else ids, other)
    if before:
        said = "; ".join(filter(None, [f"{near:,} near other data ({before:,} rows)", said]))
    reason = "duplicate (exact)" if rule.step.name == "exact" else f"near-duplicate ({rule.step.name})"
    nothing = pl.Series("evidence", [None], dtype=pl.String).new_from_index(0, len(ids))
    decided = pl.DataFrame({"row_id": ids, "kept": ~out, "evidence": nothing.scatter(out.arg_true(), evidence)})
    decided = decided.with_columns(stage=pl.lit(label), reason=pl.when(~pl.col("kept")).then(pl.lit(reason)))
    return decided, f"; {said}" if said else ""


def _evidence(
    rule: RowRule, dropped: pl.DataFrame, names: pl.Series, other: pl.DataFrame | None
) -> tuple[pl.Series, int]:
    """What is said of each dropped row (JSON text), and how many were dropped for one of other data."""
    told = {"of": names.gather(dropped["duplicate_of"]), "similarity": dropped["similarity"].round(4)}
    if rule.settings.get("cluster") == "connected":
        told["via"] = names.gather(dropped["via"])
    as_json = pl.struct(pl.all()).struct.json_encode()
    own = pl.DataFrame(told).select(evidence=as_json)["evidence"]
    if other is None:
        return own, 0
    near = dropped["duplicate_of"] < other.height
    of = dropped["duplicate_of"].filter(near)
    held = other[of].select("file", "line", pl.col("text").str.slice(0, SHOWN))
    said = held.hstack(pl.DataFrame(told).filter(near)).select(evidence=as_json)["evidence"]
    return own.scatter(near.arg_true(), said), len(of)
