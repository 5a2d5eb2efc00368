"""The history of a training, for ``gristmill why``: its start model, its rows and figures, and its uses.

It is read from the training's stage and from the manifests of the stages that depend on it.
"""

import json
from collections.abc import Iterable
from typing import Any

import duckdb
import polars as pl

from curate.storage.row_history import RowHistory, short
from curate.storage.sql_views import connect
from curate.storage.stage import Stage
from curate.storage.store import Store
from curate.storage.training_records import CURVES, TrainingRecord, find_trainings, training_records
from curate.storage.training_values import bad_rows, row_figures, trained_rollouts, weighed_rollouts
from schemas.counted import counted, the_first
from schemas.errors import UserError

TURNED = "that of a bad answer turned round"
SHOWN = 5  # rows, and other trainings of the same name
NO_SETTINGS = ("lora", "rewards", "seed", "limit")  # what a training's record has in ``settings`` beside TRL's options
# Table of a dataset -> the column with the id of the answer that is shown of a row.
ANSWERS = {"sft": "d.completion_id", "preferences": "d.chosen_id", "unpaired": "d.completion_id", "rl_prompts": "NULL"}


def training_history(store: Store, text: str, recipe: str | None = None) -> RowHistory | None:
    """Return the history of the training that a text names; None if it names none.

    Args:
        store: The store.
        text: The training's name, its recipe and name, its id, or the start of its id. Of several trainings with one
            name, the history is of the one that finished last, and the others are listed.
        recipe: The recipe that it must be of; None for any.

    Raises:
        UserError: The text is the start of several ids.
    """
    every = training_records(store)
    found = find_trainings([one for one in every if recipe is None or recipe in one.recipes], text)
    if not found:
        return None
    if text != found[0].name and "/" not in text and len(found) > 1:
        raise UserError(
            f"{text!r} is the start of several trainings' ids: {', '.join(one.id for one in found[:SHOWN])}"
        )
    with connect(store) as con:
        return _history(store, con, found[0], found[1:], every)


def _history(
    store: Store,
    con: duckdb.DuckDBPyConnection,
    record: TrainingRecord,
    others: list[TrainingRecord],
    every: list[TrainingRecord],
) -> RowHistory:
    stage = record.stage
    row = stage.read("trainings").row(0, named=True)
    settings, metrics = json.loads(row["settings"]), json.loads(row["metrics"])
    titles = {one.id: one.title for one in every}
    dataset = f"{row['dataset']}, of the recipe {record.recipes[0]}" if record.recipes else row["dataset"]
    limit = f", with {the_first(settings['limit'], 'row')} of each source" if settings.get("limit") else ""
    history = RowHistory(f"training {record.title} ({record.id})")
    history.add(
        "finished", [f"{record.finished} UTC, after {counted(row['steps'], 'step')} in {row['seconds']:,.0f} s{limit}"]
    )
    history.add("other trainings of this name", [_line(one) for one in others[:SHOWN]] + _more(len(others)))
    history.add("started from", _chain(row["model"], row["base"], titles))
    history.add("reference model", [metrics["reference"]] if metrics.get("reference") else [])
    history.add("trainer", [row["trainer"], *_settings(settings)])
    history.add("learns from", _teachers(stage, settings, titles))
    history.add("dataset", [dataset, *_fates(stage)])
    history.add("size, memory and pace", _facts(metrics.get("facts") or {}))
    history.add("figures", _figures(metrics))
    history.add("warnings", [str(one.get("text", "")) for one in metrics.get("damage") or []])
    bad = bad_rows(store, stage)
    margins = f"rows with the smallest last margin, {TURNED}" if len(bad) else "pairs with the smallest last margin"
    history.add("rows with the highest last loss", _extreme_rows(con, row_figures(stage, bad), "loss_last"))
    history.add(margins, _extreme_rows(con, row_figures(stage, bad), "margin_last"))
    history.add("rewards", _rewards(stage))
    history.add("answers at the end", _rollouts(stage))
    history.add("model", [str(store.path / row["path"]), *_merged(metrics.get("merged"))])
    history.add("curves", [str(stage.path / CURVES)] if stage.text(CURVES) is not None else [])
    history.add("evaluations", _evaluations(con, record.id))
    history.add("used by", _uses(store, record.id))
    return history


def _line(record: TrainingRecord) -> str:
    return f"{record.title} ({record.id}), finished {record.finished}: {record.stage.manifest['result']}"


def _more(count: int) -> list[str]:
    return [f"and {count - SHOWN:,} more"] if count > SHOWN else []


