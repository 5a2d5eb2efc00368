"""Tasks of hostile stores: a file that does not fit is damage, in one line, before a compiled loop reads beyond it."""

from pathlib import Path

import numpy as np
import pytest

from curate.pipeline.semantic_parts.compare import CompareTask, compare_rows
from curate.pipeline.semantic_parts.members import Compared, Members
from curate.pipeline.semantic_parts.nearest import NearestTask, find_nearest
from curate.pipeline.semantic_parts.signs import Signed, SignsTask, make_signs
from curate.storage.array_files import write_array
from curate.storage.damage import Damaged

ROWS = 4
FITTING = {
    "vectors": np.ones((ROWS, 3), np.float32),
    "bits": np.zeros((ROWS, 1), np.uint64),
    "states": np.zeros(ROWS, np.uint8),
    "buckets": np.zeros((2, ROWS), np.uint32),
    "centre": np.zeros(3, np.float32),
    "flips": np.ones((1, 3, 64), np.float32),
}


def files(folder: Path, **other: np.ndarray) -> dict[str, str]:
    for name, array in (FITTING | other).items():
        write_array(folder / f"{name}.npy", array)
    return {name: str(folder / f"{name}.npy") for name in FITTING}


def compare_and_nearest(folder: Path, size: int = 8, rest: str = "", **other: np.ndarray) -> None:
    named = files(folder, **other)
    members = Members([Signed("", named["buckets"], 0)], 1, 0, 1)
    compared = Compared(named["vectors"], named["bits"], named["states"], size, 64, 0.9)
    compare_rows(CompareTask(members, rest, compared, 0, 8, str(folder / "out"), False))
    find_nearest(NearestTask(members, compared, str(folder / "near"), False))


def sign(folder: Path, high: int = ROWS, size: int = 8, **other: np.ndarray) -> None:
    named = files(folder, **other)
    make_signs(SignsTask(named["vectors"], named["centre"], named["flips"], 2, size, 0, high, str(folder / "s"), False))


def test_files_that_fit_are_no_damage(tmp_path):
    compare_and_nearest(tmp_path)
    sign(tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        {"vectors": np.ones((ROWS - 1, 3), np.float32)},
        {"vectors": np.ones((ROWS, 3))},
        {"bits": np.zeros((1, 1), np.uint64)},
        {"bits": np.zeros((ROWS, 0), np.uint64)},
        {"states": np.zeros((ROWS, 1), np.uint8)},
        {"buckets": np.zeros((2, ROWS + 1), np.uint32)},
        {"size": 0},
        {"size": 33},
    ],
)
def test_a_comparison_does_not_read_beyond_files(tmp_path, other):
    with pytest.raises(Damaged, match="damaged"):
        compare_and_nearest(tmp_path, **other)


def test_members_left_by_a_round_are_looked_at(tmp_path):
    write_array(tmp_path / "rest.npy", np.array([1 << 31], np.uint64))
    with pytest.raises(Damaged, match="names the place 2,147,483,648, of 4"):
        compare_and_nearest(tmp_path, rest=str(tmp_path / "rest.npy"))


@pytest.mark.parametrize(
    "other",
    [
        {"vectors": np.ones((ROWS, 99), np.float32), "centre": np.zeros(99, np.float32)},
        {"centre": np.zeros(2, np.float32)},
        {"flips": np.ones((1, 3, 96), np.float32)},
        {"flips": np.ones((1, 3, 0), np.float32)},
        {"high": ROWS + 1},
        {"size": 33},
    ],
)
def test_signs_do_not_read_or_write_beyond_arrays(tmp_path, other):
    with pytest.raises(Damaged, match="damaged"):
        sign(tmp_path, **other)
