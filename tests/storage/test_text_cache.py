"""The text cache computes the value of a text once; columns on disk read as columns in memory do."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.storage.mapped_columns import as_series, mapped_rows, mapped_texts
from curate.storage.store import Store
from curate.storage.text_cache import cached_by_text
from schemas.progress import Progress

ROOT = Path(__file__).parents[2]


class Maker:
    """Makes two numbers of a text and notes which texts it was given."""

    def __init__(self):
        self.seen = []

    def __call__(self, texts):
        self.seen += texts.to_list()
        return np.array([numbers(t) for t in texts], np.float32).reshape(len(texts), 2)


class Totals(Progress):
    """Notes how much there was to do."""

    def __init__(self):
        self.totals = []

    def begin(self, label, total=None, unit="rows"):
        self.totals.append(total)


def numbers(text):
    digest = hashlib.sha256((text or "").encode()).digest()
    return [digest[0] / 256, digest[1] / 256]


def made(texts, folder, maker=None, shard=2):
    return cached_by_text(pl.Series(texts, dtype=pl.String), folder, maker or Maker(), shard, Progress(), "made")


def test_each_row_gets_the_numbers_of_its_text(tmp_path):
    texts = ["b", "a", None, "b", "ccc", "", "日本"]
    result = made(texts, tmp_path / "k")
    assert result.dtype == pl.Array(pl.Float32, 2)
    np.testing.assert_allclose(result.to_numpy(), [numbers(t) for t in texts], rtol=1e-6)


def test_nothing_is_made_twice(tmp_path):
    one, two = Maker(), Maker()
    made(["a", "b", "a", None], tmp_path / "k", one)
    result = made(["c", "b", "", "a"], tmp_path / "k", two)
    assert sorted(one.seen) == ["", "a", "b"] and two.seen == ["c"]
    np.testing.assert_allclose(result.to_numpy(), [numbers(t) for t in ["c", "b", "", "a"]], rtol=1e-6)


def test_texts_of_like_length_are_made_together(tmp_path):
    maker = Maker()
    made(["ccc", "a", "bbbbb", "dd"], tmp_path / "k", maker)
    assert maker.seen == ["a", "dd", "ccc", "bbbbb"]


def test_no_texts(tmp_path):
    assert len(made([], tmp_path / "k")) == 0


def test_a_maker_that_fails_leaves_what_was_made(tmp_path):
    class Failing(Maker):
        def __call__(self, texts):
            if self.seen:
                raise RuntimeError("out of luck")
            return super().__call__(texts)

    with pytest.raises(RuntimeError, match="out of luck"):
        made(["a", "bb", "ccc", "dddd"], tmp_path / "k", Failing())
    after = Maker()
    made(["a", "bb", "ccc", "dddd"], tmp_path / "k", after)
    assert after.seen == ["ccc", "dddd"]


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path):
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / ".half.parquet").write_bytes(b"PAR1")
    made(["a"], tmp_path / "k")
    assert [p.name for p in (tmp_path / "k").iterdir() if p.name.startswith(".")] == []


LIMITED = """
import resource, sys
import numpy as np, polars as pl
from pathlib import Path
from curate.storage.text_cache import cached_by_text
from schemas.progress import Progress
from schemas.errors import Failed
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, most))  # what a full disk is like: no file may grow beyond
def make(texts):  # all different, as equal ones would take no room
    return np.random.default_rng(0).random((len(texts), 1000 if "b" * 9 in texts.to_list() else 2), np.float32)
try:
    texts = pl.Series(["a", "b" * 9, *map(str, range(40))])
    cached_by_text(texts, Path(sys.argv[1]), make, int(sys.argv[2]), Progress(), "x")
except Failed as error:
    print(error)
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # coverage writes its own file when the process ends
"""


@pytest.mark.slow
@pytest.mark.parametrize("shard", [100, 1])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path, shard):
    done = run(LIMITED, tmp_path / "k", shard)
    if shard == 100:
        assert done.stdout.strip().endswith("finished work is kept") and "cannot write" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr or shard == 1
    assert all(p.suffix == ".parquet" and not p.name.startswith(".") for p in (tmp_path / "k").iterdir())
    for file in (tmp_path / "k").iterdir():
        pl.read_parquet(file)


@pytest.mark.slow
def test_a_column_beyond_the_disk_is_refused_before_any_write(tmp_path):
    done = run(
        """
import resource, sys
from pathlib import Path
import numpy as np
from curate.storage.mapped_columns import mapped_rows
from schemas.errors import Failed
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, most))
try:
    mapped_rows(1000, 1000, np.float32, Path(sys.argv[1]))
except Failed as error:
    print(error)
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
""",
        tmp_path,
    )
    assert "cannot write" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def run(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
    )


SLOW = """
import sys, time
import numpy as np, polars as pl
from pathlib import Path
from curate.storage.text_cache import cached_by_text
from schemas.progress import Progress
made = 0
def make(texts):
    global made
    if made == int(sys.argv[2]):
        time.sleep(600)  # until it is killed
    made += 1
    return np.array([[float(t)] for t in texts], np.float32)
cached_by_text(pl.Series([str(i) for i in range(400)]), Path(sys.argv[1]), make, 4, Progress(), "x")
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 7, 30])
def test_after_a_kill_it_goes_on_where_it_was(tmp_path, moment):
    folder = tmp_path / "k"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, folder, str(moment)], env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    deadline = time.monotonic() + 60
    while len(list(folder.glob("[!.]*.parquet")) if folder.exists() else []) < moment and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = sum(pl.read_parquet(file).height for file in folder.glob("[!.]*.parquet"))
    assert there == 4 * moment
    progress, maker = Totals(), lambda texts: np.array([[float(t)] for t in texts], np.float32)
    result = cached_by_text(pl.Series([str(i) for i in range(400)]), folder, maker, 4, progress, "x")
    assert progress.totals == [400 - there], "what was made before the kill was made again"
    assert result.to_numpy()[:, 0].tolist() == list(range(400))


@pytest.mark.slow
@given(st.lists(st.lists(st.one_of(st.none(), st.text()), max_size=4), max_size=4))
def test_texts_on_disk_are_the_texts(parts):
    with tempfile.TemporaryDirectory() as folder:
        column = mapped_texts((pl.Series(part, dtype=pl.String) for part in parts), Store(folder))
    assert column.to_list() == [text for part in parts for text in part]


def test_nothing_is_left_of_a_column_on_disk(tmp_path):
    store = Store(tmp_path)
    files = sorted(tmp_path.rglob("*"))

    def parts():
        for text in ("a", None):
            yield pl.Series([text], dtype=pl.String)
            assert sorted(tmp_path.rglob("*")) == files, "a kill here would leave it"

    texts = mapped_texts(parts(), store)
    rows = as_series(mapped_rows(3, 2, np.float32, tmp_path), "v")
    assert sorted(tmp_path.rglob("*")) == files
    assert texts.to_list() == ["a", None] and rows.to_list() == [[0.0, 0.0]] * 3


def test_an_array_becomes_a_column_without_a_copy():
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert np.shares_memory(as_series(values, "v").to_numpy(), values)
