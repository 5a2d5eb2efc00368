"""The number of tokens that a model reads, from its ``config.json``, without loading it."""

import json
from typing import Any, NamedTuple

from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from schemas.recipe import Training
from train.options import options

NAMES = ("max_position_embeddings", "n_positions", "max_sequence_length", "n_ctx")
# Models with a learnt vector for each position: there is none for a later one. Others compute what stands for it.
LEARNT = {"biogpt", "ctrl", "gpt2", "gpt_bigcode", "gpt_neo", "imagegpt", "openai-gpt", "opt", "xglm"}


NO_LIMIT = 1 << 30  # tokens
ANSWER = "max_completion_length"  # the option for the most tokens of a sampled answer


class Context(NamedTuple):
    """The number of tokens that a model reads.

    Attributes:
        tokens: The most positions of a sequence; None where the model's files do not say it.
        fixed: Whether a longer sequence can't be read at all; else the model was only not made for it.
    """

    tokens: int | None = None
    fixed: bool = False


def context_of(ref: ModelRef) -> Context:
    """Return how many tokens a model reads, as far as its folder is on this machine and says it."""
    folder = local_folder(ref)
    file = None if folder is None else folder / "config.json"
    if file is None or not file.exists():
        return Context()
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # the model can't be loaded either, which says so
        return Context()
    config = config if isinstance(config, dict) else {}
    inner = config.get("text_config")  # of a model that reads images, too
    found: list[dict[str, Any]] = [config, *([inner] if isinstance(inner, dict) else [])]
    for one in found:
        tokens = next((n for name in NAMES if isinstance(n := one.get(name), int) and n > 0), None)
        if tokens is not None:
            return Context(max(tokens, _scaled(one)), one.get("model_type") in LEARNT)
    return Context()


def prompt_room(training: Training, context: Context) -> int:
    """Return how many tokens of a model's context a prompt of online RL may have."""
    return (context.tokens or NO_LIMIT) - (
        training.settings.get(ANSWER, options.default(training.trainer, ANSWER)) or 0
    )


def _scaled(config: dict[str, Any]) -> int:
    """Return how many tokens rotary positions are scaled to (YaRN and others); 0 where they are not."""
    rope = config.get("rope_parameters") or config.get("rope_scaling")
    numbers = (
        [rope.get(name) for name in ("factor", "original_max_position_embeddings")] if isinstance(rope, dict) else []
    )
    factor, original = numbers if all(isinstance(one, int | float) for one in numbers) and numbers else (0, 0)
    return int(factor * original)
