"""What every single row did in a training: its loss, its tokens, its entropy, its margin.

TRL computes per-token log-probabilities for the loss and keeps only their mean. ``RowSignal`` reads them from the
model's output on the way, at no extra pass, and joins them to row ids by an integer column ``row_index``.
"""

from typing import Any

import polars as pl
import torch

from schemas.rows import ROW_LOSSES
from train.job import no_rows


class WithRows:
    """A collator that does what ``base`` does and hands on the rows' ``row_index`` as a tensor."""

    def __init__(self, base: Any) -> None:
        """Wrap one of TRL's collators, which ignores columns that it does not know."""
        self.base = base

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Collate examples into a batch."""
        batch = self.base(examples)
        batch["row_index"] = torch.tensor([example["row_index"] for example in examples])
        return batch


class RowSignal:
    """Mixed into a TRL trainer: ``class RowSFT(RowSignal, SFTTrainer)``. Call ``watch`` once it is built.

    Relies on these of TRL's internals, which ``tests/train/test_trl_contract.py`` checks: ``compute_loss`` calls the
    model with ``fused_lm_head=True`` and gets ``log_probs``, ``entropy`` and ``label_mask``, zero where masked; DPO
    calls the policy first and then the reference, which with an adapter is the same module again; a batch of pairs
    holds all chosen answers and then all rejected ones.
    """

    def watch(self, row_ids: list[str], *, apart: bool = True) -> None:
        """Start recording. ``row_ids[i]`` is the id of the row whose ``row_index`` is ``i``.

        Where rows are not ``apart`` (packed several to a sequence), there is nothing to record.
        """
        self.row_ids = row_ids
        self.signals: list[pl.DataFrame] = []
        self.data_collator = WithRows(self.data_collator) if apart else self.data_collator

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if "row_index" not in self._signature_columns:
            self._signature_columns.append("row_index")

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **others: Any) -> Any:
        """TRL's loss; the outputs it was made of are read on the way."""
        rows = inputs.pop("row_index", None)
        if rows is None:  # a packed batch: its rows can no longer be told apart
            return super().compute_loss(model, inputs, *args, **others)
        outputs: list[Any] = []
        models = [self.model] + ([self.ref_model] if getattr(self, "ref_model", None) is not None else [])
        handles = [m.register_forward_hook(lambda module, given, output: outputs.append(output)) for m in models]
        try:
            loss = super().compute_loss(model, inputs, *args, **others)
        finally:
            for handle in handles:
                handle.remove()
        with torch.no_grad():
            self._record(rows.tolist(), self.signal(outputs, inputs))
        return loss

    def signal(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Read loss, tokens, entropy and margin (a list each, one value a row) from a batch's outputs."""
        raise NotImplementedError

    def _record(self, rows: list[int], values: dict[str, list]) -> None:
        training = self.model.training
        step, phase = self.state.global_step + training, "train" if training else "eval"
        ids = [self.row_ids[row] for row in rows]
        columns = {"step": step, "epoch": self.state.epoch, "row_id": ids, "phase": phase}
        self.signals.append(pl.DataFrame(columns | values, schema=no_rows(ROW_LOSSES).schema))

    def recorded(self) -> pl.DataFrame:
        """All that was recorded, in order: ``schemas.rows.ROW_LOSSES`` without the training's id."""
        return pl.concat([no_rows(ROW_LOSSES), *self.signals])

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from what an interrupted training recorded."""
        self.signals = [rows]


class LanguageSignal(RowSignal):
    """SFT: a row's loss is the mean negative log-likelihood of its trained tokens, in nats."""

    def signal(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Read a batch's only output."""
        tokens = outputs[0].label_mask.sum(1)
        share = tokens.clamp(min=1)
        return {
            "loss": (-outputs[0].log_probs.float().sum(1) / share).tolist(),
            "tokens": tokens.tolist(),
            "entropy": (outputs[0].entropy.float().sum(1) / share).tolist(),
            "margin": [None] * len(tokens),
        }


class PreferenceSignal(RowSignal):
    """DPO: a row's margin is beta x (its gain in log-probability over the reference, chosen minus rejected).

    Its loss is ``-log sigmoid(margin)``, which is what TRL averages as long as the options are those of plain DPO;
    under any other loss it is null. Tokens and entropy are those of both answers together.
    """

    def signal(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Read the policy's output, and the reference's (or its log-probabilities computed beforehand)."""
        policy = outputs[0]
        gain = _both(policy.log_probs.float().sum(1), torch.sub)
        if "ref_chosen_logps" in inputs:
            gain = gain - (inputs["ref_chosen_logps"] - inputs["ref_rejected_logps"])
        else:
            gain = gain - _both(outputs[1].log_probs.float().sum(1), torch.sub)
        margin = self.beta * gain
        tokens = _both(policy.label_mask.sum(1), torch.add)
        plain = (
            self.loss_types == ["sigmoid"]
            and self.f_divergence_type == "reverse_kl"
            and self.ld_alpha is None
            and not self.use_weighting
            and self.loss_weights == [1.0]
        )
        loss = -torch.nn.functional.logsigmoid(margin)
        return {
            "loss": loss.tolist() if plain else [None] * len(loss),
            "tokens": tokens.tolist(),
            "entropy": (_both(policy.entropy.float().sum(1), torch.add) / tokens.clamp(min=1)).tolist(),
            "margin": margin.tolist(),
        }


class RewardSignal(RowSignal):
    """Reward models: a row's margin is the reward of its chosen answer minus that of its rejected one.

    Its loss is ``-log sigmoid(margin)`` (Bradley-Terry), unless an option adds a term that is the batch's
    (``center_rewards_coefficient``): it is null then. Tokens are those of both conversations.
    """

    def signal(self, outputs: list[Any], inputs: dict[str, Any]) -> dict[str, list]:
        """Read a batch's only output."""
        margin = _both(outputs[0].logits.float().squeeze(-1), torch.sub)
        loss = -torch.nn.functional.logsigmoid(margin)
        return {
            "loss": [None] * len(loss) if self.args.center_rewards_coefficient else loss.tolist(),
            "tokens": _both(inputs["attention_mask"].sum(1), torch.add).tolist(),
            "entropy": [None] * len(margin),
            "margin": margin.tolist(),
        }


def _both(values: torch.Tensor, combine: Any) -> torch.Tensor:
    """Combine each pair's value for its chosen answer with that for its rejected one."""
    return combine(*values.chunk(2))
