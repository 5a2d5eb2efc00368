"""Embeddings, made once for each text and model and kept in the store by the hash of the text (``curate.storage.text_cache``)."""

import numpy as np
import polars as pl

from curate.models.model_ref import ModelRef
from curate.storage.store import Store, slug
from curate.storage.text_cache import cached_by_text
from schemas.errors import UserError
from schemas.ids import fingerprint
from schemas.progress import Progress

SHARD = 256  # texts a file: what a kill can lose


def embed(texts: pl.Series, ref: ModelRef, store: Store, progress: Progress) -> pl.Series:
    """Return the unit vector of every text, as a Series of ``Array(Float32, d)``; a null text counts as empty.

    The vectors are mapped from a file, not held in memory. Those of texts seen before, by this model, are read from
    the store; the others are made, shard by shard, and kept as they are made. The model is loaded only if something is
    left to embed; another model (or another backend of it) has a folder of its own. Texts longer than the model takes
    count by their head, and the report says how many there were.
    """
    key = fingerprint(["value", embedding_identity(ref)])[:8]
    folder = store.path / "embeddings" / f"{slug(ref.identity.split('@')[0])}-{key}"
    embedder = None

    def make(part: pl.Series) -> np.ndarray:
        nonlocal embedder
        if embedder is None:
            from curate.models.clients.embedder import Embedder

            embedder = Embedder(ref)
        return embedder.encode(part.to_list()).astype(np.float32)

    vectors = cached_by_text(texts, folder, make, SHARD, progress, f"embed ({ref.name})")
    if embedder is not None and embedder.cut:
        progress.say(
            f"embed ({ref.name}): {embedder.cut:,} texts have more than the {embedder.longest:,} tokens the "
            f"model takes; they count by their head"
        )
    return vectors.rename("embedding")


def check_embedder(ref: ModelRef, where: str) -> None:
    """Raise ``UserError`` for a model of an engine that makes no embeddings."""
    if ref.engine != "transformers":
        raise UserError(
            f"{where}: the engine {ref.engine!r} of the model {ref.name!r} makes no embeddings; expected a "
            f"sentence-transformers model of the engine 'transformers'"
        )


def embedding_identity(ref: ModelRef) -> str:
    """What vectors depend on: the model, and the backend that computes it."""
    backend = dict(ref.settings).get("backend", "torch")
    return ref.identity if backend == "torch" else f"{ref.identity}+{backend}"
