"""The values of a scorer for the rows of a run, a file of rows at a time.

Scores are mostly written in the order of the rows that were kept then, so they are read beside the rows, and nothing is
held. Where they are not, or a scorer has several stages, their ids are held as numbers with the values.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from curate.storage.damage import read_table
from curate.storage.row_numbers import NumberIndex, id_numbers, joined
from curate.storage.row_set import RowSet

Part = tuple[np.ndarray, pl.Series]  # the numbers of ids, and their values


def score_parts(rows: RowSet, name: str) -> Iterator[tuple[int, pl.Series]]:
    """Yield the values of a scorer for the kept rows of each file that has any, with the number of the file.

    Args:
        rows: The rows.
        name: The scorer.

    Yields:
        The number of the file, and a value for each of its kept rows; null where there is none.
    """
    files = [number for number in range(len(rows.left)) if rows.kept(number).any()]
    found = _beside(rows, name)
    done = 0
    for number, values in zip(files, found, strict=False):
        yield number, values
        done += 1
    if done == len(files):
        return
    index, every = score_index(rows, name)
    for number in files[done:]:
        places = index.find(rows.numbers[number][rows.kept(number)])
        if not len(every):
            yield number, pl.Series(name, [None], dtype=pl.Float64).new_from_index(0, len(places))
            continue
        yield number, every.gather(pl.Series(places).set(pl.Series(places < 0), None)).rename(name)


def score_index(rows: RowSet, name: str) -> tuple[NumberIndex, pl.Series]:
    """Return the places of all scores of a scorer by the numbers of their ids, and the values."""
    numbers, values = [], [pl.Series(name, [], dtype=pl.Float64)]
    for part in _parts(rows, name):
        numbers.append(part[0])
        values.append(part[1])
    return NumberIndex(joined(numbers)), pl.concat(values)


def _beside(rows: RowSet, name: str) -> Iterator[pl.Series]:
    """Yield the values for the kept rows of each file that has any, as long as the scores are in the order of rows."""
    stages = rows.scores[name]
    if len(stages) != 1 or not (steps := rows.steps_with(stages[0].rows("scores"))):
        return
    parts, held = _parts(rows, name), (np.zeros(0, np.uint64), pl.Series(name, [], dtype=pl.Float64))
    step = None
    for number, numbers in enumerate(rows.numbers):
        if step is None:
            step = next((one for one in steps if rows.since[number] <= one), None)
            if step is None:
                return
        before, kept = rows.kept_before(number, step), rows.kept(number)
        wanted = int(np.count_nonzero(before))
        while len(held[0]) < wanted:
            part = next(parts, None)
            if part is None:
                return
            held = np.concatenate([held[0], part[0]]), pl.concat([held[1], part[1]])
        if (kept & ~before).any() or not np.array_equal(held[0][:wanted], numbers[before]):
            return
        if kept.any():
            yield held[1][:wanted].filter(pl.Series(kept[before]))
        held = held[0][wanted:], held[1][wanted:]


def _parts(rows: RowSet, name: str) -> Iterator[Part]:
    for stage in rows.scores[name]:
        for file in stage.files("scores"):
            part = read_table(file, ["row_id", "scorer", "value"]).filter(pl.col("scorer") == name)
            yield id_numbers(part["row_id"]), part["value"].rename(name)
