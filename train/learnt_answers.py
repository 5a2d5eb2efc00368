"""The parts that ``dpo`` and ``kto`` share: batches that say which tokens of an answer count, and the reference model.

Of an answer the assistant's turns count, not the tools' results. Importing this module does not import torch.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from train.job import TrainingJob
from train.reports.during.quiet import without_bars
from train.row_losses import RowLosses


class LearntAnswers:
    """Collates examples as one of TRL's collators does; in its masks of answers only the learnt tokens count.

    Attributes:
        masks: The names of the masks in a batch. One that a batch does not have is left out.
    """

    masks: ClassVar[tuple[str, ...]] = ("completion_mask",)

    def __init__(self, collator: Any) -> None:
        self.collator = collator

    def flags(self, examples: list[dict[str, Any]], mask: str) -> list[list[bool]]:
        """Return for each row of a mask whether each token is learnt, prompts included, before any is cut off."""
        raise NotImplementedError

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Collate examples into a batch."""
        import torch

        batch = self.collator(examples)
        cut = self.collator.max_length
        at_the_end = cut and getattr(self.collator, "truncation_mode", "keep_start") == "keep_end"
        kept = slice(-cut, None) if at_the_end else slice(cut)
        for name in (one for one in self.masks if one in batch):
            mask = batch[name]
            for row, of_row in enumerate(self.flags(examples, name)):
                known = of_row[kept]
                mask[row, : len(known)] = torch.tensor(known, dtype=mask.dtype)
        return batch


class AnswerLosses(RowLosses):
    """Row losses of a trainer whose rows are token ids already, and whose batches ``collator`` makes."""

    collator: ClassVar[type[LearntAnswers]]

    def start_recording(self, row_ids: list[str]) -> None:
        """Start recording, with batches that say which tokens of an answer count."""
        self._count_learnt()
        super().start_recording(row_ids)

    def _precompute_ref_logps(self, *args: Any) -> Any:
        self._count_learnt()
        with without_bars():
            return super()._precompute_ref_logps(*args)

    def _count_learnt(self) -> None:
        if not isinstance(self.data_collator, self.collator):
            self.data_collator = self.collator(self.data_collator)


def own_reference(job: TrainingJob) -> Callable[[Any], dict[str, Any]]:
    """Return a function that gives a trainer its reference: the model that the training starts from.

    It is loaded here, as TRL would load it from the model's folder, without the merged adapters. Under LoRA it is the
    model with its new adapter switched off, and where its log-probabilities are computed beforehand none is needed.
    """
    from train.trl_setup import load_model

    def reference(config: Any) -> dict[str, Any]:
        if config.precompute_ref_log_probs:
            job.progress.detail(f"train.{job.name}: the reference's log-probabilities of all rows are computed first")
        if job.lora is not None or config.precompute_ref_log_probs:
            return {"ref_model": None}
        return {"ref_model": load_model(job)[0].eval()}

    return reference
