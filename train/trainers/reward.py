"""A reward model with ``trl.RewardTrainer``: it learns to reward chosen answers more than rejected ones."""

from pathlib import Path
from typing import Any

from train.job import Outcome, TrainingJob
from train.row_losses import RowLosses, combine_pairs

CONFIG = "RewardConfig"
DATA = "preference"
NEEDS = ()


class RewardRowLosses(RowLosses):
    """A row's margin is the reward of its chosen answer minus that of its rejected one.

    Its loss is ``-log sigmoid(margin)`` (Bradley-Terry). It is null if an option adds a term that belongs to the batch
    (``center_rewards_coefficient``). Tokens are those of both conversations.
    """

    def row_losses(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Return the losses of a batch's rows from its only output."""
        import torch

        margin = combine_pairs(outputs[0].logits.float().squeeze(-1), torch.sub)
        loss = -torch.nn.functional.logsigmoid(margin)
        return {
            "loss": [None] * len(loss) if self.args.center_rewards_coefficient else loss.tolist(),
            "tokens": combine_pairs(inputs["attention_mask"].sum(1), torch.add).tolist(),
            "entropy": [None] * len(margin),
            "margin": margin.tolist(),
        }


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's pairs and save the adapter (with the head) or the weights, with the tokenizer, in ``folder``.

    The model is the one that the training starts from, with earlier adapters merged, and a single output in the place
    of the next token's; a reward model keeps the head it has. Another recipe can name the folder in its ``models``,
    like any reward model.
    """
    from trl import RewardConfig, RewardTrainer

    from train.examples.pair_examples import reward_examples
    from train.row_training import train_on_rows
    from train.trl_setup import load_reward_model

    return train_on_rows(
        job,
        folder,
        dataset_type=DATA,
        make_examples=reward_examples,
        config_class=RewardConfig,
        trainer_class=RewardTrainer,
        row_losses=RewardRowLosses,
        load=load_reward_model,
        lora_task="SEQ_CLS",
    )
