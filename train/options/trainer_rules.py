"""Rules on a training's options together, which TRL's trainers check late (after the model is loaded) or not at all.

What TRL's config classes check by themselves is not repeated here, but where gristmill follows an option before TRL
sees it, or where TRL's message does not say what to set: ``train.trl_check`` builds the config itself.
"""

from typing import Any

from schemas.errors import UserError
from schemas.recipe import Training
from train.options.best_model import evaluates
from train.options.kto_options import WEIGHTS, check_kto
from train.options.measures import check_measure
from train.options.option_names import OTHER_VALUES
from train.options.option_values import wrong_choice
from train.options.ranges import check_ranges
from train.options.reward_weights import reward_weights

PAIR_LOSSES = (
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired",
    "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm",
)  # fmt: skip
DIVERGING_LOSSES = ("sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft")
# The values of options that TRL reads only as it computes a loss, by its config class and the option.
LATE_CHOICES = {
    "DPOConfig": {
        "loss_type": PAIR_LOSSES,
        "f_divergence_type": ("reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"),
    },
    "GRPOConfig": {
        "loss_type": ("grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"),
        "scale_rewards": ("group", "batch", "none", True, False),
        "importance_sampling_level": ("token", "sequence"),
        "multi_objective_aggregation": ("sum_then_normalize", "normalize_then_sum"),
    },
}


def check_rules(
    training: Training, config: str, given: dict[str, Any], where: str, *, least: int = 2, processes: int = 1
) -> None:
    """Check the options of a training together.

    Args:
        training: The training's entry in the recipe.
        config: The name of TRL's config class.
        given: Every option that has a plain default, with what the training sets.
        where: The training's place in the recipe.
        least: The fewest answers of a group: a config whose own default is 1 compares none.
        processes: How many processes the training has.

    Raises:
        UserError: A trainer would refuse them, or train on nonsense.
    """
    check_ranges(given, config, where)
    _check_late_needs(given, where)
    check_measure(training, given.get("metric_for_best_model"), where)
    _check_lengths(given, where)
    if "num_generations" in given:
        _check_groups(given, where, least, processes)
    if config == "DPOConfig":
        _check_pair_losses(given, where)
    if given.keys() >= {*WEIGHTS}:
        check_kto(given, where)
    _check_reference(training, given, where)
    if "reward_weights" in given:
        reward_weights(training.rewards, training.settings.get("reward_weights"), where)


def check_late_choice(config: str, name: str, value: Any, where: str) -> bool:
    """Return whether the values of an option are known here; raise ``UserError`` where the value is none of them."""
    choices = LATE_CHOICES.get(config, {}).get(name)
    if choices is None:
        return False
    for one in value if isinstance(value, list) and name == "loss_type" else [value]:
        if one not in choices or isinstance(one, int | float) != isinstance(one, bool):
            today = OTHER_VALUES.get((name, str(one).lower()))
            if today and one not in choices:
                raise UserError(f"{where}: no value of {name} called {one!r}: {today}")
            raise UserError(f"{where}: {wrong_choice(name, one, (c for c in choices if isinstance(c, str)))}")
    return True


def _check_late_needs(given: dict[str, Any], where: str) -> None:
    """Check what transformers misses once the model is loaded: options that need another one."""
    if given.get("eval_on_start") and not evaluates(given):
        raise UserError(f"{where}: eval_on_start needs evaluations; add eval_strategy: epoch, or remove it")
    if given.get("dataloader_persistent_workers") and not given.get("dataloader_num_workers"):
        raise UserError(
            f"{where}: dataloader_persistent_workers needs workers to keep; set dataloader_num_workers, or remove it"
        )


def _check_lengths(given: dict[str, Any], where: str) -> None:
    """Check the options that cut and pack sequences, which gristmill follows before TRL sees them."""
    longest = given.get("max_length")
    if longest is not None and longest < 1:
        raise UserError(
            f"{where}: max_length: expected a number of tokens from 1, or null for no limit, found {longest}"
        )
    if (given.get("packing") or given.get("eval_packing")) and longest is None:
        raise UserError(f"{where}: packing needs max_length, the length of a block in tokens; found null")


