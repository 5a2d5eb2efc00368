"""The verb ``generate`` in ``prompts:``: new prompts that a model makes from those there are, each with its parents."""

import json

import polars as pl

from curate.pipeline.generate.generate_step import read_generation
from curate.pipeline.generate.multi_turn import Exchanges, plan_exchanges
from curate.pipeline.pipeline import Walk
from curate.pipeline.split import family_of
from curate.steps.registry import find_step
from curate.storage.store import StageWriter, empty
from schemas import recipe as recipes
from schemas.errors import UserError
from schemas.ids import content_id
from schemas.messages import last_text, parse


def generate_prompts(walk: Walk, step: recipes.Step) -> None:
    """Add a model's prompts to those there are; with ``keep_seeds: false`` those they were made from are left out."""
    where = f"{walk.recipe.path}:{step.line}"
    found = find_step("generate", step.use, where)
    if found.makes != "prompts":
        raise UserError(f"{where}: generate {found.name!r} makes candidates; it belongs in the section 'completions'")
    keep = step.settings.get("keep_seeds", True)
    if not isinstance(keep, bool):
        raise UserError(f"{where}: generate: keep_seeds: expected true or false, found {keep!r}")
    generation = read_generation(walk, step, found, walk.prompts, None, ("keep_seeds",))
    exchanges = Exchanges(generation, ("prompt_id", "messages", "family", "tools"))
    earlier = [*walk.prompts.stages]

    def build(writer: StageWriter) -> str:
        # A prompt that was dropped is not new either: it stays dropped, for the reason it was.
        ids = [empty("prompts").select("prompt_id"), *(held.read("prompts", ["prompt_id"]) for held in earlier)]
        taken = pl.concat(ids)
        made = repeats = rows_in = 0
        seeds = [taken.clear()]
        for rows, result, last in exchanges.results(writer):
            rows_in += rows.height // generation.ask.n
            seeds.append(rows.select("prompt_id").unique(maintain_order=True))
            new = _prompts(rows, result, last, f"generate.{step.name}")
            fresh = new.unique("prompt_id", keep="first", maintain_order=True).join(
                taken, on="prompt_id", how="anti", maintain_order="left"
            )
            taken = pl.concat([taken, fresh.select("prompt_id")])
            writer.write("prompts", fresh)
            made, repeats = made + fresh.height, repeats + new.height - fresh.height
        if not keep:
            writer.write(
                "decisions",
                pl.concat(seeds).select(
                    row_id="prompt_id",
                    stage=pl.lit(generation.label),
                    kept=pl.lit(False),
                    reason=pl.lit("seed (keep_seeds: false)"),
                ),
            )
        writer.info["rows_in"] = rows_in
        return f"{made:,} new prompts from {rows_in:,}" + (f", {repeats:,} repeats joined" if repeats else "")

    what = generation.key() | exchanges.key() | {"keep_seeds": keep}
    stage = walk.asked(generation.label, what, exchanges.ask, build)
    if stage:
        walk.prompts.add(stage)
        if not keep:
            seeds = stage.read("decisions", ["row_id"])
            walk.prompts.keep(
                walk.prompts.kept_ids.join(
                    seeds, left_on="prompt_id", right_on="row_id", how="anti", maintain_order="left"
                ),
                stage,
            )
    if not walk.execute and (stage is None or "part_of" in stage.manifest["what"]):
        plan_exchanges(exchanges)


def _prompts(rows: pl.DataFrame, result: pl.DataFrame, last: pl.DataFrame, source: str) -> pl.DataFrame:
    """The new prompts of a batch as rows of the table ``prompts``. One that was made from one other keeps its tools."""
    ids, messages, families = rows["prompt_id"], rows["messages"], rows["family"]
    made = []
    more = [name if name in result.columns else None for name in ("parents", "ground_truth", "note")]
    for one in result.iter_rows(named=True):
        row = one["row"]
        parents, truth, note = (one[name] if name else None for name in more)
        others = [ids[place] for place in parents or []]
        note = {**(parse(note) if note else {}), "model": last["model"][row]}
        text = last_text(parse(one["messages"]), "user")
        parents = list(dict.fromkeys([ids[row], *others]))
        tools = rows["tools"][row] if len(parents) == 1 else None
        made.append(
            (
                content_id("p", one["messages"], tools, truth),
                one["messages"],
                tools,
                text,
                truth,
                source,
                json.dumps(note, ensure_ascii=False),
                parents,
                families[row] or family_of(messages[row]),
            )
        )
    columns = ("prompt_id", "messages", "tools", "prompt", "ground_truth", "source", "metadata", "parent_ids", "family")
    schema = {name: pl.List(pl.String) if name == "parent_ids" else pl.String for name in columns}
    return pl.DataFrame(made, schema=schema, orient="row")
