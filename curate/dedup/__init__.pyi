"""Deduplication, one method a file: ``dedup`` returns, for each row, the kept row that it duplicates."""

# Written by `make stubs`, from the signatures of the steps.

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import polars as pl

from curate.algorithms.near_duplicates.clusters import Cluster, Keep
from curate.api.step_columns import Column, Rows
from curate.dedup.minhash import Unit
from schemas.progress import Progress

def exact(
    text: Column | Rows = ...,
    score: Column = ...,
    *,
    ignore_case: bool = True,
    ignore_whitespace: bool = True,
    ignore_punctuation: bool = False,
    ignore_indents: bool = False,
    nfkc: bool = True,
    keep: Keep = "first",
    on: str = ...,
    by: str = ...,
    against: str | PurePath | Mapping[str, Any] | list[Any] = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Find exact duplicates: texts that are equal after levelling."""

def minhash(
    text: Column | Rows = ...,
    sketch: Column = ...,
    score: Column = ...,
    *,
    threshold: float = 0.8,
    ngram: int = 3,
    unit: Unit = "auto",
    permutations: int = 128,
    recall: float = 0.995,
    keep: Keep = "first",
    cluster: Cluster = "keep_first",
    nfkc: bool = True,
    ignore_case: bool = True,
    ignore_punctuation: bool = True,
    ignore_indents: bool = False,
    on: str = ...,
    by: str = ...,
    against: str | PurePath | Mapping[str, Any] | list[Any] = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Find near-duplicates by shared n-grams: MinHash finds candidate pairs, the true Jaccard similarity decides."""

def semantic(
    text: Column | Rows = ...,
    embedding: Column = ...,
    score: Column = ...,
    *,
    threshold: float = 0.95,
    recall: float = 0.99,
    exact_below: int = 20000,
    keep: Keep = "first",
    cluster: Cluster = "keep_first",
    on: str = ...,
    by: str = ...,
    model: str = ...,
    against: str | PurePath | Mapping[str, Any] | list[Any] = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Find near-duplicates by meaning: rows whose embeddings have a cosine of at least ``threshold``."""