def _check_groups(given: dict[str, Any], where: str, least: int, processes: int) -> None:
    """Check TRL's rules on the groups of online RL (``GRPOConfig.__post_init__``), and say what to set."""
    group, batch = given["num_generations"], given["per_device_train_batch_size"] * processes
    times = f" x {processes} processes" if processes > 1 else ""
    whole, steps = given.get("generation_batch_size"), given.get("steps_per_generation")
    if group < least:
        compared = " to compare" if least > 1 else ""
        raise UserError(f"{where}: num_generations: expected {least} or more answers{compared}, found {group}")
    if whole is not None and steps is not None:
        raise UserError(f"{where}: set generation_batch_size or steps_per_generation, not both")
    if given.get("auto_find_batch_size"):
        raise UserError(f"{where}: auto_find_batch_size would split groups of answers; set per_device_train_batch_size")
    if whole is None:
        whole = batch * (steps or given["gradient_accumulation_steps"])
    elif whole % batch:
        raise UserError(
            f"{where}: generation_batch_size: expected a multiple of per_device_train_batch_size{times}, "
            f"which is {batch}, found {whole}"
        )
    if whole % group:
        raise UserError(
            f"{where}: num_generations: expected a divisor of the generation batch of {whole} answers "
            f"(per_device_train_batch_size x gradient_accumulation_steps{times}), found {group}"
        )
    evaluated, at_once = given.get("num_generations_eval") or group, given["per_device_eval_batch_size"] * processes
    if evaluates(given) and at_once % evaluated:
        raise UserError(
            f"{where}: per_device_eval_batch_size{times}: expected a multiple of num_generations ({evaluated}), "
            f"found {at_once}"
        )


def _check_pair_losses(given: dict[str, Any], where: str) -> None:
    """Check what DPO's trainer says of its losses once the model is loaded."""
    losses = given.get("loss_type", ["sigmoid"])
    if losses == []:
        raise UserError(f"{where}: loss_type: expected one loss or more, found none; remove it for 'sigmoid'")
    losses = losses or ["sigmoid"]
    losses = [losses] if isinstance(losses, str) else losses
    weights = given.get("loss_weights")
    if weights is not None and len(weights) != len(losses):
        raise UserError(f"{where}: loss_weights: expected {len(losses)} numbers, one a loss_type, found {len(weights)}")
    divergence = given.get("f_divergence_type")
    unfit = [loss for loss in losses if loss not in DIVERGING_LOSSES]
    if divergence not in (None, "reverse_kl") and unfit:
        raise UserError(
            f"{where}: f_divergence_type: {divergence} is for the losses {', '.join(DIVERGING_LOSSES)}; "
            f"loss_type has {unfit[0]!r}"
        )
    sorting = [loss for loss in losses if loss in ("aot", "aot_unpaired")]
    if given.get("use_weighting") and sorting:
        raise UserError(f"{where}: use_weighting: {sorting[0]!r} sorts the pairs, so that weights would be of others")
    if "exo_pair" in losses and not given.get("label_smoothing"):
        raise UserError(f"{where}: label_smoothing: 'exo_pair' needs a number above 0, such as 0.001")


def _check_reference(training: Training, given: dict[str, Any], where: str) -> None:
    """Check the options of the reference model."""
    if not given.get("sync_ref_model"):
        return
    if training.lora not in (None, False):
        raise UserError(
            f"{where}: sync_ref_model: under lora the reference is the model without its adapter, which stays the "
            f"same; remove it, or train full weights"
        )
    if given.get("precompute_ref_log_probs"):
        raise UserError(f"{where}: sync_ref_model changes the reference; remove precompute_ref_log_probs")
    if "num_generations" in given and not given.get("beta"):
        raise UserError(f"{where}: sync_ref_model: with beta: 0 there is no reference; set beta, or remove it")
