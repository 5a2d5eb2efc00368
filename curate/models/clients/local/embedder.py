"""Embeddings of the engine ``transformers``: texts to unit vectors, by sentence-transformers."""

import numpy as np

from curate.models.engine import setting_of
from curate.models.model_ref import ModelRef
from curate.models.weights import weights_folder
from schemas.errors import UserError, needs_extra


class Embedder:
    """A loaded sentence-transformers model.

    ``longest`` is the most tokens of a text that it reads, ``cut`` how many of the texts embedded so far had more.
    """

    def __init__(self, ref: ModelRef) -> None:
        """Load it. Raises ``UserError`` if it can't be loaded."""
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging
        except ImportError:
            raise needs_extra(f"embedding with {ref.name!r}", "local") from None
        backend = setting_of(ref, "backend")
        logging.disable_progress_bar()
        try:
            self.model = SentenceTransformer(
                weights_folder(ref), backend=backend, trust_remote_code=setting_of(ref, "trust_remote_code")
            )
        except Exception as error:  # a missing backend raises a bare Exception
            reason = str(error).strip().splitlines()[0]
            if backend != "torch" and "requires installing" in reason:
                reason = f"the backend {backend!r} is not installed: {reason}"
            elif not isinstance(error, (OSError, ValueError)):
                raise
            raise UserError(f"model {ref.name!r}: cannot load it: {reason}") from error
        self.longest = self.model.max_seq_length or 0
        self.cut = 0

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return the unit vectors of texts, float32 of shape ``[len(texts), d]``; of long texts, of their heads."""
        self.cut += self._count_long(texts)
        return self.model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)

    def _count_long(self, texts: list[str]) -> int:
        """Return how many texts have more tokens than the model takes; a token has at least one character."""
        tokenizer = self.model.tokenizer
        maybe = [text for text in texts if len(text) + 2 > self.longest > 0]
        if not maybe or not callable(tokenizer):
            return 0
        # A text of a megabyte need not be tokenised as a whole: its head alone is too long.
        heads = [" ".join(text[: 100 * self.longest].split(None, self.longest + 1)) for text in maybe]
        found = tokenizer(heads, truncation=False, verbose=False)["input_ids"]
        return sum(len(tokens) > self.longest for tokens in found)
