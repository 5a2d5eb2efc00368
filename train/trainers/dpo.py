"""Direct preference optimisation with ``trl.DPOTrainer``: the model learns to prefer chosen answers to rejected."""

from pathlib import Path
from typing import Any

from train.job import Outcome, TrainingJob
from train.learnt_answers import AnswerLosses, LearntAnswers, own_reference
from train.row_losses import combine_pairs

CONFIG = "DPOConfig"
DATA = "preference"
NEEDS = ()
SIDES = ("chosen", "rejected")


class LearntCollator(LearntAnswers):
    """Collates pairs: all chosen answers, then all rejected ones."""

    def flags(self, examples: list[dict[str, Any]], mask: str) -> list[list[bool]]:
        """Return for each answer whether each token is learnt, its prompt included."""
        return [[False] * len(e["prompt_ids"]) + e[f"{side}_learnt"] for side in SIDES for e in examples]


class DPORowLosses(AnswerLosses):
    """A row's margin is beta x (its gain in log-probability over the reference, chosen minus rejected).

    Its loss is ``-log sigmoid(margin)``, which is what TRL averages under the options of plain DPO (Rafailov et al.
    2023, arXiv 2305.18290); under any other loss it is null. Tokens and entropy are those of both answers together.
    """

    kept_columns = ("row_index", "chosen_learnt", "rejected_learnt")
    collator = LearntCollator
    beta: float
    loss_types: list[str]
    loss_weights: list[float]
    f_divergence_type: str
    ld_alpha: float | None
    use_weighting: bool

    def row_losses(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Return the losses of a batch's rows.

        They are read from the policy's output and the reference's, or its log-probabilities computed beforehand.
        """
        import torch

        policy = outputs[0]
        gain = combine_pairs(policy.log_probs.float().sum(1), torch.sub)
        if "ref_chosen_logps" in inputs:
            gain = gain - (inputs["ref_chosen_logps"] - inputs["ref_rejected_logps"])
        else:
            gain = gain - combine_pairs(outputs[1].log_probs.float().sum(1), torch.sub)
        margin = self.beta * gain
        tokens = combine_pairs(policy.label_mask.sum(1), torch.add)
        loss = -torch.nn.functional.logsigmoid(margin)
        return {
            "loss": loss.tolist() if self._is_plain() else [None] * len(loss),
            "tokens": tokens.tolist(),
            "entropy": (combine_pairs(policy.entropy.float().sum(1), torch.add) / tokens.clamp(min=1)).tolist(),
            "margin": margin.tolist(),
        }

    def _prepare_dataset(self, dataset: Any, *others: Any) -> Any:
        return dataset  # it holds token ids already

    def _is_plain(self) -> bool:
        return (
            self.loss_types == ["sigmoid"]
            and self.f_divergence_type == "reverse_kl"
            and self.ld_alpha is None
            and not self.use_weighting
            and self.loss_weights == [1.0]
        )


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's pairs and save the adapter or the weights, with the tokenizer, into ``folder``.

    The reference is the model that the training starts from. Under LoRA that is the model with its new adapter
    switched off, since the adapters of earlier trainings are merged; otherwise it is a second copy.
    """
    from trl import DPOConfig, DPOTrainer

    from train.examples.pair_examples import dpo_examples
    from train.row_training import train_on_rows

    return train_on_rows(
        job,
        folder,
        dataset_type=DATA,
        make_examples=dpo_examples,
        config_class=DPOConfig,
        trainer_class=DPOTrainer,
        row_losses=DPORowLosses,
        arguments=own_reference(job),
    )
