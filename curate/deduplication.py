"""The verb ``dedup``: drop duplicates, naming for each the kept row it duplicates and how near it is."""

from collections.abc import Iterator

import polars as pl

from curate import filter as conditions
from curate.frames import Rows, batches, collect
from curate.mapped import mapped_texts
from curate.rules import Rule, read_columns, read_rule
from curate.settling import said_kept, settle
from curate.store import StageWriter
from curate.walk import Walk
from schemas import recipe as recipes
from schemas.errors import unknown

SHOWN = 300  # characters of a text that evidence shows


def dedup(walk: Walk, rows: Rows, step: recipes.Step, context: Rows | None) -> None:
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
    if by is not None and (by not in columns or not columns[by].is_numeric()):
        numbers = [name for name, kind in columns.items() if kind.is_numeric()]
        raise unknown("number (to keep the best by) called", str(by), numbers, where)
    which = step.settings.get("where")
    if which is not None:
        conditions.check(which, columns, f"{where}: dedup.where")
    given = {k: v for k, v in step.settings.items() if k not in ("as", "where")}
    rule = read_rule(walk, "dedup", step.use, given, where, column)
    label = walk.label(rows.table, "dedup", step.name)
    mentioned = conditions.mentioned(which, list(columns)) if which else []
    needed = list(dict.fromkeys([column, *([by] if by else []), *mentioned]))
    what = {"rule": rule.key(), "where": which, "input": rows.depends(needed),
            "context": context.depends(needed) if context else ""}  # fmt: skip

    def build(writer: StageWriter) -> str:
        walk.report.begin(label, rows.alive.height)
        compared, apart = [], []

        def parts() -> Iterator[pl.Series]:
            for part in batches(rows, needed, context):
                if which:
                    fit = conditions.holds(part, which, f"{where}: dedup.where")
                    apart.append(part.filter(~fit)[rows.id])
                    part = part.filter(fit)
                compared.append(part.select(rows.id, *([by] if by else [])))
                yield part[column]

        texts = mapped_texts(parts(), walk.store.path)
        held = pl.concat(compared) if compared else collect(rows, needed, context)
        decided, said = duplicates(walk, rule, held[rows.id], texts, held[by] if by else None, label)
        writer.write("decisions", decided)
        for ids in apart:  # not looked at: they stay
            writer.write("decisions", pl.DataFrame({"row_id": ids}).with_columns(stage=pl.lit(label), kept=True))
        beside = f"; {sum(map(len, apart)):,} not compared (where)" if which else ""
        return said_kept(writer, rows) + beside + said

    settle(walk, rows, label, what, build)


def duplicates(
    walk: Walk, rule: Rule, ids: pl.Series, texts: pl.Series, score: pl.Series | None, label: str
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
    names = pl.concat([other["row_id"], ids]) if before else ids
    told = {"of": names.gather(result["duplicate_of"]), "similarity": result["similarity"].round(4)}
    if rule.settings.get("cluster") == "connected":
        told["via"] = names.gather(result["via"])
    evidence = pl.struct(**told).struct.json_encode()
    if before:
        of = result.select(pl.when(pl.col("duplicate_of") < before).then("duplicate_of")).to_series()
        held = {name: other[name].gather(of) for name in ("file", "line", "text")}
        held["text"] = held["text"].str.slice(0, SHOWN)
        evidence = pl.when(of.is_not_null()).then(pl.struct(**held, **told).struct.json_encode()).otherwise(evidence)
        found = int(of.is_not_null().sum())
        said = "; ".join(filter(None, [f"{found:,} near other data ({rule.other.rows.height:,} rows)", said]))
    kept = pl.col("kept")
    reason = pl.lit("duplicate (exact)" if rule.step.name == "exact" else f"near-duplicate ({rule.step.name})")
    decided = pl.DataFrame({"row_id": ids, "kept": result["duplicate_of"].is_null()}).with_columns(
        stage=pl.lit(label), reason=pl.when(kept).then(None).otherwise(reason),
        evidence=pl.when(kept).then(None).otherwise(evidence))  # fmt: skip
    return decided, f"; {said}" if said else ""
