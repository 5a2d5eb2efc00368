"""The verb ``generate``: K candidates for each prompt from a model, or a new text for each candidate without one."""

import json
from typing import Any

import polars as pl

from curate import filter as conditions
from curate.answer import answer
from curate.clients.requests import Sampling, request
from curate.frames import BATCH, batches, collect
from curate.models import ModelRef
from curate.replies import answered
from curate.split import assign, needs
from curate.steps import Step, find
from curate.store import StageWriter
from curate.walk import Walk
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.ids import content_id

SAMPLING = {"temperature": float, "top_p": float, "top_k": int, "max_tokens": int}
OURS = ("model", "n", "where", *SAMPLING)


def generate(walk: Walk, step: recipes.Step) -> None:
    """Make candidates. A step that asks needs ``model``; one that writes works on the candidates there are."""
    where = f"{walk.recipe.path}:{step.line}"
    found = find("generate", step.use, where)
    given = {k: v for k, v in step.settings.items() if k not in OURS}
    if found.makes == "write":
        for key in step.settings:
            if key in OURS and key != "where":
                raise UserError(f"{where}: generate {found.name!r} asks no model, so it has no setting {key!r}")
        return _write(walk, step, found, found.settings(given, where, walk.recipe.seed), where)
    known = [*OURS, *found.required, *found.defaults]
    for key in given:
        if key not in known:
            raise unknown(f"setting of generate {found.name!r} called", key, known, where)
    if "model" not in step.settings:
        raise UserError(f"{where}: generate {found.name!r} needs 'model', one of: {', '.join(walk.recipe.models)}")
    _ask(walk, step, found, found.settings(given, where, walk.recipe.seed), where)


def _ask(walk: Walk, step: recipes.Step, found: Step, settings: dict[str, Any], where: str) -> None:
    ref = walk.model(step.settings["model"], where)
    n, sampling = _numbers(step.settings, where)
    condition = step.settings.get("where")
    columns = walk.prompts.columns()
    found.check_reads(list(columns), where)
    label = walk.label("completions", "generate", step.name)
    needed = []
    if condition:
        conditions.check(condition, columns | {"split": pl.String()}, f"{where}: where")
        needed = conditions.mentioned(condition, list(columns))
        if conditions.mentioned(condition, ["split"]):
            needed += needs(walk.recipe.split, list(columns))
    what = {"step": found.name, "settings": settings, "sampling": sampling, "n": n, "where": condition,
            "model": ref.identity, "seed": walk.recipe.seed, "source": found.source,
            "split": [*walk.recipe.split.items()] if "messages" in needed else None,
            "input": walk.prompts.depends(needed)}  # fmt: skip

    def build(writer: StageWriter) -> str:
        walk.on_stage(True)  # what follows may take days; let others see what is there
        asked = _messages(walk, found, settings, condition, needed, where)
        replies = answer(
            ref, asked["ask"].to_list(), tools=asked["tools"].to_list(), n=n, sampling=sampling, seed=walk.recipe.seed,
            store=walk.store, report=walk.report, label=label, usage=walk.usage)  # fmt: skip
        writer.info["rows_in"] = asked.height
        return _store_replies(writer, asked, replies, ref, label)

    stage = walk.stage(label, what, build)
    if stage:
        walk.completions.add(stage)
    elif not walk.execute:
        _count(walk, found, settings, condition, needed, where, ref, n, sampling)


def _numbers(settings: dict[str, Any], where: str) -> tuple[int, dict[str, Any]]:
    """Check ``n`` and the sampling settings and fill in the defaults."""
    n = settings.get("n", 1)
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise UserError(f"{where}: generate: n: expected a whole number of at least 1, found {n!r}")
    sampling = {key: getattr(Sampling(), key) for key in SAMPLING}
    low = {"temperature": 0, "top_p": 0, "top_k": 0, "max_tokens": 1}
    for key, kind in SAMPLING.items():
        value = settings.get(key, sampling[key])
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else int):
            raise UserError(
                f"{where}: generate: {key}: expected a {'number' if kind is float else 'whole number'}, found {value!r}"
            )
        if value < low[key] or (key == "top_p" and not 0 < value <= 1):
            raise UserError(f"{where}: generate: {key}: {value!r} is out of range")
        sampling[key] = kind(value)
    return n, sampling


