"""Supervised fine-tuning with ``trl.SFTTrainer``: the model learns the answers of an ``sft`` dataset."""

from pathlib import Path
from typing import Any

from train.job import Outcome, TrainingJob
from train.row_losses import RowLosses

CONFIG = "SFTConfig"
DATA = "sft"
NEEDS = ()


class SFTRowLosses(RowLosses):
    """A row's loss is the mean negative log-likelihood of its trained tokens, in nats; it has no margin."""

    padding_free: bool

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
        """Return whether a batch has a line for each row: not where rows are packed, or joined without padding."""
        return not (self.args.packing or self.padding_free)


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's rows and save the adapter or the weights, with the tokenizer, into ``folder``.

    Every assistant's turn is learnt that is not marked otherwise (``train.examples.sft_examples``). A row of which
    ``max_length`` leaves nothing to learn is left out, also before packing (TRL would pack it and train on none of its
    tokens). With ``packing`` or ``padding_free`` there are no row losses: rows can no longer be told apart.
    """
    from trl import SFTConfig, SFTTrainer

    from train.examples.sft_examples import sft_examples
    from train.row_training import train_on_rows

    def labels_say_it(config: Any) -> dict[str, Any]:
        """Turn the options off that the labels have followed already: TRL would look for what they need."""
        config.completion_only_loss, config.assistant_only_loss = None, False
        if not config.packing and not config.eval_packing:
            config.max_length = None
        return {}

    return train_on_rows(
        job,
        folder,
        dataset_type=DATA,
        make_examples=sft_examples,
        config_class=SFTConfig,
        trainer_class=SFTTrainer,
        row_losses=SFTRowLosses,
        arguments=labels_say_it,
    )
