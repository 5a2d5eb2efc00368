"""The loops without Numba: the same results, from plain Python, and a line that says what it costs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curate.algorithms.compiled import slow_loops
from tests.optional import needs

ROOT = Path(__file__).parents[2]
# Near-duplicates, words and repeated n-grams, and a subset by vectors: texts in several scripts, hashes that overflow.
CODE = """if True:
    import json, sys
    if {hidden}:
        sys.modules["numba"] = None  # an import of it fails, and find_spec finds nothing
    import numpy as np, polars as pl
    from curate.algorithms.compiled import slow_loops
    from curate.dedup import minhash
    from curate.score import repetition, words
    from curate.select import facility_location
    texts = ["The river runs to the sea, and the sea is wide." + end for end in ("", " Yes.", " \\u00c9t\\u00e9!")]
    texts += ["\\u4f60\\u597d\\uff0c\\u4e16", "one two one two one two", "", "Entirely other words stand here."]
    vectors = pl.Series("embedding", np.eye(7, 4, dtype=np.float32) + np.float32(0.25))
    found = [minhash(texts, threshold=0.5), words(texts), repetition(texts), facility_location(vectors, keep=3)]
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
