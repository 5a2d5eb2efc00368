"""JSON Lines: ``data/SPLIT.jsonl``, a row a line."""

from pathlib import Path
from typing import Any

import msgspec

NAMES = "data/{split}.jsonl"


class Sink:
    """Writes the rows of a split; a value that is ``msgspec.Raw`` is JSON text already."""

    def __init__(self, folder: Path, split: str, columns: Any = None) -> None:
        """Open the split's file in a folder."""
        path = folder / NAMES.format(split=split)
        path.parent.mkdir(exist_ok=True)
        self._file = path.open("wb")
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write rows, in their order."""
        self._file.write(self._encoder.encode_lines(rows))

    def close(self) -> None:
        """End the file."""
        self._file.close()
