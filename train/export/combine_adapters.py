"""One LoRA adapter of the summed rank in place of a chain of adapters that were trained on top of each other."""

import json
import math
from pathlib import Path
from typing import Any

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# Options of an adapter whose sum is no plain adapter: with any of these the chain is not combined.
OTHER_KINDS = (
    "use_dora",
    "modules_to_save",
    "trainable_token_indices",
    "rank_pattern",
    "alpha_pattern",
    "layers_to_transform",
    "target_parameters",
    "layer_replication",
    "lora_bias",
)


def not_combined(adapters: tuple[str, ...]) -> str | None:
    """Return why a chain of adapters cannot be one plain adapter; None where it can."""
    for adapter in adapters:
        config = _config(adapter)
        if config.get("peft_type") != "LORA":
            return f"{adapter} is of the kind {config.get('peft_type')}"
        if config.get("bias", "none") != "none" or not (Path(adapter) / WEIGHTS).exists():
            return f"{adapter} holds more than matrices"
        found = [name for name in OTHER_KINDS if config.get(name)]
        if found:
            return f"{adapter} has {found[0]}"
    return None


def combine(adapters: tuple[str, ...], folder: Path) -> int:
    """Write one adapter whose change of the weights is the sum of those of a chain.

    Each adapter changes ``W`` by ``s B A``. The combined one has ``A = [A1; A2; ...]``, ``B = [s1 B1, s2 B2, ...]`` and
    the scale 1 (PEFT's ``add_weighted_adapter`` with ``cat``), in float32; a module that an adapter does not have gets
    zeros there, so that all have one rank.

    Args:
        adapters: The folders of plain adapters (``not_combined``), first to last.
        folder: The folder to write into.

    Returns:
        The rank.
    """
    import torch
    from safetensors.torch import load_file, save_file

    configs = [_config(adapter) for adapter in adapters]
    weights = [load_file(Path(adapter) / WEIGHTS) for adapter in adapters]
    ranks = [config["r"] for config in configs]
    modules = {_module(name): None for held in weights for name in held if ".lora_" in name}  # in order
    combined: dict[str, Any] = {}
    for module in modules:
        shapes = next(_pair(held, module) for held in weights if _pair(held, module) is not None)
        assert shapes is not None
        (name_a, wide), (name_b, high) = shapes
        parts_a, parts_b = [], []
        for held, config, rank in zip(weights, configs, ranks, strict=True):
            pair = _pair(held, module)
            if pair is None:
                parts_a.append(torch.zeros(rank, *wide.shape[1:]))
                parts_b.append(torch.zeros(high.shape[0], rank, *high.shape[2:]))
                continue
            scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
            parts_a.append(pair[0][1].float())
            parts_b.append(pair[1][1].float() * scale)
        combined[name_a], combined[name_b] = torch.cat(parts_a, dim=0), torch.cat(parts_b, dim=1)
    whole = {name: value.contiguous() for name, value in combined.items()}
    save_file(whole, folder / WEIGHTS, {"format": "pt"})
    targets = sorted({module.rsplit(".", 1)[-1] for module in modules})
    config = configs[-1] | {"r": sum(ranks), "lora_alpha": sum(ranks), "use_rslora": False, "target_modules": targets}
    config |= {"init_lora_weights": True, "exclude_modules": None}
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    return sum(ranks)


def _config(adapter: str) -> dict[str, Any]:
    return json.loads((Path(adapter) / CONFIG).read_text(encoding="utf-8"))


def _module(name: str) -> str:
    """Return the module of a stored matrix: ``...q_proj`` of ``...q_proj.lora_A.weight``."""
    return name.partition(".lora_")[0]


def _pair(held: dict[str, Any], module: str) -> tuple[tuple[str, Any], tuple[str, Any]] | None:
    """Return the names and values of a module's two matrices, A and B; None where an adapter does not have it."""
    for first, second in ((".lora_A.weight", ".lora_B.weight"), (".lora_embedding_A", ".lora_embedding_B")):
        if module + first in held:
            return (module + first, held[module + first]), (module + second, held[module + second])
    return None
