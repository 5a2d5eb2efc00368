"""A folder as ``datasets.save_to_disk`` writes it: ``SPLIT/data-00000-of-00002.arrow`` with its state, by split."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from curate.export.arrow_schema import arrow_schema, arrow_table, features

NAMES = "{split}/data-*.arrow"
SHARD = 500_000_000  # bytes of a shard


class Sink:
    """Writes the rows of a split; the number of shards is known, and in their names, at the end."""

    def __init__(self, folder: Path, split: str, columns: dict[str, Any], shard: int = SHARD) -> None:
        """Begin a split in a folder; the arguments are those of ``sinks.parquet``."""
        self._folder, self._split, self._shard = folder / split, split, shard
        self._folder.mkdir()
        self._columns, self._schema = columns, arrow_schema(columns)
        self._shards: list[Path] = []
        self._writer: Any = None
        self._content = sha256()

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write rows, in their order."""
        import pyarrow as pa  # of the extra `arrow`, which other formats do without

        if self._writer is None:
            self._shards.append(self._folder / f"{len(self._shards):05d}.part")
            self._writer = pa.ipc.new_stream(str(self._shards[-1]), self._schema)
        for batch in arrow_table(rows, self._schema).to_batches():
            self._writer.write_batch(batch)
        self._content.update(str(rows).encode("utf-8", "replace"))
        if self._shards[-1].stat().st_size >= self._shard:
            self._end_shard()

    def close(self) -> None:
        """End the last shard, give all their names, and write the split's state."""
        self._end_shard()
        names = [f"data-{number:05d}-of-{len(self._shards):05d}.arrow" for number in range(len(self._shards))]
        for shard, name in zip(self._shards, names, strict=True):
            shard.rename(self._folder / name)
        state = {
            "_data_files": [{"filename": name} for name in names],
            "_fingerprint": self._content.hexdigest()[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": self._split,
        }
        info = {"citation": "", "description": "", "features": features(self._columns), "homepage": "", "license": ""}
        for name, value in (("state.json", state), ("dataset_info.json", info)):
            (self._folder / name).write_text(json.dumps(value, indent=2), encoding="utf-8")

    def _end_shard(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
