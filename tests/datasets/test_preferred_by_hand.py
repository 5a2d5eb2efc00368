"""Comparisons by hand among so many candidates that a product of two row numbers needs more than 32 bits."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from curate.datasets.candidate_table import Candidates
from curate.datasets.pairs import _worse_by_hand

COUNT = 100_000
NOTHING: Any = None  # tables on disk, which are not read here


def test_a_pair_is_found_by_both_of_its_rows():
    own: Any = SimpleNamespace(ids=pl.Series([f"c_{number}" for number in range(COUNT)]), height=COUNT)
    short = pl.DataFrame({"by_hand": pl.Series([None] * COUNT, dtype=pl.Float64)})
    candidates = Candidates(own, NOTHING, short)
    preferred = frozenset({("c_99999", "c_1"), ("c_5", "c_70000")})
    left = np.array([1, 99_999, 70_000, 5, 2], np.uint32)
    right = np.array([99_999, 1, 5, 70_000, 3], np.uint32)
    assert _worse_by_hand(preferred, candidates, left, right).tolist() == [True, False, True, False, False]
    rows = np.arange(COUNT, dtype=np.uint32)
    assert not _worse_by_hand(preferred, candidates, np.roll(rows, -1), rows).any()
