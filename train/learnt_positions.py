"""Lets TRL's output head score the learnt positions only, on a CPU as it does on a GPU.

A model's head gives a probability to each of (often 50,000 to 150,000) tokens of the vocabulary. TRL needs them where a
token is learnt; on a GPU its head scores just these positions (``trl.trainer.utils.add_fused_lm_head``), on a CPU all,
prompts and padding too. Of rows with a chat template and a prompt most positions are such.

A row of a matrix product is the same to the last bit whatever other rows are there, but not for a handful of rows, nor
where a product is divided among many threads along its inner dimension. So a batch with few learnt positions goes TRL's
way, and a training whose head, tried once with and without other rows, does not give the same bits goes it altogether:
its losses are those of a plain TRL script.
"""

import contextlib
from collections.abc import Generator
from typing import Any

import torch

FEWEST = 32  # learnt positions of a batch; with fewer, matrix products take other ways for a few rows
ROWS = 4 * FEWEST  # among which as many are tried
SWITCH = "_use_triton"


@contextlib.contextmanager
def head_on_learnt_positions(trainer: Any) -> Generator[bool]:
    """Let a trainer's models score the learnt positions only, while the context lasts, if that changes no bit.

    It relies on these internals of TRL, which ``tests/train/test_trl_contract.py`` checks: the fused head asks
    ``_use_triton``, by its name in ``trl.trainer.utils``, whether to leave out the positions of no label, and a trainer
    calls its model with ``labels`` and ``fused_lm_head``.

    Args:
        trainer: A TRL trainer.

    Yields:
        Whether they do. Not where the weights of the head are trained, whose gradient is a sum over all positions, nor
        where a later TRL has other internals.
    """
    from trl.trainer import utils

    models = [one for one in (trainer.model, getattr(trainer, "ref_model", None)) if one is not None]
    everywhere, learnt = getattr(utils, SWITCH, None), [0]
    with trainer.accelerator.autocast():
        same = all(_is_same_for_any_rows(model) for model in models)
    if everywhere is None or not same:
        yield False
        return

    def count(module: torch.nn.Module, given: tuple, named: dict[str, Any]) -> None:
        labels = named.get("labels") if named.get("fused_lm_head") else None
        learnt[0] = 0 if labels is None else int((labels[:, 1:] != -100).sum())

    hooks = [model.register_forward_pre_hook(count, with_kwargs=True) for model in models]
    setattr(utils, SWITCH, lambda device: everywhere(device) or (device.type == "cpu" and learnt[0] >= FEWEST))
    try:
        yield True
    finally:
        setattr(utils, SWITCH, everywhere)
        for hook in hooks:
            hook.remove()


def _is_same_for_any_rows(model: Any) -> bool:
    """Return whether a model's head gives some rows the same bits, forward and back, with and without other rows."""
    head = getattr(model, "get_output_embeddings", lambda: None)()
    weight, bias = getattr(head, "weight", None), getattr(head, "bias", None)
    if weight is None or weight.dim() != 2 or weight.device.type != "cpu" or not weight.is_floating_point():
        return False  # no head of a language model, or one that is quantised
    if weight.requires_grad or (bias is not None and bias.requires_grad):
        return False
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(ROWS, weight.shape[1], generator=draw).to(weight.dtype)
    targets = torch.randint(weight.shape[0], (ROWS,), generator=draw)
    some = torch.randperm(ROWS, generator=draw)[:FEWEST].sort().values
    share = torch.zeros(ROWS).index_fill(0, some, -1 / FEWEST)
    try:
        whole = _scored(hidden, weight, bias, targets, share)
        part = _scored(hidden[some], weight, bias, targets[some], share[some])
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError):  # not as TRL 1.16 has it
        return False
    return all(torch.equal(one[some], other) for one, other in zip(whole, part, strict=True))


def _scored(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor, share: torch.Tensor
) -> list[torch.Tensor]:
    """Return the log-probability and entropy at each position, and the gradient of the former's weighted sum.

    Args:
        hidden: The positions' hidden states, ``[N, H]``.
        weight: The head's weights, ``[V, H]``.
        bias: Its bias, ``[V]``, or None.
        targets: The token at each position.
        share: The weight of each position in the sum.
    """
    from trl.trainer.utils import _CHUNKED_LOGPROB_CHUNK_SIZE, _ChunkedLogProbFunction

    given = hidden.clone().requires_grad_()
    scores, entropy, *_ = _ChunkedLogProbFunction.apply(
        given, weight, bias, targets, 1.0, _CHUNKED_LOGPROB_CHUNK_SIZE, None, 1.0, ("log_probs", "entropy")
    )
    scores.backward(share)
    return [scores.detach(), entropy.detach(), *([] if given.grad is None else [given.grad])]
