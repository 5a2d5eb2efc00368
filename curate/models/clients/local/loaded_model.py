"""A model that an engine holds in this process: its weights and its tokenizer, and how they are freed."""

from typing import Any

import torch


class LoadedModel:
    """Holds a model of ``transformers`` and its tokenizer.

    Attributes:
        model: The model; its class depends on the weights, so that no narrower type is known.
        tokenizer: Its tokenizer.
    """

    model: Any
    tokenizer: Any

    def close(self) -> None:
        """Free the model's memory."""
        self.model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
