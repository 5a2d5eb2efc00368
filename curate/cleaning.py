"""The verb ``decontaminate``: drop rows that overlap with a benchmark, naming its row and the overlap."""


import polars as pl

from curate.decontaminate import decontaminate
from curate.frames import collect
from curate.settling import said_kept, settle
from curate.sources import read_source
from curate.steps import HERE as CURATE
from curate.steps import source_hash
from curate.store import StageWriter
from curate.walk import Walk, source_path
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint


def clean(walk: Walk, step: recipes.Step) -> None:
    """Drop prompts that overlap with benchmark questions (decontaminate)."""
    where = f"{walk.recipe.path}:{step.line}"
    given = dict(step.settings)
    against = given.pop("against")
    for key in given:
        if key not in ("ngram", "match"):
            raise unknown("setting of decontaminate called", key, ("against", "ngram", "match"), where)
    for key, kind in (("ngram", int), ("match", (int, float))):
        if key in given and (isinstance(given[key], bool) or not isinstance(given[key], kind)):
            raise UserError(f"{where}: decontaminate: {key}: expected a number, found {given[key]!r}")
    against = [against] if isinstance(against, str) else against
    if not isinstance(against, list) or not against:
        raise UserError(f"{where}: decontaminate: against: expected a file, or a list of files, found {against!r}")
    benchmark = pl.concat([read_source(source_path(walk.recipe, str(p))).prompts.with_columns(source=pl.lit(str(p)))
                           for p in against])  # fmt: skip
    label = walk.label("prompts", "decontaminate")
    rows = benchmark.select("prompt", "source", "line").to_dict(as_series=False)
    what = {"settings": given, "against": fingerprint(rows),
            "input": walk.prompts.content, "source": source_hash(CURATE / "decontaminate.py")}  # fmt: skip

    def build(writer: StageWriter) -> str:
        walk.report.begin(label, walk.prompts.alive.height)
        frame = collect(walk.prompts, ["prompt"])
        result = decontaminate(frame["prompt"], benchmark["prompt"], **given)
        matched, kept = result["matched"], result["matched"].is_null()
        evidence = pl.struct(
            file=benchmark["source"].gather(matched), line=benchmark["line"].gather(matched),
            overlap=result["overlap"].round(4), text=benchmark["prompt"].gather(matched).str.slice(0, 300),
        ).struct.json_encode()  # fmt: skip
        writer.write("decisions", pl.DataFrame({"row_id": frame["prompt_id"], "kept": kept}).with_columns(
            stage=pl.lit(label), reason=pl.when(kept).then(None).otherwise(pl.lit("overlaps a benchmark")),
            evidence=pl.when(kept).then(None).otherwise(evidence)))  # fmt: skip
        return said_kept(writer, walk.prompts)

    settle(walk, walk.prompts, label, what, build)
