"""CSV: ``data/SPLIT.csv`` with a header. A null is an empty field."""

import csv
from pathlib import Path
from typing import Any

NAMES = "data/{split}.csv"


class Sink:
    """Writes the rows of a split; all values are texts, numbers or null."""

    def __init__(self, folder: Path, split: str, columns: dict[str, Any]) -> None:
        """Open the split's file in a folder, and write the header."""
        path = folder / NAMES.format(split=split)
        path.parent.mkdir(exist_ok=True)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, list(columns), lineterminator="\n")
        self._writer.writeheader()

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write rows, in their order."""
        self._writer.writerows(rows)

    def close(self) -> None:
        """End the file."""
        self._file.close()
