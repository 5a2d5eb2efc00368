"""The columns that ``gristmill show TABLE`` shows of each table: ids, texts and figures, few enough for a line."""

from collections.abc import Sequence

from schemas.errors import UserError, nearest

SHOWN = {
    "prompts": "prompt_id source prompt ground_truth",
    "completions": "completion_id prompt_id model response finish_reason completion_tokens",
    "scores": "row_id scorer value error",
    "decisions": "row_id stage kept reason evidence",
    "sft": "row_id dataset split score prompt completion",
    "preferences": "row_id dataset split chosen_score rejected_score prompt chosen rejected",
    "unpaired": "row_id dataset split label score prompt completion",
    "rl_prompts": "row_id dataset split pass_rate prompt ground_truth",
    "trainings": "training_id name trainer dataset model rows steps seconds",
    "row_losses": "row_id training_id step phase loss tokens",
    "rollouts": "row_id step reward value advantage response",
    "evaluations": "model split scorer value prompt response",
    "comparisons": "split scorer arm versus seed mean versus_mean difference low high verdict",
    "stages": "stage rows_in rows_out reused seconds run_id",
    "candidates": "completion_id prompt response",  # and each score
    "dropped": "row_id stage reason prompt response",
    "funnel": "stage reason rows_in kept dropped",
    "duplicates": "cluster size row_id similarity text",
    "leaks": "row_id how overlap line prompt benchmark_text",
    "examples": "row_id dataset split score prompt completion",
    "trained_on": "training row_id fate first_loss last_loss prompt completion",
    "pairs": "dataset margin prompt chosen rejected",
    "leaderboard": "split scorer model mean answers change low high",
    "runs": "run_id command status seconds requests completion_tokens cost",
}


def shown_columns(table: str, there: Sequence[str], asked: str | None) -> list[str]:
    """Return the columns of a table to show.

    Args:
        table: The table.
        there: The columns that it has.
        asked: What the user asks for: names with commas between them, in any case, or ``all``; None for the usual ones.

    Raises:
        UserError: The table has no column of such a name.
    """
    if (asked is not None and asked.lower() == "all") or (asked is None and table not in SHOWN):
        return [*there]
    names = SHOWN[table].split() if asked is None else [name.strip() for name in asked.split(",") if name.strip()]
    if asked is None and table == "candidates":
        names += there[there.index("family") + 1 :]  # the scores come last
    columns = {name.lower(): name for name in there}  # SQL's names have no case
    for name in names:
        if name.lower() not in columns:
            raise UserError(f"no column of {table} called {name!r}{nearest(name.lower(), there)}")
    return [columns[name.lower()] for name in names] or [*there]
