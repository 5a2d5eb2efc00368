"""Every row that is not kept names its nearest kept row, and how near that is."""

import inspect

import numpy as np
import pytest

from curate.steps.find_step import find_step, step_names
from tests.select.rows import embeddings, numbers, unit

OVER_ALL = [
    n
    for n in step_names("select")
    if find_step("select", n).makes == "subset"
    and "embedding" in find_step("select", n).reads
    and n not in ("cluster", "semdedup", "repr_filter")
]  # these name one of their cell, or that ruled it out


@pytest.mark.parametrize("name", OVER_ALL)
def test_the_nearest_kept_row_is_named(name):
    subset, vectors = find_step("select", name).function, unit(500)
    columns = {"embedding": embeddings(vectors), "score": numbers(range(500))}
    result = subset(*(columns[n] for n in inspect.signature(subset).parameters if n in columns), keep=25)
    result = result[0] if isinstance(result, tuple) else result
    kept = np.flatnonzero(result["kept"])
    cosine = vectors @ vectors[kept].T
    for row in np.flatnonzero(~result["kept"].to_numpy()):
        near = result["nearest"][int(row)]
        assert near in kept and result["similarity"][int(row)] == pytest.approx(vectors[near] @ vectors[row], abs=1e-5)
        assert vectors[near] @ vectors[row] >= cosine[row].max() - 1e-3  # looked for among rounded vectors, by some
    assert result["nearest"].null_count() == len(kept) == 25
