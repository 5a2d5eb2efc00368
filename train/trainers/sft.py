"""Supervised fine-tuning with ``trl.SFTTrainer``: the model learns the answers of an ``sft`` dataset."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from train.job import Outcome, TrainingJob
from train.row_losses import RowLosses

CONFIG = "SFTConfig"
DATA = "sft"


class SFTRowLosses(RowLosses):
    """A row's loss is the mean negative log-likelihood of its trained tokens, in nats; it has no margin."""

    kept_indices: list[int]

    def row_losses(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Return the losses of a batch's rows from its only output."""
        tokens = outputs[0].label_mask.sum(1)
        divisor = tokens.clamp(min=1)
        return {
            "loss": (-outputs[0].log_probs.float().sum(1) / divisor).tolist(),
            "tokens": tokens.tolist(),
            "entropy": (outputs[0].entropy.float().sum(1) / divisor).tolist(),
            "margin": [None] * len(tokens),
        }

    def tells_rows_apart(self) -> bool:
        """Return whether rows are not packed."""
        return not self.args.packing

    def kept_rows(self) -> Iterable[int]:
        """Return the ``row_index`` of the rows that were kept before packing."""
        return self.kept_indices

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, packing: bool, *others: Any) -> Any:
        if packing:  # tokenise and drop first, as without packing; only bfd cuts rows off at max_length
            first = copy.copy(args)
            first.shuffle_dataset = False
            first.max_length = args.max_length if args.packing_strategy == "bfd" else None
            dataset = super()._prepare_dataset(dataset, processing_class, first, False, *others)
        else:
            dataset = super()._prepare_dataset(dataset, processing_class, args, False, *others)
        self.kept_indices = [*getattr(self, "kept_indices", []), *dataset["row_index"]]
        return super()._prepare_dataset(dataset, processing_class, args, True, *others) if packing else dataset


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's rows and save the adapter or the weights, with the tokenizer, into ``folder``.

    Only the answer's tokens are learnt. A row whose prompt alone fills ``max_length`` is left out, also before packing
    (TRL itself would pack it and train on none of its tokens). With ``packing`` there are no row losses: rows can no
    longer be told apart.
    """
    from trl import SFTConfig, SFTTrainer

    from train.row_training import train_on_rows

    return train_on_rows(
        job,
        folder,
        dataset_type=DATA,
        config_class=SFTConfig,
        trainer_class=SFTTrainer,
        row_losses=SFTRowLosses,
    )
