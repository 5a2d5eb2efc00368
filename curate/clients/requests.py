"""What is asked of a model and what it answers, and the key under which an answer is kept."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from schemas.ids import fingerprint


@dataclass(frozen=True)
class Sampling:
    """Sampling settings. ``temperature`` 0 is greedy; ``top_p`` 1 and ``top_k`` 0 are off; lengths are in tokens."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """One completion wanted: the messages (JSON text), tools (JSON text or None), how, and which of the K samples."""

    key: str
    messages: str
    tools: str | None
    sampling: Sampling
    sample_index: int

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The messages, parsed."""
        return json.loads(self.messages)


@dataclass(frozen=True)
class Reply:
    """One completion: its text, the reasoning trace apart from it, why it ended (stop, length), and token counts.

    ``error`` is set, and the text None, where the request failed for good.
    """

    key: str
    text: str | None = None
    reasoning_content: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str | None = None

    def record(self) -> dict[str, Any]:
        """The reply as a JSON-able mapping, without what is unset."""
        return {k: v for k, v in asdict(self).items() if v is not None}


def request(identity: str, messages: str, tools: str | None, sampling: Sampling, sample_index: int) -> Request:
    """Make a request. Its key is a hash of the model's identity, messages, tools, sampling and sample index only.

    A greedy request has one answer, so neither the seed nor unused sampling settings are part of its key.
    """
    how = vars(sampling)
    if sampling.temperature == 0:
        how = {"temperature": 0, "max_tokens": sampling.max_tokens}
    key = fingerprint([identity, messages, tools, how, sample_index])
    return Request(key, messages, tools, sampling, sample_index)
