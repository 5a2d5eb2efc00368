"""The embedding model: texts in, unit vectors out (sentence-transformers)."""

import numpy as np

from curate.models.clients.weights import weights_folder
from curate.models.model_ref import ModelRef
from schemas.errors import UserError, needs_extra


class Embedder:
    """A loaded sentence-transformers model.

    ``longest`` is how many tokens of a text it takes, ``cut`` how many of the texts embedded so far had more.
    """

    def __init__(self, ref: ModelRef) -> None:
        """Load it; raises ``UserError`` if it cannot be had."""
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging
        except ImportError:
            raise needs_extra(f"embedding with {ref.name!r}", "local") from None
        settings = dict(ref.settings)
        backend = settings.get("backend", "torch")
        logging.disable_progress_bar()
        try:
            self.model = SentenceTransformer(
                weights_folder(ref), backend=backend, trust_remote_code=settings.get("trust_remote_code", False)
            )
        except Exception as error:  # a backend that is not there is said by a bare Exception
            said = str(error).strip().splitlines()[0]
            if backend != "torch" and "requires installing" in said:
                said = f"the backend {backend!r} is not installed: {said}"
            elif not isinstance(error, (OSError, ValueError)):
                raise
            raise UserError(f"model {ref.name!r}: cannot load it: {said}") from error
        self.longest = self.model.max_seq_length or 0
        self.cut = 0

    def encode(self, texts: list[str]) -> np.ndarray:
        """Embed texts: float32 of shape ``[len(texts), d]``, rows of length 1. Long texts count by their head."""
        self.cut += self._long(texts)
        return self.model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)

    def _long(self, texts: list[str]) -> int:
        """How many texts have more tokens than the model takes; a token has at least one character."""
        tokenizer = self.model.tokenizer
        maybe = [text for text in texts if len(text) + 2 > self.longest > 0]
        if not maybe or not callable(tokenizer):
            return 0
        # A text of a megabyte needs no whole look: its head alone is too long, whatever the words.
        heads = [" ".join(text[: 100 * self.longest].split(None, self.longest + 1)) for text in maybe]
        found = tokenizer(heads, truncation=False, verbose=False)["input_ids"]
        return sum(len(tokens) > self.longest for tokens in found)
