"""Finished trainings in a store, written without training anything: their tables, and the runs that did them."""

import json

import polars as pl

from schemas.ids import fingerprint

RUN = {"status": "finished", "started_at": "2026-11-29T05:00:00.000", "resolved": {}}


def trained(store, recipe, name, dataset, losses=(), rollouts=(), base="tiny@0", made="2026-11-29T05", **more):
    """Write a finished training of a recipe and the run that did it; return the training's stage.

    ``losses`` are (row_id, step, loss) or (row_id, step, loss, margin); ``rollouts`` are (row_id, step, sample_index,
    reward, value); ``more`` are columns of ``trainings``, ``what`` of the stage beside its base, or ``info``,
    further keys of its manifest.
    """
    what, info = {"base": base, **more.pop("what", {})}, more.pop("info", {})
    stage_id = more.pop("stage_id", fingerprint([recipe, name, made, base])[:12])
    with store.new_stage(
        stage_id, f"train-{name}", what=what, name=name, result="2 rows, 3 steps", adapter=True
    ) as new:
        new.info.update(info, made_at=f"{made}:00:00.000")
        rows = pl.DataFrame([(*row, None, None)[:4] for row in losses], orient="row", schema=LOSSES)
        settings = {"lora": None, "seed": 0} | more.pop("settings", {})
        metrics = {"history": [], "loss": {"first": 3.25, "last": 0.5}} | more.pop("metrics", {})
        named = {"training_id": stage_id, "name": name, "trainer": "sft", "dataset": dataset, "model": "student"}
        told = {"base": base, "rows": 2, "steps": 3, "seconds": 4.0, "path": f"stages/train-{name}-{stage_id}/model"}
        record = named | told | {"settings": json.dumps(settings), "metrics": json.dumps(metrics)} | more
        new.write("trainings", pl.DataFrame([record]))
        new.write("row_losses", rows.with_columns(phase=pl.lit("train"), training_id=pl.lit(stage_id)))
        fates = rows.select("row_id", fate=pl.lit("trained")).unique()
        new.write("training_rows", fates.with_columns(training_id=pl.lit(stage_id)))
        told = pl.DataFrame(list(rollouts), orient="row", schema=ROLLOUTS)
        new.write("rollouts", told.with_columns(training_id=pl.lit(stage_id), response=pl.lit("so")))
    used(store, recipe, "train", store.stage(stage_id), when=made)
    return store.stage(stage_id)


def used(store, recipe, command, stage, when="2026-11-29T05"):
    """Record that a run of a recipe made or reused a stage."""
    entry = {"path": stage.path.name, "stage_id": stage.stage_id, "stage": stage.manifest["label"], "position": 0,
             "settings": stage.manifest["what"]}  # fmt: skip
    run_id = f"{when}-{recipe}-{command}-{stage.stage_id}"
    owner = recipe.split(".limit")[0]
    record = {"run_id": run_id, "recipe": recipe, "command": command, "limit_of": owner if owner != recipe else None}
    store.save_run({**RUN, **record, "stages": [entry]})


LOSSES = {"row_id": pl.String, "step": pl.Int64, "loss": pl.Float64, "margin": pl.Float64}
ROLLOUTS = {"row_id": pl.String, "step": pl.Int64, "sample_index": pl.Int64, "reward": pl.String, "value": pl.Float64}
