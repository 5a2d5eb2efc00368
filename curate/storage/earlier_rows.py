"""Rows that no table shows any more: which run had them last, and what became of them in the run after it."""

from curate.storage.records import RunInfo
from curate.storage.run_changes import dropping_decisions
from curate.storage.run_stages import stages_of_run
from curate.storage.sql_views import FINISHED
from curate.storage.store import Store
from schemas.rows import DATASET_TABLES

KEYS = {"prompts": "prompt_id", "completions": "completion_id", **dict.fromkeys(DATASET_TABLES.values(), "row_id")}


def last_run_with(store: Store, id_start: str, recipe: str | None = None) -> RunInfo | None:
    """Return the latest run that had a prompt, a completion or a dataset row whose id begins so; None if none had.

    Args:
        store: The store.
        id_start: The id, or the first characters of it.
        recipe: The name of a recipe whose runs are looked at; None for all, also those with a limit.
    """
    searched: set[str] = set()
    for run in reversed(store.runs()):
        if run["command"] != "run" or recipe not in (None, run["recipe"]):
            continue
        for stage in stages_of_run(store, run):
            if stage.path.name in searched:
                continue
            searched.add(stage.path.name)
            for table, key in KEYS.items():
                if stage.rows(table) and stage.read(table, [key])[key].str.starts_with(id_start).any():
                    return run
    return None


def what_became_of(store: Store, ids: list[str], run: RunInfo) -> list[str]:
    """Return, as lines, which run had a row last, and what the next finished run of its recipe did with it.

    Args:
        store: The store.
        ids: The row's id, and those of what it was made of.
        run: The last run that had it.
    """
    lines = [f"the last run that had it: {run['run_id']}"]
    later = [
        one
        for one in store.runs()
        if one["command"] == "run"
        and one["recipe"] == run["recipe"]
        and one["number"] > run["number"]
        and one["status"] in FINISHED
    ]
    if not later:
        return lines
    told = dropping_decisions(stages_of_run(store, later[0]))
    whys = told.filter(told["row_id"].is_in(ids))["why"].to_list()
    after = f"run {later[0]['run_id']}"
    return lines + ([f"dropped in {after}: {why}" for why in whys] or [f"not made in {after}"])
