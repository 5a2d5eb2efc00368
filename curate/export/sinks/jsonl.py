"""JSON Lines: ``data/SPLIT.jsonl``, a row a line, also for readers that take other characters for line ends."""

import json
from pathlib import Path
from typing import Any

import msgspec

# Characters that end lines for some readers. They stand in texts alone, where JSON may have them escaped.
ENDS = [(sign.encode(), json.dumps(sign)[1:-1].encode()) for sign in "\x85\u2028\u2029"]
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
        text = self._encoder.encode_lines(rows)
        for sign, escaped in ENDS:
            text = text.replace(sign, escaped)
        self._file.write(text)

    def close(self) -> None:
        """End the file."""
        self._file.close()
