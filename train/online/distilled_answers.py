"""Records the answers that a student samples in distillation, each with its divergence from the teacher.

TRL computes the divergence of every token for the loss and keeps only the sum. ``DistilledAnswers`` reads it on the
way, at no extra forward pass. Importing this module does not import torch.
"""

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.storage.polars_types import polars_schema
from schemas.rows import INTEGER, NUMBER, ROLLOUTS, ROW_LOSSES, TEXT
from train.launch.ranks import gathered, processes, without_fillers
from train.tables import empty_table

if TYPE_CHECKING:
    import torch

    class TRLTrainer:
        """The parts of ``trl.DistillationTrainer`` that the record uses."""

        model: Any
        state: Any
        args: Any
        processing_class: Any
        eos_token_ids: list[int]
        max_completion_length: int | None

        def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
            """Return a batch of prompts with sampled answers."""
            ...

        def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **others: Any) -> Any:
            """Return the loss of a batch."""
else:
    TRLTrainer = object

FUNCTION = "ChunkedDivergenceFunction"  # of ``trl.trainer.distillation_trainer``
REWARD = "divergence"  # the name of the figure in the table ``rollouts``
ANSWERS = {
    "step": INTEGER, "epoch": NUMBER, "row_id": TEXT, "phase": TEXT, "response": TEXT, "finish_reason": TEXT,
    "divergence": NUMBER, "tokens": INTEGER, "entropy": NUMBER,
}  # fmt: skip


class DistilledAnswers(TRLTrainer):
    """A mixin that makes ``trl.DistillationTrainer`` record every sampled answer. Call ``start_recording`` first.

    It relies on these internals of TRL, which ``tests/train/test_trl_contract.py`` checks: a batch is a list of dataset
    rows until ``_generate_and_score_completions`` makes tensors of it, which stay together from then on; and
    ``compute_loss`` calls ``ChunkedDivergenceFunction.apply`` once, which returns the divergence and the student's
    entropy of all tokens of the answers, or (on a GPU) of those that are not padding.
    """

    def start_recording(self, row_ids: list[str]) -> None:
        """Start recording; ``row_ids[i]`` is the id of the row whose ``row_index`` is ``i``."""
        self.row_ids = row_ids
        self.recorded_batches: list[pl.DataFrame] = []

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        batch = super()._generate_and_score_completions(inputs)
        return batch | {"row_index": torch.tensor([row["row_index"] for row in inputs])}

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **others: Any) -> Any:
        """Return TRL's loss, and record the batch's answers."""
        with _divergences() as seen:
            loss = super().compute_loss(model, inputs, *args, **others)
        self._record(inputs, *seen[0])
        return loss

    def _record(self, inputs: dict[str, Any], divergence: "torch.Tensor", entropy: "torch.Tensor") -> None:
        mask = inputs["completion_mask"].bool()
        tokens = mask.sum(1)
        ids = [row[kept].tolist() for row, kept in zip(inputs["completion_ids"], mask, strict=True)]
        training = self.model.training
        columns = {
            "step": self.state.global_step + training,
            "epoch": self.state.epoch,
            "row_id": [self.row_ids[index] for index in inputs["row_index"].tolist()],
            "phase": "train" if training else "eval",
            "response": self.processing_class.batch_decode(ids, skip_special_tokens=True),
            "finish_reason": [self._finish(answer) for answer in ids],
            "divergence": (_by_answer(divergence, mask) / tokens.clamp(min=1)).tolist(),
            "tokens": tokens.tolist(),
            "entropy": (_by_answer(entropy, mask) / tokens.clamp(min=1)).tolist(),
        }
        self.recorded_batches.append(pl.DataFrame(columns, schema=polars_schema(ANSWERS)))

    def _finish(self, answer: list[int]) -> str:
        """Return why an answer ends, of its token ids: 'length' where it was cut off, else 'stop'."""
        most = self.max_completion_length
        cut = most is not None and len(answer) >= most and answer[-1] not in self.eos_token_ids
        return "length" if cut else "stop"

    def recorded(self) -> pl.DataFrame:
        """Return all answers recorded so far, in order: the columns ``ANSWERS``; the first process has those of all."""
        found = pl.concat([pl.DataFrame(schema=polars_schema(ANSWERS)), *self.recorded_batches])
        if processes() == 1:
            return found
        self.recorded_batches = [found] = [gathered(found)]
        trained = pl.col("phase") == "train"  # a prompt is in no batch twice
        return without_fillers(found, {}, pl.when(trained).then(-pl.int_range(pl.len()) - 1).otherwise("step"))

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from the answers that an interrupted training recorded."""
        self.recorded_batches = [rows]


def as_row_losses(answers: pl.DataFrame) -> pl.DataFrame:
    """Return recorded answers as the table ``row_losses``: a row's loss is its answer's mean divergence."""
    columns = empty_table(ROW_LOSSES).schema
    losses = answers.with_columns(pl.col("divergence").alias("loss"), margin=pl.lit(None))
    return losses.select(pl.col(name).cast(kind) for name, kind in columns.items())


def as_rollouts(answers: pl.DataFrame, prompts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return recorded answers as the table ``rollouts``, with the divergence under the name ``divergence``.

    Args:
        answers: The answers.
        prompts: The dataset rows of their prompts.
    """
    columns = empty_table(ROLLOUTS).schema
    known = pl.concat([rows.select("row_id", "prompt_id") for rows in prompts]).unique("row_id")
    rows = answers.join(known, on="row_id", how="left", maintain_order="left").with_columns(
        pl.col("divergence").alias("value"),
        sample_index=pl.int_range(pl.len()).over("step", "row_id"),
        reward=pl.lit(REWARD),
        error=pl.lit(None),
        advantage=pl.lit(None),
    )
    return rows.select(pl.col(name).cast(kind) for name, kind in columns.items())


def _by_answer(of_tokens: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """Return the sum of a figure over each answer's tokens.

    Args:
        of_tokens: The figure, of all tokens (of the padding it is 0) or of those that ``mask`` says are the answers'.
        mask: Which tokens are the answers': a row for each answer.
    """
    if of_tokens.numel() == mask.numel():
        return (of_tokens.view(mask.shape) * mask).sum(1)
    full = of_tokens.new_zeros(mask.shape)
    full[mask] = of_tokens
    return full.sum(1)


@contextlib.contextmanager
def _divergences() -> Generator[list[tuple["torch.Tensor", "torch.Tensor"]]]:
    """Yield a list that gets the divergence and the entropy of each token, each time that TRL computes them."""
    from trl.trainer import distillation_trainer

    computed, seen = getattr(distillation_trainer, FUNCTION), []

    class Seen:
        """Computes what TRL's function does, and keeps it."""

        @staticmethod
        def apply(*arguments: Any) -> Any:
            """Return TRL's divergence and entropy."""
            result = computed.apply(*arguments)
            seen.append(tuple(one.detach().float() for one in result))
            return result

    setattr(distillation_trainer, FUNCTION, Seen)
    try:
        yield seen
    finally:
        setattr(distillation_trainer, FUNCTION, computed)
