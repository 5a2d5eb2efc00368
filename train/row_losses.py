"""Records each row's loss, tokens, entropy and margin at every step, as the table ``row_losses`` keeps them.

TRL computes per-token log-probabilities for the loss and keeps only their mean. ``RowLosses`` reads them from the
model's output, at no extra forward pass, and joins them to row ids by an integer column ``row_index``. Importing this
module does not import torch.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl

from schemas.rows import ROW_LOSSES
from train.launch.ranks import gathered, processes, without_fillers
from train.tables import empty_table

if TYPE_CHECKING:
    import torch

    class TRLTrainer:
        """The parts of a TRL trainer that the row losses of all trainers use; its own type has not all of them."""

        args: Any
        model: Any
        data_collator: Any
        train_dataset: Any
        eval_dataset: Any
        state: Any
        _signature_columns: list[str]
        accelerator: Any

        def _set_signature_columns_if_needed(self) -> None: ...

        def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **others: Any) -> Any:
            """Return the loss of a batch."""

        def _precompute_ref_logps(self, *args: Any) -> Any: ...
else:
    TRLTrainer = object


class RowIndexCollator:
    """Collates examples as one of TRL's collators does, and adds their ``row_index`` to the batch as a tensor.

    Packed examples, such as those to evaluate on with ``eval_packing``, have none.
    """

    def __init__(self, collator: Any) -> None:
        self.collator = collator  # TRL's collators ignore columns that they do not know

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Collate examples into a batch."""
        import torch

        batch = self.collator(examples)
        if "row_index" in examples[0]:
            batch["row_index"] = torch.tensor([example["row_index"] for example in examples])
        return batch


class RowLosses(TRLTrainer):
    """A mixin that makes a TRL trainer record row losses: ``class Recorded(SFTRowLosses, SFTTrainer)``.

    A trainer's own subclass defines ``row_losses``. Call ``start_recording`` once the trainer is built.

    It relies on these internals of TRL, which ``tests/train/test_trl_contract.py`` checks: ``compute_loss`` calls the
    model with ``fused_lm_head=True`` and gets ``log_probs``, ``entropy`` and ``label_mask``, zero where masked; DPO
    calls the policy first and then the reference, which with an adapter is the same module again; a batch of pairs
    holds all chosen answers and then all rejected ones.
    """

    kept_columns: tuple[str, ...] = ("row_index",)  # further columns that TRL is to keep for the batches

    def row_losses(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Return the loss, tokens, entropy and margin of a batch's rows.

        Args:
            outputs: The outputs of the model calls that the loss was computed from, in order.
            inputs: The batch.

        Returns:
            A list with one value a row under each of 'loss', 'tokens', 'entropy' and 'margin'; a value may be None.
        """
        raise NotImplementedError

    def tells_rows_apart(self) -> bool:
        """Return whether a batch's rows can be told apart; not if several are packed into one sequence."""
        return True

    def start_recording(self, row_ids: list[str]) -> None:
        """Start recording; ``row_ids[i]`` is the id of the row whose ``row_index`` is ``i``."""
        self.row_ids = row_ids
        self.recorded_batches: list[pl.DataFrame] = []
        if self.tells_rows_apart():
            self.data_collator = RowIndexCollator(self.data_collator)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns += [name for name in self.kept_columns if name not in self._signature_columns]

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **others: Any) -> Any:
        """Return TRL's loss, and record the rows' losses from the model outputs that it was computed from."""
        import torch

        row_indices = inputs.pop("row_index", None)
        if row_indices is None:  # a packed batch
            return super().compute_loss(model, inputs, *args, **others)
        outputs: list[Any] = []
        models = [one for one in (self.model, getattr(self, "ref_model", None)) if one is not None]
        handles = [m.register_forward_hook(lambda module, given, output: outputs.append(output)) for m in models]
        try:
            loss = super().compute_loss(model, inputs, *args, **others)
        finally:
            for handle in handles:
                handle.remove()
        with torch.no_grad():
            self._record(row_indices.tolist(), self.row_losses(outputs, inputs))
        return loss

    def _record(self, row_indices: list[int], values: dict[str, list]) -> None:
        training = self.model.training
        step, phase = self.state.global_step + training, "train" if training else "eval"
        ids = [self.row_ids[index] for index in row_indices]
        columns = {"step": step, "epoch": self.state.epoch, "row_id": ids, "phase": phase}
        self.recorded_batches.append(pl.DataFrame(columns | values, schema=empty_table(ROW_LOSSES).schema))

    def recorded(self) -> pl.DataFrame:
        """Return all rows recorded so far, in order: ``schemas.rows.ROW_LOSSES`` without the training's id.

        A row of several sequences has one loss a step: the mean over its tokens. Of several processes the first one
        has the rows of all, without those that only filled a last batch.
        """
        found = pl.concat([empty_table(ROW_LOSSES), *self.recorded_batches])
        if processes() > 1:
            found = gathered(found)
            self.recorded_batches = [found]
            epoch = pl.when(phase="train").then(pl.col("epoch").floor()).otherwise("step")
            found = without_fillers(found, self._times(), epoch)
        key = ["step", "row_id", "phase"]
        if found.select(key).is_unique().all():
            return found
        tokens = pl.col("tokens")
        over_tokens = {
            name: pl.when(~pl.col(name).has_nulls()).then((pl.col(name) * tokens).sum() / tokens.sum().clip(1))
            for name in ("loss", "entropy")
        }
        others = [pl.col("epoch", "margin").first(), tokens.sum()]
        return found.group_by(key, maintain_order=True).agg(*others, **over_tokens).select(found.columns)

    def _times(self) -> dict[str, int]:
        """Return how many sequences each row has."""
        both = [one for one in (self.train_dataset, self.eval_dataset) if one is not None]
        return Counter(self.row_ids[index] for one in both for index in one["row_index"])

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from the rows that an interrupted training recorded."""
        self.recorded_batches = [rows]


def combine_pairs(
    values: "torch.Tensor", combine: "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"
) -> "torch.Tensor":
    """Combine each pair's value for its chosen answer with that for its rejected one.

    Args:
        values: The values of all chosen answers, then those of all rejected ones.
        combine: Such as ``torch.sub``.
    """
    return combine(*values.chunk(2))
