"""The sampling that a model's own ``generation_config.json`` asks for, where a person asks for none."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from curate.models.streamed import Asked
from schemas.requests import Sampling

TEMPERATURE = 0.7  # of a model that asks for none
MAX_TOKENS = 1024
# Options that change the text of an answer and are not applied here, with the values at which they change nothing.
NOT_APPLIED: Mapping[str, tuple[Any, ...]] = {
    "repetition_penalty": (1, None),
    "min_p": (0, None),
    "typical_p": (1, None),
    "no_repeat_ngram_size": (0, None),
}


class Defaults(NamedTuple):
    """The sampling settings of a model; ``not_applied`` are those that are left out, with their values."""

    temperature: float = TEMPERATURE
    top_p: float = 1.0
    top_k: int = 0
    not_applied: tuple[str, ...] = ()

    def sampling(self, asked: Asked) -> Sampling:
        """Return the sampling for what a person asks for, and the model's own for the rest."""
        return Sampling(
            temperature=self.temperature if asked.temperature is None else asked.temperature,
            top_p=self.top_p if asked.top_p is None else asked.top_p,
            top_k=self.top_k,
            max_tokens=asked.max_tokens or MAX_TOKENS,
            seed=asked.seed,
        )


def defaults_of(config: Mapping[str, Any]) -> Defaults:
    """Return the defaults of a model from the content of its ``generation_config.json``.

    Args:
        config: The content, which may leave out what is transformers' default. A number out of its range is left out.
    """
    own = 1.0 if config.get("do_sample") else TEMPERATURE
    odd = [f"{name} {config[name]!r}" for name, none in NOT_APPLIED.items() if config.get(name) not in none]
    return Defaults(
        _number(config.get("temperature"), own, 0, 100),
        _number(config.get("top_p"), 1.0, 1e-6, 1),
        int(_number(config.get("top_k"), 0, 0, 1 << 20)),
        tuple(odd),
    )


def _number(value: Any, default: float, least: float, most: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and least <= value <= most else default
