"""A model's parameters, and the bytes that a step keeps of it for the backward pass, found without any weights.

The model is built of fake tensors (``torch._subclasses.FakeTensorMode``), which have a shape and no content: a forward
pass over them calls the same operations, so that torch's hook for saved tensors sees what a real pass would keep.
"""

import contextlib
import copy
import itertools
import logging
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

FEW = (2, 4)  # layers of the two passes over a part of a deep model
LOGGER = "torch._subclasses.fake_tensor"  # prints a traceback of each operation that it can't do


class Batch(NamedTuple):
    """The shape of the largest batch of one forward pass.

    Attributes:
        sequences: The number of sequences.
        tokens: The tokens of each, the padding counted.
    """

    sequences: int
    tokens: int


class Shapes(NamedTuple):
    """A model's sizes.

    Attributes:
        parameters: The number of its parameters, an adapter's included.
        trainable: How many of them are trained.
        modules: The number of modules that have an adapter.
        saved: The bytes that a forward pass of the network below the head keeps; None where it can't be found.
    """

    parameters: int
    trainable: int
    modules: int
    saved: int | None


def shapes_of(
    build: Callable[[], Any], adapter: Any, batch: Batch | None, *, half: bool, checkpointing: bool
) -> Shapes:
    """Return the sizes of a model as it would be trained.

    Args:
        build: Makes the model, with weights drawn at random (which are not drawn here).
        adapter: PEFT's config of an adapter, or None where all weights are trained.
        batch: The largest batch; None for no forward pass.
        half: Whether the pass computes in bfloat16 (autocast).
        checkpointing: Whether only the inputs of the layers are kept (gradient checkpointing).
    """
    model = _without_content(build, adapter)
    weights, saved = [*model.parameters()], None
    modules = 0 if adapter is None else _adapted(model)
    if batch is not None:
        saved = _saved_without_content(model, batch, half=half)
        if saved is None:  # torch has the shapes of a mixture's experts in bfloat16 only (``grouped_mm``)
            import torch

            found = _saved_without_content(_without_content(build, adapter).to(torch.bfloat16), batch, half=False)
            saved = found if found is None or half else 2 * found
    if saved is not None and batch is not None and checkpointing:
        saved = _with_checkpoints(model.config.get_text_config(), batch, saved, half=half)
    return Shapes(
        sum(one.numel() for one in weights), sum(one.numel() for one in weights if one.requires_grad), modules, saved
    )


def _without_content(build: Callable[[], Any], adapter: Any) -> Any:
    """Return a model on the device ``meta``, to train, with its adapter."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        model = build().train()
        if adapter is not None:
            from peft import get_peft_model

            model = get_peft_model(model, copy.deepcopy(adapter))
    return model


def _adapted(model: Any) -> int:
    from peft.tuners.tuners_utils import BaseTunerLayer

    return sum(isinstance(one, BaseTunerLayer) for one in model.modules())


def _saved_without_content(model: Any, batch: Batch, *, half: bool) -> int | None:
    """Return the bytes that a forward pass keeps of a model on the device ``meta``; None where torch can't tell."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    try:
        with _quiet(), torch.random.fork_rng(devices=[]), FakeTensorMode():
            _make_fake(model)
            return _saved_of_all(model, batch, half=half)
    except Exception:  # of any kind: each architecture has code of its own
        return None


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Let torch print nothing about an operation without content that it can't do."""
    logger = logging.getLogger(LOGGER)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _make_fake(model: Any) -> None:
    """Put fake tensors of the CPU in the place of a model's tensors of the device ``meta``, which has other kernels."""
    import torch

    made: dict[int, Any] = {}  # weights that are one stay one
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                fake = made.get(id(weight))
                if fake is None:
                    empty = torch.empty(weight.shape, dtype=weight.dtype, device="cpu")
                    fake = made[id(weight)] = torch.nn.Parameter(empty, requires_grad=weight.requires_grad)
                module._parameters[name] = fake
        for name, held in module._buffers.items():
            if held is not None:
                module._buffers[name] = torch.empty(held.shape, dtype=held.dtype, device="cpu")


def _with_checkpoints(config: Any, batch: Batch, saved: int, *, half: bool) -> int:
    """Return the bytes kept under gradient checkpointing: each layer's input, and all that one layer keeps."""
    layers = config.num_hidden_layers
    inputs = layers * batch.sequences * batch.tokens * config.hidden_size * (2 if half else 4)
    return min(saved, inputs + saved // layers)


def _saved_of_all(model: Any, batch: Batch, *, half: bool) -> int:
    """Return the bytes that a forward pass keeps; of a deep model from passes over its first layers, which are alike.

    The number of layers is even in both passes, as kinds of layers often take turns.
    """
    import torch

    base = (model.get_base_model() if hasattr(model, "peft_config") else model).base_model
    depth = base.config.get_text_config().num_hidden_layers
    stacks = [(owner, name) for owner in base.modules() for name, one in owner.named_children() if _is(one, depth)]
    if depth <= FEW[-1] or len(stacks) != 1:
        return _saved_bytes(model, batch, half=half)
    owner, name = stacks[0]
    layers, kept = getattr(owner, name), []
    for count in FEW:
        setattr(owner, name, torch.nn.ModuleList([*layers][:count]))
        kept.append(_saved_bytes(model, batch, half=half))
    each = (kept[1] - kept[0]) / (FEW[1] - FEW[0])
    return round(kept[1] + (depth - FEW[1]) * each)


def _is(module: Any, depth: int) -> bool:
    """Return whether a module is the list of a model's layers."""
    import torch

    return isinstance(module, torch.nn.ModuleList) and len(module) == depth


def _saved_bytes(model: Any, batch: Batch, *, half: bool) -> int:
    """Return the bytes of the tensors, but for the weights, that a forward pass keeps for the backward pass.

    With a mask for padding, as batches of rows of several lengths have it.
    """
    import torch

    base = model.get_base_model() if hasattr(model, "peft_config") else model
    own = {one.untyped_storage()._cdata for one in itertools.chain(model.parameters(), model.buffers())}
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # held, so that no later one gets its address
        return tensor

    ids = torch.zeros(batch.sequences, batch.tokens, dtype=torch.long)
    mask = torch.ones(batch.sequences, 1, batch.tokens, batch.tokens, dtype=torch.bool)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=half),
    ):
        output = base.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
    total = sum(one.nbytes() for one in kept.values())
    del output
    return total
