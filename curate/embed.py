"""Embeddings, made once for each text and model and kept in the store by the hash of the text."""

import hashlib
from pathlib import Path

import numpy as np
import polars as pl

from curate.models import ModelRef
from curate.report import Report
from curate.store import Store, slug
from schemas.ids import fingerprint

SHARD = 2048  # texts a file: what a kill can lose


def embed(texts: pl.Series, ref: ModelRef, store: Store, report: Report) -> pl.Series:
    """Return the unit vector of every text, as a Series of ``Array(Float32, d)``; a null text counts as empty.

    Embeddings of texts seen before, by this model, are read from the store; the others are made, shard by shard, and
    written as they are made. The model is loaded only if something is left to embed.
    """
    hashes = [hashlib.sha256((t or "").encode("utf-8", "surrogatepass")).hexdigest()[:32] for t in texts]
    folder = store.path / "embeddings" / f"{slug(ref.identity.split('@')[0])}-{fingerprint(ref.identity)[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    known = _read(folder)
    missing = {h: t or "" for h, t in zip(hashes, texts, strict=True) if h not in known}
    report.begin(f"embed ({ref.name})", len(missing), "texts")
    if missing:
        from curate.clients.embedder import Embedder

        embedder = Embedder(ref)
        ordered = sorted(missing, key=lambda h: (len(missing[h]), h))
        for start in range(0, len(ordered), SHARD):
            part = ordered[start : start + SHARD]
            vectors = embedder.encode([missing[h] for h in part]).astype(np.float32)
            _write(folder, part, vectors)
            known.update(zip(part, vectors, strict=True))
            report.advance(len(part))
    width = len(next(iter(known.values()))) if known else 0
    matrix = np.array([known[h] for h in hashes], dtype=np.float32).reshape(len(hashes), width)
    return pl.Series("embedding", matrix, dtype=pl.Array(pl.Float32, width))


def _read(folder: Path) -> dict[str, np.ndarray]:
    known: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.parquet")):
        shard = pl.read_parquet(file)
        known.update(zip(shard["text_hash"], shard["embedding"].to_numpy(), strict=True))
    return known


def _write(folder: Path, hashes: list[str], vectors: np.ndarray) -> None:
    shard = pl.DataFrame(
        {"text_hash": hashes, "embedding": pl.Series(vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))}
    )
    name = f"{fingerprint(hashes)[:16]}.parquet"
    shard.write_parquet(folder / f".{name}", compression="zstd")
    (folder / f".{name}").rename(folder / name)
