"""Embeds texts, once for each text and model; vectors are kept in the store by the text's hash (``text_cache``)."""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from curate.models.engine import TextEmbedder, engine_of, engines_that
from curate.models.held_model import TextsTask, embed_texts
from curate.models.model_ref import ModelRef
from curate.spread.spread import Runner, model_runner, spread
from curate.storage.store import Store
from curate.storage.text_cache import cached_by_text
from schemas.errors import UserError
from schemas.ids import fingerprint
from schemas.progress import Progress

SHARD = 256  # texts a file: what a kill can lose


def embed(texts: pl.Series, ref: ModelRef, store: Store, progress: Progress) -> pl.Series:
    """Return the unit vector of every text, as a Series of ``Array(Float32, d)``; a null text counts as empty.

    The vectors are mapped from a file, not held in memory. Vectors of texts that this model has embedded before are
    read from the store; the others are made and kept, shard by shard. The model is loaded only if something is left to
    embed; another model (or another backend of it) has a folder of its own. Of a text longer than the model's limit
    only the head is embedded, and ``progress`` shows how many texts that were.
    """
    key = fingerprint(["value", embedding_identity(ref)])[:8]
    folder = store.cache_folder("embeddings", ref.identity.split("@")[0], key)
    embedder: TextEmbedder | None = None

    def encode(part: pl.Series) -> np.ndarray:
        nonlocal embedder
        if embedder is None:
            progress.advance(0, f"loading {ref.name}")
            embedder = _load(ref)
        return embedder.encode(part.to_list()).astype(np.float32)

    workers = model_runner()
    elsewhere = _Elsewhere(ref, workers) if workers else None
    each = elsewhere.each if elsewhere else map
    vectors = cached_by_text(texts, folder, encode, SHARD, progress, f"embed ({ref.name})", each)
    held = elsewhere or embedder
    if held is not None and held.cut:
        progress.say(
            f"embed ({ref.name}): {held.cut:,} texts are longer than the model's limit of {held.longest:,} "
            f"tokens; only their beginning is embedded"
        )
    return vectors.rename("embedding")


class _Elsewhere:
    """Embeds texts by the workers of a runner, each of which loads the model; counts as ``TextEmbedder`` does."""

    def __init__(self, ref: ModelRef, workers: Runner) -> None:
        self.ref, self.workers, self.cut, self.longest = ref, workers, 0, 0

    def each(self, _: object, parts: Iterable[pl.Series]) -> Iterator[np.ndarray]:
        """Yield the vectors of each part."""
        tasks = (TextsTask(self.ref, part.to_list()) for part in parts)
        for made in spread(embed_texts, tasks, runner=self.workers):
            self.cut, self.longest = self.cut + made.cut, made.longest
            yield made.array


def makes_embeddings(ref: ModelRef) -> bool:
    """Return whether the model's engine makes embeddings."""
    return engine_of(ref).embedder is not None


def embedding_engines() -> str:
    """Return the quoted names of the engines that make embeddings, for a message."""
    return engines_that(lambda spec: spec.embedder is not None)


def check_embedder(ref: ModelRef, where: str) -> None:
    """Raise ``UserError`` for a model whose engine makes no embeddings."""
    if not makes_embeddings(ref):
        raise UserError(
            f"{where}: the engine {ref.engine!r} of the model {ref.name!r} makes no embeddings; expected a "
            f"sentence-transformers model of the engine {embedding_engines()}"
        )


def embedding_identity(ref: ModelRef) -> str:
    """Return what a text's vector depends on beside the text: the model, and the backend that computes it."""
    backend = ref.setting("backend", "torch")
    return ref.identity if backend == "torch" else f"{ref.identity}+{backend}"


def _load(ref: ModelRef) -> TextEmbedder:
    """Load the embedding model."""
    load = engine_of(ref).embedder
    if load is None:
        raise UserError(f"the engine {ref.engine!r} of the model {ref.name!r} makes no embeddings")
    return load(ref)
