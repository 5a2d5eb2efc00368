"""Selection rules, one a file: ``select`` picks candidates, ``pair`` makes pairs, ``subset`` keeps diverse rows."""

# Written by `make stubs`, from the signatures of the steps.

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from curate.api.step_columns import Column, Rows
from schemas.progress import Progress

def all(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    *,
    on: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Keep every candidate, scored or not."""

def best_of_n(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    score: Column = ...,
    *,
    n: int = 1,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """The ``n`` best candidates of each prompt."""

def best_vs_random(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    score: Column = ...,
    *,
    margin: float = 0.0,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pair each prompt's best candidate with a random worse one."""

def best_vs_worst(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    score: Column = ...,
    *,
    margin: float = 0.0,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pair each prompt's best candidate with its worst."""

def cluster(
    embedding: Column | Rows = ...,
    score: Column = ...,
    *,
    keep: int | float,
    clusters: int | None = None,
    quota: Literal["balanced", "proportional", "score"] = "balanced",
    on: str = ...,
    by: str = ...,
    model: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Quotas over clusters: so many rows of each k-means cell, the best by score, or random ones without a score."""

def dpp(
    embedding: Column | Rows = ...,
    score: Column = ...,
    *,
    keep: int | float,
    quality: float = 0.2,
    width: float = 0.5,
    window: int = 2048,
    hours: float = 1.0,
    on: str = ...,
    by: str = ...,
    model: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """The likeliest subset under a determinantal point process, found greedily: good rows that are unlike each other."""

def facility_location(
    embedding: Column | Rows = ...,
    score: Column = ...,
    *,
    keep: int | float,
    quality: float = 0.2,
    neighbours: int | None = None,
    on: str = ...,
    by: str = ...,
    model: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """A subset that covers all rows well: it maximises the sum of every row's cosine to its nearest kept row."""

def k_center(
    embedding: Column | Rows = ...,
    score: Column = ...,
    *,
    keep: int | float,
    quality: float = 1.0,
    on: str = ...,
    by: str = ...,
    model: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """A diverse subset: in each step, keep the row that is farthest from all kept ones (greedy k-center)."""

def margin(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    score: Column = ...,
    *,
    low: float = 0.0,
    high: float | None = None,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pair each prompt's best candidate with one that is worse by a gap inside a band."""

def mmr(
    embedding: Column | Rows = ...,
    score: Column = ...,
    *,
    keep: int | float,
    relevance: float = 0.5,
    hours: float = 1.0,
    on: str = ...,
    by: str = ...,
    model: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Maximal marginal relevance: in each step, keep the row that has a good score and is unlike all kept ones."""

def mu_minus_2sigma(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    score: Column = ...,
    *,
    sigmas: float = 2.0,
    margin: float = 0.0,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pair each prompt's best candidate with the one nearest the mean of its scores minus two standard deviations."""

def own_vs_teacher(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    model: Column = ...,
    score: Column = ...,
    *,
    teacher: str,
    student: str,
    margin: float | None = None,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pair a teacher's answers with the student's own: the teacher's is chosen, the student's rejected."""

def random(
    text: Column | Rows = ...,
    *,
    keep: int | float,
    on: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Keep random rows: the matched control for a subset chosen some other way."""

def ranked(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    score: Column = ...,
    *,
    margin: float = 0.0,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pair each prompt's candidates along their ranking: every score with the next lower one."""

def recorded_pairs(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    sample_index: Column = ...,
    score: Column = ...,
    *,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pair the answers of a recorded preference as the file has them: several pairs of one prompt stay several pairs."""

def rejection(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    score: Column = ...,
    *,
    at: float,
    per_prompt: int | None = None,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Rejection sampling: keep every candidate whose score reaches a threshold, at most ``per_prompt`` of a prompt."""

def repr_filter(
    embedding: Column | Rows = ...,
    score: Column = ...,
    *,
    keep: int | float,
    threshold: float = 0.9,
    recall: float = 0.99,
    exact_below: int = 20000,
    on: str = ...,
    by: str = ...,
    model: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """A diverse subset of the best: in order of score, keep each row that is not near a kept one (DEITA's Repr Filter)."""

def rewritten(
    completion_id: Column | Rows = ...,
    parent_id: Column = ...,
    *,
    on: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pair every edited candidate with the one it was made from: the edit is chosen, its original rejected."""

def semdedup(
    embedding: Column | Rows = ...,
    score: Column = ...,
    *,
    keep: int | float | None = None,
    threshold: float | None = None,
    clusters: int | None = None,
    on: str = ...,
    by: str = ...,
    model: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """SemDeDup: within k-means cells, of rows that mean nearly the same keep the best, or the farthest from the centre."""

def top_k_overall(
    completion_id: Column | Rows = ...,
    score: Column = ...,
    *,
    keep: int | float,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """The best candidates of all, whatever their prompt: a prompt may keep many of its candidates, or none."""

def weighted(
    prompt_id: Column | Rows = ...,
    completion_id: Column = ...,
    score: Column = ...,
    *,
    n: int | None = None,
    keep: int | float | None = None,
    temperature: float = 1.0,
    on: str = ...,
    by: str = ...,
    models: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Random candidates, drawn without replacement, better ones more often: ``n`` of each prompt, or ``keep`` overall."""
