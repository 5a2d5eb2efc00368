"""Checks the options of KTO that TRL refuses, or that would change what its KL estimate is of, before anything is paid.

The estimate is of the answers of a batch, each behind the prompt of another row of the batch (arXiv 2402.01306). TRL
makes these pairs once, from the rows in their order, a batch at a time (``KTOTrainer._prepare_dataset``).
"""

from typing import Any

from schemas.errors import UserError, unknown

LOSSES = ("kto", "apo_zero_unpaired")
WITHOUT_KL = "apo_zero_unpaired"
BATCH = 8  # TRL's default
WEIGHTS = ("desirable_weight", "undesirable_weight")


def check_kto(given: dict[str, Any], where: str) -> None:
    """Check the options of a KTO training, TRL's defaults among them.

    Args:
        given: The options by name.
        where: The training's place in the recipe.

    Raises:
        UserError: An option is out of its bounds, or does not go with the KL estimate.
    """
    if given["loss_type"] not in LOSSES:
        raise unknown("value of loss_type called", str(given["loss_type"]), LOSSES, where)
    for name in WEIGHTS:
        if given[name] < 0:
            raise UserError(f"{where}: {name}: expected a number from 0, found {given[name]}")
    if not any(given[name] for name in WEIGHTS):
        raise UserError(f"{where}: {' and '.join(WEIGHTS)}: both are 0, so nothing would be learnt; give one a weight")
    if given["beta"] <= 0:
        raise UserError(f"{where}: beta: expected a number above 0, found {given['beta']}")
    if given["loss_type"] == WITHOUT_KL:
        return
    size, strategy = given["per_device_train_batch_size"], given["train_sampling_strategy"]
    if size < 2:
        raise UserError(
            f"{where}: per_device_train_batch_size: KTO estimates the KL from the answers to other prompts in a batch, "
            f"so it needs 2 or more rows, better 8; found {size} (for small memory use gradient_accumulation_steps, "
            f"or loss_type: {WITHOUT_KL}, which has no KL)"
        )
    if strategy != "sequential":
        raise UserError(
            f"{where}: train_sampling_strategy: KTO pairs each row with its neighbour before the training, so the rows "
            f"must be taken in order: expected sequential, found {strategy}; leave the key out, and gristmill puts the "
            f"rows in a random order first"
        )
    if given.get("auto_find_batch_size"):
        raise UserError(
            f"{where}: auto_find_batch_size would change the batches that KTO has paired rows in; set "
            f"per_device_train_batch_size"
        )


def last_row_alone(settings: dict[str, Any], rows: int, processes: int = 1) -> str:
    """Return that the last batch has one row, whose KL is then estimated from its own answer, and what to set; or "".

    Args:
        settings: The training's settings.
        rows: How many rows it has.
        processes: How many processes it has.
    """
    size = settings.get("per_device_train_batch_size", BATCH) * processes
    if settings.get("loss_type") == WITHOUT_KL or rows % size != 1 or settings.get("dataloader_drop_last"):
        return ""
    return (
        f"of {rows:,} rows in batches of {size} the last is alone, so its KL is that of its own answer; to leave it "
        f"out set dataloader_drop_last: true"
    )
