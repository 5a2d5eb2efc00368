"""Checks the options of an adapter that PEFT takes, but that would train wrongly, late or not at all."""

from collections.abc import Mapping
from typing import Any

from schemas.errors import UserError

# Options that train another model than the one that is stored or loaded, or train nothing that is asked for.
UNUSABLE = {
    "layer_replication": "the copies of layers are not in the model that the stored adapter is merged into",
    "alora_invocation_tokens": "an adapter that acts after some tokens only cannot be merged into the weights",
    "arrow_config": "it routes between several adapters, and a training makes one",
    "megatron_config": "the model is transformers', not Megatron's",
    "megatron_core": "the model is transformers', not Megatron's",
    "use_bdlora": "it is for servers of many adapters; here each is merged into the weights",
    "eva_config": "that initialisation needs data, which TRL does not give it",
    "corda_config": "that initialisation needs data, which TRL does not give it",
    "lora_ga_config": "that initialisation needs gradients, which TRL does not give it",
    "loftq_config": "weights are quantised by 'quantize'",
}
MOST_RANK = 65_536  # above the width of any layer, where an adapter is larger than the layer
NEED_DATA = ("eva", "corda", "lora_ga")
FOR_QUANTIZED = (True, False, "gaussian", "orthogonal")  # initialisations that do not read the frozen weights


def task_of(trainer: str) -> str:
    """Return PEFT's name for the task of a trainer's model."""
    return "SEQ_CLS" if trainer.rsplit(".", 1)[-1].lower().startswith("reward") else "CAUSAL_LM"


def without_usual(lora: Mapping[str, Any], trainer: str) -> dict[str, Any]:
    """Return an adapter's options without those that say what is always so: 'task_type: CAUSAL_LM', as often pasted."""
    usual = {"task_type": task_of(trainer), "inference_mode": False, "peft_type": "LORA"}
    return {name: value for name, value in lora.items() if name not in usual or value != usual[name]}


def changes_base(init: Any) -> bool:
    """Return whether an initialisation (``init_lora_weights``) changes the frozen weights under the adapter."""
    return isinstance(init, str) and init.lower().startswith(("pissa", "olora", *NEED_DATA[1:], "loftq"))


def check_lora(lora: Mapping[str, Any], where: str, *, quantize: str | None, reference: bool) -> None:
    """Check an adapter's options as far as they alone allow.

    Args:
        lora: The options, of the right types.
        where: The training's place in the recipe.
        quantize: The precision of quantised weights, or None.
        reference: Whether the trainer compares with the model before training, which is the one without the adapter.

    Raises:
        UserError: An option cannot be used.
    """
    for name, reason in UNUSABLE.items():
        if lora.get(name) not in (None, {}, [], False, "megatron.core"):
            raise UserError(f"{where}: lora: {name} cannot be used: {reason}; remove it")
    _check_numbers(lora, where)
    _check_init(lora.get("init_lora_weights", True), where, quantize=quantize, reference=reference)
    if reference and lora.get("kasa_config") is not None:
        raise UserError(
            f"{where}: lora: kasa_config: the trainer compares with the model before training, which is the one "
            f"without the adapter, but KaSA changes the weights under it; remove it"
        )
    if reference and lora.get("bias", "none") != "none":
        raise UserError(
            f"{where}: lora: bias: {lora['bias']}: the trainer compares with the model before training, which is the "
            f"one without the adapter, but the model's own biases would stay trained there; remove it"
        )


def _check_numbers(lora: Mapping[str, Any], where: str) -> None:
    ranks = {"r": lora.get("r", 1)} | _pattern(lora, "rank_pattern")
    for name, rank in ranks.items():
        if not isinstance(rank, int) or not 1 <= rank <= MOST_RANK:
            wanted = f"the adapter's rank, a number from 1 to {MOST_RANK:,}"
            raise UserError(f"{where}: lora: {name}: expected {wanted}, found {rank}")
    for name, alpha in ({"lora_alpha": lora.get("lora_alpha", 1)} | _pattern(lora, "alpha_pattern")).items():
        if not isinstance(alpha, int | float) or not alpha > 0:
            raise UserError(
                f"{where}: lora: {name}: expected a number above 0, by which the adapter's output is scaled, "
                f"found {alpha}"
            )
    if not 0 <= lora.get("lora_dropout", 0) < 1:
        raise UserError(
            f"{where}: lora: lora_dropout: expected a number from 0 to below 1, found {lora['lora_dropout']}"
        )


def _pattern(lora: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {f"{name}: {key}": value for key, value in (lora.get(name) or {}).items()}


def _check_init(init: Any, where: str, *, quantize: str | None, reference: bool) -> None:
    place = f"{where}: lora: init_lora_weights: {init}"
    if isinstance(init, str) and init.lower() in NEED_DATA:
        raise UserError(
            f"{place}: this initialisation needs data or gradients, which TRL does not give it; remove it, or set "
            f"pissa or olora"
        )
    if isinstance(init, str) and init.lower() == "loftq":
        raise UserError(f"{place}: weights are quantised by quantize: 4bit; remove it")
    if quantize is not None and (init.lower() if isinstance(init, str) else init) not in FOR_QUANTIZED:
        raise UserError(
            f"{place}: it reads the weights, which are quantised (quantize: {quantize}); remove one of both"
        )
    if reference and changes_base(init):
        raise UserError(
            f"{place}: the trainer compares with the model before training, which is the one without the adapter, but "
            f"this initialisation changes the weights under it; remove it"
        )
