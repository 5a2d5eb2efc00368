"""Token counts of candidates: as they were counted, or estimated from their characters."""

import numpy as np
import polars as pl

from curate.datasets.candidate_table import Candidates
from curate.datasets.pairs import Texts

CHARACTERS = 4  # of a token, where tokens were not counted


def row_tokens(candidates: Candidates, texts: Texts, rows: np.ndarray) -> np.ndarray:
    """Return the token counts of candidates; a quarter of their characters where nothing counted them."""
    known = candidates.short["completion_tokens"].cast(pl.Float64)[rows].to_numpy().copy()
    bare = np.isnan(known)
    texts.measure(rows[bare])
    known[bare] = texts.length[rows[bare]] / CHARACTERS
    return known


def pair_tokens(candidates: Candidates, texts: Texts, chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """Return the token counts of both answers of pairs, given by their row numbers."""
    return row_tokens(candidates, texts, chosen) + row_tokens(candidates, texts, rejected)
