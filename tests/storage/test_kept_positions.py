"""Positions of a map in the store: kept once, made anew where the points, the model or the file are others."""

import numpy as np
import pytest

from curate.storage.kept_positions import KEPT, kept_positions


def made(store, ids=("a", "b"), model="m", version="1", value=1.0):
    """What is returned, and how often it was made."""
    calls = []

    def make():
        calls.append(1)
        return np.full((len(ids), 2), value)

    return kept_positions(store, model, ids, version, make), len(calls)


def test_positions_are_made_once(store):
    first, times = made(store)
    again, more = made(store, value=2.0)
    assert (times, more) == (1, 0) and np.array_equal(first, again) and again.dtype == np.float32


@pytest.mark.parametrize("other", [{"ids": ("a", "c")}, {"model": "n"}, {"version": "2"}, {"ids": ("a",)}])
def test_other_points_have_positions_of_their_own(store, other):
    made(store)
    assert made(store, **other)[1] == 1


@pytest.mark.parametrize("damage", [b"", b"short", np.full(4, np.nan, "<f4").tobytes(), b"x" * 400])
def test_a_damaged_file_is_made_anew(store, damage):
    made(store)
    (file,) = (store.path / "positions").iterdir()
    file.write_bytes(damage)
    again, times = made(store, value=3.0)
    assert times == 1 and (again == 3.0).all() and made(store)[1] == 0


def test_a_link_is_not_followed(store, tmp_path):
    made(store)
    (file,) = (store.path / "positions").iterdir()
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert made(store)[1] == 1


def test_the_newest_files_are_kept(store):
    for number in range(KEPT + 3):
        made(store, version=str(number))
    assert len([*(store.path / "positions").iterdir()]) == KEPT
    assert made(store, version=str(KEPT + 2))[1] == 0


def test_a_store_that_cannot_be_written_keeps_nothing(store):
    (store.path / "positions").write_text("in the way", encoding="utf-8")
    assert made(store)[1] == 1 and made(store)[1] == 1
