"""JSON Lines: ``data/SPLIT.jsonl``, a row a line, also for readers that take other characters for line ends.

A row that alone shows a key stands first (``curate.export.early_keys``); else the rows are in their order.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from curate.export.early_keys import LOOKED_AT, EarlyKeys

# Characters that end lines for some readers. They stand in texts alone, where JSON may have them escaped.
ENDS = [(sign.encode(), json.dumps(sign)[1:-1].encode()) for sign in "\x85\u2028\u2029"]
NAMES = "data/{split}.jsonl"


class Sink:
    """Writes the rows of a split; a value that is ``msgspec.Raw`` is JSON text already."""

    def __init__(self, folder: Path, split: str, columns: Any = None, looked_at: int = LOOKED_AT) -> None:
        """Open the split's file in a folder; ``looked_at`` is that of ``EarlyKeys``."""
        self._path = folder / NAMES.format(split=split)
        self._path.parent.mkdir(exist_ok=True)
        self._file = self._path.open("wb")
        self._encoder = msgspec.json.Encoder()
        self._early, self._first = EarlyKeys(looked_at), list[bytes]()

    @property
    def moved(self) -> int:
        """How many rows stand first that were further down."""
        return len(self._first)

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write rows, in their order."""
        for row in rows:
            line = self._encoder.encode(row) + b"\n"
            for sign, escaped in ENDS:
                line = line.replace(sign, escaped)
            if self._early.moves(line):
                self._first.append(line)
            else:
                self._file.write(line)

    def close(self) -> None:
        """End the file, with the rows at its beginning that belong there."""
        self._file.close()
        if self._first:
            whole = self._path.with_suffix(".part")
            with whole.open("wb") as made, self._path.open("rb") as others:
                made.writelines(self._first)
                shutil.copyfileobj(others, made)
            whole.replace(self._path)
