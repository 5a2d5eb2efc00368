"""Diverse subsets of 384-d embeddings, 1% kept, beside pyversity's dpp and mmr where that is installed.

``python -m benchmarks.diverse --rows 100000`` runs one size. The embeddings are those of ``benchmarks.vectors``; the
scores are random, from 0 to 1. pyversity's MMR uses the same formula (but counts a negative cosine as 0). Its DPP uses
another kernel, the cosine itself, which after d picks does not distinguish rows; so the Vendi score of the kept rows is
given too. Nothing was tuned on these vectors: that was done on a mixture of 2,000 topics in 50 groups.
"""

import argparse
import importlib
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from benchmarks.measure import Row, medians
from benchmarks.semantic import column
from benchmarks.vectors import vectors
from curate.algorithms.vectors.diversity import measure as diversity
from curate.algorithms.vectors.diversity import vendi
from curate.steps.find_step import Step, find_step
from curate.steps.settings import check_settings

SEED = 2
SIZES = (20_000, 100_000)
STEPS = {  # settings, and pyversity's name and settings
    "mmr": ({"keep": 0.01}, ("mmr", {"diversity": 0.5})),
    "dpp": ({"keep": 0.01}, ("dpp", {"diversity": 0.8})),
    "cluster": ({"keep": 0.01}, None),
    "semdedup": ({"keep": 0.5}, None),
}


def measure() -> list[Row]:
    """Run both sizes, in turns with the peer: medians of three at 20,000 rows, one run each at 100,000."""
    return [row for size in SIZES for row in beside(size, times=3 if size == SIZES[0] else 1)]


def beside(size: int, times: int) -> list[Row]:
    """Run one size."""
    made = vectors(size, SEED).vectors
    score = np.random.default_rng(SEED).random(size)
    columns = {"embedding": column(made), "score": pl.Series(score)}
    rows, kept = [], {}
    for name, (settings, peer) in STEPS.items():
        step = find_step("select", name)
        full = check_settings(step, settings, "benchmark")

        def ours(step: Step = step, full: dict = full, name: str = name) -> None:
            kept[name] = np.flatnonzero(step.function(columns["embedding"], columns["score"], **full)[0]["kept"])

        find_step("select", name).function(column(made[:999]), columns["score"][:999], **full)  # compiles its loops
        runs, theirs = [timed(ours)], pyversity(peer, made, score, size // 100, kept)
        figures = medians(*runs, *([timed(theirs)] if theirs else []), times=times, warm=False)
        keeps = f"{settings['keep']:.0%}"
        rows.append(
            Row(
                f"{name} {size:,} x 384, keep {keeps}",
                figures[0],
                "s",
                "",
                *(("pyversity", figures[1]) if theirs else ()),
            )
        )
        peers = ("pyversity", vendi(made, kept["peer"])) if theirs else ()
        rows.append(Row(f"  Vendi score, {name} {size:,}", vendi(made, kept[name]), "", "", *peers))
        peers = ("pyversity", score[kept["peer"]].mean()) if theirs else ()
        rows.append(Row(f"  mean score, {name} {size:,}", score[kept[name]].mean(), "", "", *peers))
    chosen = np.zeros(size, bool)
    chosen[kept["mmr"]] = True
    figures = medians(timed(lambda: diversity(columns["embedding"], pl.Series(chosen))), times=times)
    return [*rows, Row(f"measure of diversity, {size:,} x 384, 1% kept", figures[0], "s")]


def pyversity(
    peer: tuple[str, dict] | None, made: np.ndarray, score: np.ndarray, count: int, kept: dict
) -> Callable[[], None] | None:
    """Return a function that runs the peer and writes its rows to ``kept``; None if there is no peer."""
    if peer is None:
        return None
    name, settings = peer
    try:
        function = getattr(importlib.import_module(f"pyversity.strategies.{name}"), name)
    except ImportError:
        return None

    def run() -> None:
        kept["peer"] = function(made, score, count, **settings).indices

    return run


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """Return a run for ``medians``, which returns the seconds that ``call`` takes."""

    def run() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=1)
    given = parser.parse_args()
    for row in beside(given.rows, given.times):
        print(
            f"{row.name:<50} {row.figure:>9.4g} {row.unit:<3} {row.peer:<10} "
            f"{'' if row.ratio is None else f'{row.peer_figure:9.4g} {row.ratio:6.2f}'}"
        )
