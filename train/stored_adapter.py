"""Makes sure that an adapter, once stored and loaded, gives the model that was trained."""

import json
import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from curate.models.weights import load, load_classifier
from schemas.errors import UserError
from train.job import TrainingJob
from train.options.lora_rules import changes_base

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MOST_PARAMETERS = 400_000_000  # of a model that is loaded a second time to be compared; 1.6 GB in float32
DIFFERENCE = {torch.float32: 0.01}  # the most, relative to the outputs' norm; rounding alone gives 1e-6 in float32
DIFFERENCE_ROUNDED = 0.1  # in bfloat16


def start_of(model: Any) -> dict[str, torch.Tensor]:
    """Return the matrices of an untrained adapter whose initialisation took their product from the frozen weights.

    Args:
        model: The model with its adapter, before the first step (and before a checkpoint is loaded).

    Returns:
        Copies of the matrices, by the names they are stored under; none for another initialisation.
    """
    from peft import PeftModel, get_peft_model_state_dict

    if not isinstance(model, PeftModel) or not changes_base(model.peft_config["default"].init_lora_weights):
        return {}
    stored = get_peft_model_state_dict(model)
    return {name: value.detach().cpu().clone() for name, value in stored.items() if ".lora_" in name}


def store_change(folder: Path, start: dict[str, torch.Tensor]) -> None:
    """Rewrite a stored adapter so that it fits the model's own weights, not those that its initialisation left.

    PiSSA and OLoRA train ``W - s B0 A0 + s B A``. The rewritten adapter has twice the rank, ``[B, -B0]`` and
    ``[A; A0]``, and the same scale ``s``, as PEFT's ``path_initial_model_for_weight_conversion`` does it. Without it,
    loading would draw ``A0`` and ``B0`` anew, which is not exact, and for ``pissa_niter_*`` random.

    Args:
        folder: The adapter's folder.
        start: As ``start_of`` returned it; with none, the adapter is left as it is.
    """
    from safetensors.torch import load_file, save_file

    if not start:
        return
    weights = load_file(folder / WEIGHTS)
    for name, before in start.items():
        if ".lora_A." in name or ".lora_embedding_A" in name:
            weights[name] = torch.cat([weights[name], before.to(weights[name].dtype)], dim=0)
        elif ".lora_B." in name or ".lora_embedding_B" in name:
            weights[name] = torch.cat([weights[name], -before.to(weights[name].dtype)], dim=1)
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / WEIGHTS, {"format": "pt"})

    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    more = math.sqrt(2) if config["use_rslora"] else 2  # the scale is alpha / sqrt(r), else alpha / r
    config |= {"init_lora_weights": True, "r": 2 * config["r"], "lora_alpha": more * config["lora_alpha"]}
    config["rank_pattern"] = {name: 2 * rank for name, rank in (config["rank_pattern"] or {}).items()}
    config["alpha_pattern"] = {name: more * alpha for name, alpha in (config["alpha_pattern"] or {}).items()}
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def check_stored(model: Any, job: TrainingJob, folder: Path) -> None:
    """Load a stored adapter as every later use does, and compare the outputs with those of the model as trained.

    It is a second copy of the weights, so large models are not compared, nor quantised ones, whose adapter is merged
    at full precision.

    Args:
        model: The model as trained, with its adapter.
        job: The training.
        folder: The stored adapter.

    Raises:
        UserError: The adapter holds a number that is not finite, or the outputs differ by more than rounding.
    """
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return
    trainable = ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)
    if lost := next((name for name, weight in trainable if not torch.isfinite(weight).all()), None):
        raise UserError(
            f"train.{job.name}: the trained adapter is lost: {lost} has a number that is not finite (NaN or infinite), "
            f"so nothing is kept; set a lower learning_rate, a max_grad_norm, or more warmup_steps"
        )
    if job.quantize is not None:
        return
    if sum(p.numel() for p in model.parameters()) > MOST_PARAMETERS:
        return
    head = model.peft_config["default"].task_type == "SEQ_CLS"
    ref = job.ref.trained(job.name, "stored", folder, adapter=True)
    try:
        stored, _ = (load_classifier if head else load)(ref)
    except RuntimeError as error:  # of other shapes than the model's
        said = " ".join(str(error).split())
        raise UserError(f"train.{job.name}: lora: the stored adapter cannot be loaded: {said}") from error
    # The output of a reward model is one number, near 0 and rounded with the states before it: both are compared.
    with _full_precision(model):
        trained = _outputs(model)
    loaded = _outputs(stored)
    most = DIFFERENCE.get(stored.dtype, DIFFERENCE_ROUNDED)
    found = float((trained - loaded).norm() / trained.norm().clamp_min(1e-9))
    if not found <= most:
        raise UserError(
            f"train.{job.name}: lora: the adapter as stored does not give the model that was trained (its outputs "
            f"differ by {found:.1%}), so nothing is kept; remove the options of lora one by one: {_given(job)}"
        )


@contextmanager
def _full_precision(model: Any) -> Generator[None]:
    """Have a model compute without the mixed precision (``bf16: true``) that Accelerate prepared it for.

    In bfloat16 the adapter's product is rounded beside the frozen weights, and once it is stored, together with them:
    the outputs of small models differ by some 2%.
    """
    if not hasattr(model, "_original_forward"):
        yield
        return
    prepared, model.forward = model.forward, model._original_forward
    try:
        yield
    finally:
        model.forward = prepared


def _outputs(model: Any) -> torch.Tensor:
    """Return the outputs and the last states of a model for 32 tokens, as one row of float32 on the CPU."""
    size = model.config.get_text_config().vocab_size
    ids = (torch.arange(32, device=model.device) * 37 + 5).remainder(size).unsqueeze(0)
    training = model.training
    model.eval()
    with torch.no_grad():
        found = model(input_ids=ids, output_hidden_states=True)
    model.train(training)
    return torch.cat([found.logits.float().flatten(), found.hidden_states[-1].float().flatten()]).cpu()


def _given(job: TrainingJob) -> str:
    return ", ".join(job.lora or {}) or "none is set"