def _messages(
    walk: Walk, found: Step, settings: dict[str, Any], condition: str | None, needed: list[str], where: str
) -> pl.DataFrame:
    """The prompts to ask, with the messages to send (``ask``) and the tools."""
    parts = []
    for batch in batches(walk.prompts, list(dict.fromkeys([*found.reads, "tools", *needed]))):
        if "messages" in needed:  # the condition names the split: do not pay for what is held out
            side = assign(batch, walk.recipe.split, walk.recipe.seed, walk.recipe.where("split"))
            batch = batch.with_columns(split=side)
        if condition:
            batch = batch.filter(conditions.holds(batch, condition, f"{where}: where"))
        asked = found.call({name: batch[name] for name in found.reads}, settings)
        parts.append(batch.select("prompt_id", "tools").with_columns(ask=asked).drop_nulls("ask"))
    schema = {"prompt_id": pl.String, "tools": pl.String, "ask": pl.String}
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def _store_replies(writer: StageWriter, asked: pl.DataFrame, replies: pl.DataFrame, ref: ModelRef, label: str) -> str:
    """Write the replies as candidates; a request that failed becomes a decision with its error."""
    model = ref.identity.split("@")[0] + "".join(f">{part}" for part in ref.identity.split(">")[1:])
    failed = 0
    for part in replies.iter_slices(BATCH):
        rows = part.with_columns(prompt_id=asked["prompt_id"].gather(part["row"]), model=pl.lit(model))
        good = rows.filter(pl.col("response").is_not_null())
        ids = [content_id("c", *key) for key in good.select("prompt_id", "key", "response").iter_rows()]
        turns = [_turn(text, trace) for text, trace in good.select("response", "reasoning_content").iter_rows()]
        writer.write("completions", good.select(pl.exclude("row", "key", "error")).with_columns(
            completion_id=pl.Series(ids, dtype=pl.String), messages=pl.Series(turns, dtype=pl.String)))  # fmt: skip
        bad = rows.filter(pl.col("response").is_null())
        if bad.height:
            writer.write(
                "decisions",
                bad.select(
                    row_id="prompt_id",
                    stage=pl.concat_str(pl.lit(label + ".sample"), pl.col("sample_index").cast(pl.String)),
                    kept=pl.lit(False),
                    reason="error",
                ),
            )
        failed += bad.height
    tokens = int(replies["completion_tokens"].sum() or 0)
    return f"{replies.height - failed:,} completions, {tokens:,} tokens" + (f", {failed:,} failed" if failed else "")


def _turn(text: str, trace: str | None) -> str:
    turn = {"role": "assistant", "content": text} | ({"reasoning_content": trace} if trace else {})
    return json.dumps([turn], ensure_ascii=False)


def _count(
    walk: Walk,
    found: Step,
    settings: dict[str, Any],
    condition: str | None,
    needed: list[str],
    where: str,
    ref: ModelRef,
    n: int,
    sampling: dict[str, Any],
) -> None:
    """Say in the plan how many requests this step makes and how many of them are answered already."""
    if not walk.prompts.stages:
        return
    if any(walk.prompts.scores.get(name) == [] for name in (*found.reads, *needed)):
        walk.plan[-1].note = f"how many requests to {ref.name} is known once the prompts are scored"
        return
    asked = _messages(walk, found, settings, condition, needed, where)
    how = Sampling(**sampling, seed=walk.recipe.seed)
    keys = (request(ref.identity, ask, tools, how, i).key
            for ask, tools in asked.select("ask", "tools").iter_rows() for i in range(n))  # fmt: skip
    known = answered(walk.store, ref.identity, keys)
    todo = asked.height * n - known
    walk.requests += todo
    walk.asked.append((ref, asked["ask"].head(200).to_list(), todo))
    walk.request_tokens += todo * sampling["max_tokens"]
    note = f"{todo:,} requests to {ref.name}, at most {todo * sampling['max_tokens']:,} new tokens"
    walk.plan[-1].note = note + (f"; {known:,} answered already" if known else "")


def _write(walk: Walk, step: recipes.Step, found: Step, settings: dict[str, Any], where: str) -> None:
    """Write a new candidate for each one there is, with that one as its parent."""
    columns = walk.completions.columns(walk.prompts)
    condition = step.settings.get("where")
    if condition:
        conditions.check(condition, columns, f"{where}: where")
    found.check_reads(list(columns), where)
    needed = conditions.mentioned(condition, list(columns)) if condition else []
    names = list(dict.fromkeys(["prompt_id", "sample_index", "model", *found.reads, *needed]))
    label = walk.label("completions", "generate", step.name)
    what = {"step": found.name, "settings": settings, "where": condition, "source": found.source,
            "input": walk.completions.depends(names), "context": walk.prompts.depends(names)}  # fmt: skip

    def build(writer: StageWriter) -> str:
        frame = collect(walk.completions, names, walk.prompts)
        if condition:
            frame = frame.filter(conditions.holds(frame, condition, f"{where}: where"))
        new = frame.with_columns(response=found.call({r: frame[r] for r in found.reads}, settings))
        new = new.drop_nulls("response").with_columns(parent_id="completion_id")
        ids = [content_id("c", *key) for key in new.select("prompt_id", "parent_id", "response").iter_rows()]
        turns = [_turn(text, None) for text in new["response"]]
        kept = new.select("prompt_id", "sample_index", "model", "response", "parent_id")
        writer.write("completions", kept.with_columns(
            completion_id=pl.Series(ids, dtype=pl.String), messages=pl.Series(turns, dtype=pl.String)))  # fmt: skip
        writer.info["rows_in"] = frame.height
        return f"{new.height:,} written from {frame.height:,}"

    stage = walk.stage(label, what, build)
    if stage:
        walk.completions.add(stage)
