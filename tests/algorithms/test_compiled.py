"""The loops without Numba: the same results, from plain Python, and a line that says what it costs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curate.algorithms.compiled import slow_loops
from tests.optional import needs

ROOT = Path(__file__).parents[2]
# Near-duplicates, words and repeated n-grams, a subset by vectors, and near vectors in
# buckets: texts in several scripts, hashes that overflow.
CODE = """if True:
    import json, sys
    if {hidden}:
        sys.modules["numba"] = None  # an import of it fails, and find_spec finds nothing
    import numpy as np, polars as pl
    from curate.algorithms.compiled import slow_loops
    from curate.algorithms.vectors.bucket_pair_loops import compare_members, nearest_members, raise_closest, settle
    from curate.algorithms.vectors.hyperplane_loops import band_buckets
    from curate.algorithms.vectors.places import SignBits
    from curate.dedup import minhash
    from curate.score import repetition, words
    from curate.select import facility_location
    texts = ["The river runs to the sea, and the sea is wide." + end for end in ("", " Yes.", " \\u00c9t\\u00e9!")]
    texts += ["\\u4f60\\u597d\\uff0c\\u4e16", "one two one two one two", "", "Entirely other words stand here."]
    vectors = pl.Series("embedding", np.eye(7, 4, dtype=np.float32) + np.float32(0.25))
    found = [minhash(texts, threshold=0.5), words(texts), repetition(texts), facility_location(vectors, keep=3)]
    draw, states, buckets = np.random.default_rng(0), np.zeros(20, np.uint8), np.empty((9, 20), np.uint32)
    rows = draw.integers(-9, 9, (20, 4))[np.arange(20) // 2].astype(np.float32)
    words = np.packbits(rows @ draw.standard_normal((4, 128)) > 0, axis=1, bitorder="little").view(np.uint64)
    signs, pairs, nearest = SignBits(words, 14, 40), [], (np.full(20, -1), np.zeros(20))  # bands over the words' ends
    band_buckets(signs, 9, buckets)
    members = [np.sort(band.astype(np.uint64) << np.uint64(32) | np.arange(20, dtype=np.uint64)) for band in buckets]
    for band in range(9):
        found += compare_members(members[band].copy(), rows, 0.9, signs, band, states, 0, 1)
        pairs += [*compare_members(members[band].copy(), rows, 0.9, signs, band, states, 0, 20)[0]]
    settle(np.sort(np.array(pairs)), states, np.zeros(20, bool), 0, 20)
    for band in range(9):
        raise_closest(*nearest_members(members[band], rows, 0.9, signs, band, states), *nearest)
    found += [buckets, states, *nearest]
    print(json.dumps([slow_loops(), sys.modules.get("numba") is not None, [str(one) for one in found]]))
"""


def results(*, hidden: bool) -> list:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(hidden=hidden)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not done.stderr, done.stderr  # no warning that a hash overflows
    return json.loads(done.stdout)


@pytest.mark.slow
@needs("numba")
def test_loops_give_the_same_without_numba():
    said, compiled, found = results(hidden=False)
    assert said == "" and compiled
    said, compiled, without = results(hidden=True)
    assert "pip install 'gristmill[fast]'" in said and "\n" not in said and not compiled
    assert without == found


@needs("numba")
def test_nothing_is_said_where_numba_is_installed():
    assert slow_loops() == ""
