"""Linear layers whose weights lie as oneDNN's matrix products read them, for decoding on a CPU in float32.

A decoding step multiplies a few rows by every weight of the model. By default the weights are laid out anew for each
product, which is a quarter of its time at 24 rows; here it is done once. oneDNN is part of PyTorch; ``torch.compile``
lays out frozen weights by the same operators.
"""

import platform
from typing import Any

import torch
from torch import nn

from curate.models.clients.local.growing_cache import cache_name, growing_cache

PROBE = 7  # tokens
LARGEST = 1 << 30  # weights (4 GB): while they are laid out, they lie in memory twice
ROWS = 64  # the rows of a product that the layout is chosen for; it serves any number


def pack(model: Any) -> bool:
    """Lay out the weights of a model's linear layers, in the place of the plain ones, if it then computes the same.

    Afterwards the model can only be run: its linear layers hold no weights that could be read, saved or trained.

    Args:
        model: A causal language model of transformers.

    Returns:
        Whether it was done: on an x86 CPU, for float32, up to ``LARGEST``, unless the model's code reads the weights
        of the layers itself.
    """
    layers = [layer for layer in model.modules() if type(layer) is nn.Linear and _can(layer)]
    few = sum(layer.weight.numel() for layer in layers) <= LARGEST
    if (
        not layers
        or not few
        or platform.machine() not in ("x86_64", "AMD64")
        or not torch.backends.mkldnn.is_available()
    ):
        return False
    plain = [layer.weight for layer in layers]
    before = _probe(model)
    try:
        for layer in layers:
            _pack(layer)
        after = _probe(model)
    except Exception:  # whatever the code of a model from outside makes of weights without elements
        after = None
    if after is None or after.shape != before.shape or not torch.allclose(before, after, rtol=1e-3, atol=1e-3):
        for layer, weight in zip(layers, plain, strict=True):
            layer.weight = weight
            layer.__dict__.pop("forward", None)
        return False
    for rest in model.parameters():  # embeddings and norms: as long as one lies in a mapped file, the whole file does
        rest.data = rest.data.clone()
    return True


def _can(layer: nn.Linear) -> bool:
    """Return whether a layer's weights can be laid out: plain ones in memory, and no code of others in its way."""
    weight = layer.weight
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and type(weight) is nn.Parameter
        and weight.numel() > 0
        and "forward" not in layer.__dict__
        and not layer._forward_hooks
        and not layer._forward_pre_hooks
    )


@torch.inference_mode()
def _pack(layer: nn.Linear) -> None:
    """Give a layer a ``forward`` with packed weights, and drop the plain ones (embeddings tied to them keep theirs)."""
    packed, bias = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), ROWS), layer.bias
    product = torch.ops.mkldnn._linear_pointwise

    def forward(input: torch.Tensor) -> torch.Tensor:
        return product(input.contiguous(), packed, bias, "none", [], "")

    layer.weight = nn.Parameter(torch.empty(0), requires_grad=False)
    layer.forward = forward


@torch.inference_mode()
def _probe(model: Any) -> torch.Tensor:
    """Return the logits of a short text and of a token after it."""
    ids, cache = torch.arange(PROBE)[None], {cache_name(model): growing_cache(model.config)}
    logits = [model(input_ids=part, use_cache=True, **cache).logits for part in (ids, ids[:, :1])]
    return torch.cat(logits, dim=1)