def _chain(model: str, base: str, titles: dict[str, str]) -> list[str]:
    """Return the models below a training, from the nearest to the base, one a line."""
    first, *ids = base.split(">")
    trained = [f"{titles.get(id, 'a training that is not in this store')} ({id})" for id in reversed(ids)]
    return [
        f"{model}: {one}" if place == 0 else f"which started from {one}" for place, one in enumerate([*trained, first])
    ]


def _settings(settings: dict[str, Any]) -> list[str]:
    """Return a training's settings, a line each for TRL's options, for LoRA and for the seed."""
    options = [f"{key}: {_value(value)}" for key, value in settings.items() if key not in NO_SETTINGS]
    lora = settings.get("lora")
    how = (
        "full weights" if lora is None else "LoRA: " + (", ".join(f"{k} {_value(v)}" for k, v in lora.items()) or "on")
    )
    return [*([", ".join(options)] if options else []), how, f"seed {settings['seed']}"]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _teachers(stage: Stage, settings: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """Return the rewards and the teacher of a training, with the trainings that they are models of."""
    lines = [f"reward {name}" for name in settings.get("rewards") or []]
    what = stage.manifest["what"]
    if what.get("teacher"):
        lines.append(f"teacher {what['teacher']}")
    text = json.dumps([what.get("rewards"), what.get("teacher")])
    return [*lines, *(f"the model of {title} ({id})" for id, title in titles.items() if id in text)]


def _fates(stage: Stage) -> list[str]:
    """Return how many rows were trained on, and how many were left out for which reason."""
    rows = stage.read("training_rows")
    counts = rows["fate"].value_counts(sort=True).sort("count", "fate", descending=True)
    trained = sum(count for fate, count in counts.iter_rows() if fate == "trained")
    left = [f"{count:,} left out: {short(fate, 200)}" for fate, count in counts.iter_rows() if fate != "trained"]
    return [f"{counted(trained, 'row')} trained{_cut(rows)}", *left]


def _cut(rows: pl.DataFrame) -> str:
    """Return how many of the rows trained ``max_length`` cut, with the tokens; empty where none, or not known."""
    if "cut_tokens" not in rows.columns:  # of a training of an earlier version
        return ""
    lost = rows.filter((pl.col("fate") == "trained") & (pl.col("cut_tokens") > 0))["cut_tokens"]
    tokens = counted(int(lost.sum()), "token")
    return f", {len(lost):,} of them cut at max_length ({tokens} not learnt)" if len(lost) else ""


def _facts(facts: dict[str, Any]) -> list[str]:
    """Return what was known of a training before its first step, and what was measured of it."""
    if not facts:
        return []
    adapter = f": {facts['adapter']}" if facts.get("adapter") else ""
    lines = [f"{facts.get('parameters', 0):,} parameters, {facts.get('trainable', 0):,} trained{adapter}"]
    named = [(facts.get("memory_measured"), "measured"), (facts.get("memory"), "estimated")]
    if known := [f"{count / 1e9:,.1f} GB {how}" for count, how in named if count]:
        lines.append(f"memory at most {', '.join(known)}")
    seconds, tokens = facts.get("seconds_a_step"), facts.get("tokens_a_second")
    pace = [f"{seconds:.3g} s a step"] if seconds else []
    pace += [f"{tokens:,.0f} tokens a second"] if tokens else []
    return [*lines, *([", ".join(pace)] if pace else [])]


def _figures(metrics: dict[str, Any]) -> list[str]:
    """Return the first and last value of each figure that TRL logged, and which model is kept if not the last."""
    best = metrics.get("best") or {}
    kept = (
        [f"kept the model of step {best.get('step')}: {best.get('metric')} {_number(best.get('value'))}"]
        if best
        else []
    )
    ends = {k: v for k, v in metrics.items() if isinstance(v, dict) and {"first", "last"} <= v.keys()}
    return [f"{name} {_number(one['first'])} -> {_number(one['last'])}" for name, one in ends.items()] + kept


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _merged(found: dict[str, Any] | None) -> list[str]:
    """Return that a training's adapter is merged into the weights, and what they were compared on."""
    if not found:
        return []
    on = f"{found['answers']} scores" if "answers" in found else f"the greedy tokens of {found['prompts']} prompts"
    return [f"whole weights in {found['dtype']}: the adapter beside it is merged, and compared on {on}"]


def _extreme_rows(con: duckdb.DuckDBPyConnection, figures: pl.DataFrame, figure: str) -> list[str]:
    """Return the rows with the highest loss or lowest margin of ``row_figures``, with the start of their text."""
    highest = figure == "loss_last"
    figures = figures.drop_nulls(figure).sort(figure, "row_id", descending=[highest, False])
    first = figure.replace("_last", "_first")
    lines = []
    for row in figures.head(SHOWN).iter_rows(named=True):
        change = f"{row[first]:.3f} -> {row[figure]:.3f}" if first in row else f"{row[figure]:.3f}"
        lines.append(f"{row['row_id']}  {change}  {_text(con, row['row_id'])}".rstrip())
    return lines


def _text(con: duckdb.DuckDBPyConnection, row_id: str) -> str:
    """Return the start of a dataset row's prompt and (chosen) answer, if a current dataset has the row."""
    for table, answer in ANSWERS.items():
        texts = con.execute(
            f"""SELECT p.prompt, c.response FROM {table} d LEFT JOIN prompts p USING (prompt_id)
            LEFT JOIN completions c ON c.completion_id = {answer} WHERE d.row_id = ? LIMIT 1""",
            [row_id],
        ).fetchone()
        if texts:
            return " | ".join(short(text, 60) for text in texts if text is not None)
    return ""


def _rewards(stage: Stage) -> list[str]:
    """Return the mean of each reward in the first and the last tenth of a training's steps."""
    rollouts = trained_rollouts(stage)
    if rollouts.is_empty():
        return []
    steps = rollouts["step"].unique().sort()
    some = max(1, len(steps) // 10)
    early, late = (
        rollouts.filter(pl.col("step").is_in(part.implode())) for part in (steps.head(some), steps.tail(some))
    )
    lines = []
    for name in rollouts["reward"].unique(maintain_order=True):
        first, last = (_number(part.filter(pl.col("reward") == name)["value"].mean()) for part in (early, late))
        failed = rollouts.filter((pl.col("reward") == name) & pl.col("value").is_null()).height
        nulls = f", {counted(failed, 'answer')} without a value" if failed else ""
        lines.append(f"{name} {first} -> {last} (means of the first and last {some} of {len(steps)} steps){nulls}")
    return lines


def _rollouts(stage: Stage) -> list[str]:
    """Return some answers of the last step with their rewards: the best and the worst by the weighted sum."""
    rollouts = weighed_rollouts(stage)
    last = rollouts.filter(pl.col("step") == pl.col("step").max())
    answers = last.group_by("row_id", "sample_index", maintain_order=True).agg(
        pl.col("response").first(), total=pl.col("weighed").sum(), rewards=pl.struct("reward", "value")
    )
    ranked = answers.sort("total", descending=True, maintain_order=True)
    chosen = pl.concat([ranked.head(2), ranked.tail(max(0, min(2, ranked.height - 2)))])
    lines = []
    for row in chosen.iter_rows(named=True):
        rewards = ", ".join(f"{one['reward']} {_number(one['value'])}" for one in row["rewards"])
        lines.append(f"{row['row_id']}  {rewards}  {short(row['response'], 90)}")
    return lines


def _evaluations(con: duckdb.DuckDBPyConnection, training_id: str) -> list[str]:
    """Return the means of the evaluations in which a training's model answered."""
    rows = con.execute(
        """SELECT evaluation_id, model, split, scorer, count(DISTINCT row_id), avg(value) FROM evaluations
        WHERE training_id = ? GROUP BY ALL ORDER BY ALL""",
        [training_id],
    ).fetchall()
    return [
        f"{id}: {scorer} {_number(mean)} on {counted(prompts, 'prompt')} of {split!r}, as {model}"
        for id, model, split, scorer, prompts, mean in rows
    ]


def _uses(store: Store, training_id: str) -> list[str]:
    """Return the stages that depend on a training: later trainings, scores of its model, conditions on its losses."""
    owners = {stage["stage_id"]: run["recipe"] for run in store.runs() for stage in run["stages"]}
    lines = []
    for stage in _stages(store):
        what = stage.manifest["what"]
        how = next((how for how, value in _dependencies(what) if training_id in json.dumps(value)), None)
        if how:
            recipe = f" of the recipe {owners[stage.stage_id]}" if stage.stage_id in owners else ""
            lines.append(f"{stage.manifest['label']} ({stage.stage_id}){recipe}: {how}")
    return lines


def _stages(store: Store) -> Iterable[Stage]:
    return [one for start in ("train-", "prompts.", "completions.") for one in store.stages_labelled(start)]


def _dependencies(what: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the parts of a stage's key that may hold a training's id, each with what the stage does with it."""
    return [
        ("starts from its model", what.get("base")),
        ("is rewarded by its model", what.get("rewards")),
        ("learns from its model", what.get("teacher")),
        ("reads its losses", what.get("training")),
        ("asks its model", {k: v for k, v in what.items() if k not in ("input", "context")}),
    ]
