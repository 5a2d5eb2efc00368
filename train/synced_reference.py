"""The reference model of a training with ``sync_ref_model``, which changes: its weights are kept in checkpoints.

TRL saves the trained model only; a training that resumes would start again from the first reference.
"""

from pathlib import Path
from typing import Any

from safetensors.torch import load_model, save_model

FILE = "reference.safetensors"


def save_reference(trainer: Any, checkpoint: Path) -> None:
    """Save the reference's weights into a checkpoint, if the training changes them."""
    model = _synced(trainer)
    if model is not None:
        save_model(model, str(checkpoint / FILE))


def load_reference(trainer: Any, checkpoint: Path) -> None:
    """Give the reference the weights that it had at a checkpoint, if the training changes them."""
    model = _synced(trainer)
    if model is not None and (checkpoint / FILE).exists():
        load_model(model, str(checkpoint / FILE), device=str(next(model.parameters()).device))


def _synced(trainer: Any) -> Any:
    """Return the reference that the training changes, or None."""
    model = getattr(trainer, "ref_model", None)
    if model is None or not getattr(trainer.args, "sync_ref_model", False):
        return None
    return trainer.accelerator.unwrap_model(model)
