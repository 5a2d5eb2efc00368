"""Phase 5: pairs of texts are compared in full, some megabytes of texts a task."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from curate.algorithms.text.levels import Level
from curate.algorithms.text.shingles import Grams, blocks, jaccard
from curate.pipeline.dedup_parts.texts import TextFiles
from curate.spread.spread import spread
from curate.storage.array_files import read_array, write_array
from schemas.progress import Progress


@dataclass(frozen=True)
class VerifyTask:
    """Pairs to compare.

    Attributes:
        texts: The texts.
        pairs: The file of the pairs (int64, two lines: the left and the right texts).
        low: The first pair.
        high: The pair after the last.
        ngram: The words of an n-gram (``shingles.Grams``).
        characters: Whether it is of characters.
        level: The parts of levelling, in their order in ``Level``.
        threshold: A similarity below it is 0.
        path: The file for the similarities.
        durable: Whether it is to be there after a power cut.
    """

    texts: TextFiles
    pairs: str
    low: int
    high: int
    ngram: int
    characters: bool
    level: list[bool]
    threshold: float
    path: str
    durable: bool


def compare(task: VerifyTask) -> int:
    """Write the similarities of pairs (float64); return how many pairs there are."""
    left, right = read_array(task.pairs)[:, task.low : task.high]
    rows, place = np.unique(np.concatenate((left, right)), return_inverse=True)
    grams = Grams(task.ngram, task.characters, Level(*task.level))
    held = jaccard(task.texts.gather(rows), place[: len(left)], place[len(left) :], grams, task.threshold)
    write_array(Path(task.path), held, durable=task.durable)
    return len(held)


@dataclass
class SpreadTexts:
    """Texts in files, which tasks of ``spread`` compare (``pair_comparison.Texts``).

    Attributes:
        files: The texts.
        folder: The folder for the files of pairs and of similarities.
        size: The bytes of texts that a task compares.
        durable: Whether the files are to be there after a power cut.
        progress: Shows how many pairs are compared.
        label: The label that it shows.
        calls: How many times texts were compared.
        pairs: How many pairs were.
    """

    files: TextFiles
    folder: Path
    size: int
    durable: bool = False
    progress: Progress = field(default_factory=Progress)
    label: str = ""
    calls: int = 0
    pairs: int = 0

    def gather(self, rows: np.ndarray) -> pl.Series:
        """Return some of the texts."""
        return self.files.gather(rows)

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """Return how many bytes some of the texts have."""
        return self.files.sizes(rows)

    def jaccard(self, left: np.ndarray, right: np.ndarray, grams: Grams, threshold: float = 0.0) -> np.ndarray:
        """Return the similarities of the texts ``left[i]`` and ``right[i]``."""
        if not len(left):
            return np.zeros(0)
        self.calls += 1
        self.pairs += len(left)
        name = f"{self.calls:04d}"
        pairs = self.folder / f"{name}-pairs.npy"
        write_array(pairs, np.stack([left, right]).astype(np.int64), durable=self.durable)
        sizes = self.files.sizes(left) * (np.diff(left, prepend=-1) != 0) + self.files.sizes(right)
        tasks = [
            VerifyTask(
                self.files,
                str(pairs),
                low,
                high,
                grams.ngram,
                grams.characters,
                [*grams.level],
                threshold,
                str(self.folder / f"{name}-{place:06d}.npy"),
                self.durable,
            )
            for place, (low, high) in enumerate(blocks(sizes, self.size))
        ]
        self.progress.begin(self.label, len(left), "pairs")
        for done in spread(compare, tasks, self.folder / name):
            self.progress.advance(done)
        return np.concatenate([read_array(task.path) for task in tasks])
