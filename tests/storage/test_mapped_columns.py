"""Columns on disk where the disk is full, empty, or the system cannot allocate a file's blocks."""

import errno
import os

import numpy as np
import polars as pl
import pytest

from curate.storage import mapped_columns
from curate.storage.mapped_columns import mapped_rows, mapped_texts
from schemas.errors import Failed


def test_a_disk_that_fills_while_texts_are_written_is_one_line(store):
    def parts():
        yield pl.Series(["a"])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = sorted(store.path.rglob("*"))
    with pytest.raises(Failed, match=r"cannot write: No space left on device; finished work is kept"):
        mapped_texts(parts(), store)
    assert sorted(store.path.rglob("*")) == before


TEXTS = [["a", None, "é" * 9, ""], [], ["a text that is longer than a view", None], ["b"] * 5]


@pytest.mark.parametrize("parts", [TEXTS, TEXTS[:1], [], [[None, None], [None]], [[], []]])
def test_texts_come_back_as_they_were(store, parts, monkeypatch):
    """As views on disk, in pieces of few bytes, and with the views in memory, as where pyarrow is missing."""
    flat = [text for part in parts for text in part]
    for setting in ({}, {"LARGEST": 20}, {"find_spec": lambda name: None}):
        for name, value in setting.items():
            monkeypatch.setattr(mapped_columns, name, value)
        found = mapped_texts((pl.Series(part, dtype=pl.String) for part in parts), store)
        assert found.to_list() == flat and found.dtype == pl.String and found.name == "text"


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_a_column_without_numbers_needs_no_file(tmp_path, shape):
    rows = mapped_rows(*shape, np.float32, tmp_path / "no folder")
    assert rows.shape == shape and rows.dtype == np.float32


def test_blocks_are_written_where_they_cannot_be_allocated(tmp_path, monkeypatch):
    """As on macOS."""
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(mapped_columns, "BLOCK", 100)
    rows = mapped_rows(7, 5, np.float64, tmp_path)
    assert rows.shape == (7, 5) and not rows.any()
    rows[6, 4] = 2.5
    assert rows.sum() == 2.5
