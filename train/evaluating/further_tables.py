"""All further tables of an evaluation that a person sees, beside the comparison of its models."""

from curate.storage.stage import Stage
from train.evaluating.breakdown import break_down
from train.evaluating.changed import changed_counts
from train.evaluating.paired_values import evaluation_rows
from train.evaluating.samples import best_of_k
from train.evaluating.shown import (
    Shown,
    breakdown_shown,
    changes_shown,
    samples_shown,
    shown_keys,
    win_rates_shown,
)
from train.evaluating.win_rate import win_rates


def further_tables(stage: Stage, models: set[str] | None = None, most: int = 40) -> list[Shown]:
    """Return the tables of changed prompts, win rates, samples and groups, as far as there is something in them.

    Args:
        stage: A stage with the table ``evaluations``.
        models: The models to show; all without.
        most: The most rows of a table.
    """
    rows = evaluation_rows(stage)
    if models is not None:
        rows = rows.filter(rows["model"].is_in(list(models)))
    tables = [
        changes_shown(changed_counts(rows)),
        win_rates_shown(win_rates(rows), judges_of(stage)),
        samples_shown(best_of_k(rows), most),
        breakdown_shown(break_down(rows, shown_keys(stage)), most),
    ]
    return [table for table in tables if table is not None]


def judges_of(stage: Stage) -> list[str]:
    """Return the names of the models that judge an evaluation's answers."""
    judge = (stage.manifest["what"].get("settings") or {}).get("judge") or {}
    models = judge.get("model", [])
    return [models] if isinstance(models, str) else models
