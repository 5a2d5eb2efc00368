"""Kahneman-Tversky optimisation with ``trl.KTOTrainer``: the model learns from answers that are good or bad each."""

from pathlib import Path
from typing import Any

from train.job import Outcome, TrainingJob
from train.launch.ranks import processes
from train.learnt_answers import AnswerLosses, LearntAnswers, own_reference

CONFIG = "KTOConfig"
DATA = "unpaired"
NEEDS = ()


class LearntCollator(LearntAnswers):
    """Collates rows: their answers, each behind its own prompt, and for the KL estimate behind another row's."""

    masks = ("completion_mask", "KL_completion_mask")

    def flags(self, examples: list[dict[str, Any]], mask: str) -> list[list[bool]]:
        """Return for each row whether each token is learnt, its prompt included."""
        learnt = mask.removesuffix("_mask") + "_learnt"
        return [[False] * len(example["prompt_ids"]) + example[learnt] for example in examples]


def with_other_answers(rows: dict[str, list]) -> dict[str, list]:
    """Return for the rows of a batch the answers that their KL estimate is of: each row has that of the row before it.

    So ``trl.KTOTrainer._prepare_dataset`` does, after the tokenising; the first row has the last one's.
    """
    return {f"KL_{name}": [*rows[name][-1:], *rows[name][:-1]] for name in ("completion_ids", "completion_learnt")}


class KTORowLosses(AnswerLosses):
    """A row's margin is beta x (its gain in log-probability over the reference): its implied reward, as TRL logs it.

    So the margin of a bad answer that is learnt well is negative; ``margin_last`` and ``gristmill why`` turn it round.

    Its loss is what TRL averages: its weight x ``1 - sigmoid(+-(margin - beta x KL))``, with + for a good answer and -
    for a bad one (Ethayarajh et al. 2024, arXiv 2402.01306). The KL is an estimate of the batch; it is 0 in the loss
    ``apo_zero_unpaired`` (D'Oosterlinck et al. 2024, arXiv 2408.06266).
    """

    kept_columns = ("row_index", "completion_learnt", "KL_completion_learnt")
    collator = LearntCollator
    beta: float
    calculate_KL: bool
    desirable_weight: float
    undesirable_weight: float

    def row_losses(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Return the losses of a batch's rows.

        The policy is called before the reference, and each for the other rows' answers before the row's own; a
        reference's log-probabilities may have been computed beforehand.
        """
        import torch

        policy = outputs[int(self.calculate_KL)]
        found = [output.log_probs.float().sum(1) for output in outputs]
        if "ref_logps" in inputs:
            found += [inputs[name] for name in ("ref_KL_logps", "ref_logps") if name in inputs]
        margin = self.beta * (found[int(self.calculate_KL)] - found[-1])
        kl = self._kl(found[0] - found[2]) if self.calculate_KL else 0.0
        good = inputs["label"].bool()
        weight = torch.where(good, self.desirable_weight, self.undesirable_weight)
        side = torch.where(good, 1.0, -1.0)
        tokens = policy.label_mask.sum(1)
        return {
            "loss": (weight * (1 - torch.sigmoid(side * (margin - self.beta * kl)))).tolist(),
            "tokens": tokens.tolist(),
            "entropy": (policy.entropy.float().sum(1) / tokens.clamp(min=1)).tolist(),
            "margin": margin.tolist(),
        }

    def _prepare_dataset(self, dataset: Any, tokenizer: Any, args: Any, *others: Any) -> Any:
        """Return the dataset, which holds token ids already, with the answers that the KL estimate is of.

        They are of the batch of all processes, so that the estimate is that of one process at the same batch.
        """
        if not self.calculate_KL:
            return dataset
        batch = args.per_device_train_batch_size * processes()
        return dataset.map(with_other_answers, batched=True, batch_size=batch)

    def _kl(self, gains: Any) -> Any:
        """Return the estimate of the KL from the gains of this process's other answers, and of all others'."""
        mean = gains.mean()
        return (self.accelerator.gather_for_metrics(mean).mean() if processes() > 1 else mean).clamp(min=0)


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's rows and save the adapter or the weights, with the tokenizer, into ``folder``.

    The KL estimate needs answers to other prompts in a batch, and TRL takes the rows in their order; a dataset has the
    answers of a prompt side by side. So the rows are put in a random order first, by their ids and the seed, those to
    evaluate on too, unless the recipe sets ``train_sampling_strategy``. The reference is the model that the training
    starts from, as in ``dpo``.
    """
    from trl import KTOConfig, KTOTrainer

    from train.examples.examples import Examples
    from train.examples.unpaired_examples import unpaired_examples
    from train.options.kto_options import last_row_alone
    from train.row_training import train_on_rows
    from train.rows.unpaired_labels import check_examples, rows_in_random_order

    def examples_of(rows: Any, chat: Any, how: Any, *, first_index: int = 0) -> Examples:
        examples = unpaired_examples(rows, chat, how, first_index=first_index)
        if not first_index:  # rows to evaluate on come later
            check_examples(examples, f"train.{job.name}")
            if alone := last_row_alone(job.settings, examples.counts["rows"], processes()):
                job.progress.say(f"train {job.name}: {alone}")
        return examples

    job = rows_in_random_order(job)
    return train_on_rows(
        job,
        folder,
        dataset_type=DATA,
        make_examples=examples_of,
        config_class=KTOConfig,
        trainer_class=KTOTrainer,
        row_losses=KTORowLosses,
        arguments=own_reference(job),
    )
