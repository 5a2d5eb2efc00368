"""The embedding model: texts in, unit vectors out (sentence-transformers)."""

import numpy as np

from curate.clients.weights import weights_folder
from curate.models import ModelRef
from schemas.errors import UserError, needs_extra


class Embedder:
    """A loaded sentence-transformers model."""

    def __init__(self, ref: ModelRef) -> None:
        """Load it; raises ``UserError`` if it cannot be had."""
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging
        except ImportError:
            raise needs_extra(f"embedding with {ref.name!r}", "local") from None
        logging.disable_progress_bar()
        try:
            self.model = SentenceTransformer(weights_folder(ref))
        except (OSError, ValueError) as error:
            raise UserError(f"model {ref.name!r}: cannot load it: {str(error).strip().splitlines()[0]}") from error

    def encode(self, texts: list[str]) -> np.ndarray:
        """Embed texts: float32 of shape ``[len(texts), d]``, rows of length 1. Long texts count by their head."""
        return self.model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
