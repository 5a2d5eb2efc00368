"""Parquet: ``data/SPLIT-00000-of-00002.parquet``, a new shard where one is full."""

from pathlib import Path
from typing import Any

from curate.export.arrow_schema import arrow_schema, arrow_table

NAMES = "data/{split}-*.parquet"
SHARD = 300_000_000  # bytes of a shard; the hub shows the first rows of shards of this size


class Sink:
    """Writes the rows of a split; the number of shards is known, and in their names, at the end."""

    def __init__(self, folder: Path, split: str, columns: dict[str, Any], shard: int = SHARD) -> None:
        """Begin a split in a folder.

        Args:
            folder: The folder.
            split: The split's name.
            columns: The types of the columns.
            shard: The bytes at which a shard is full.
        """
        self._folder, self._split, self._shard = folder / "data", split, shard
        self._folder.mkdir(exist_ok=True)
        self._schema = arrow_schema(columns)
        self._shards: list[Path] = []
        self._writer: Any = None

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Write rows, in their order."""
        import pyarrow.parquet as pq  # of the extra `arrow`, which other formats do without

        if self._writer is None:
            self._shards.append(self._folder / f"{self._split}-{len(self._shards):05d}.part")
            self._writer = pq.ParquetWriter(self._shards[-1], self._schema, compression="zstd")
        self._writer.write_table(arrow_table(rows, self._schema))
        if self._shards[-1].stat().st_size >= self._shard:
            self._end_shard()

    def close(self) -> None:
        """End the last shard, and give all their names."""
        self._end_shard()
        for number, shard in enumerate(self._shards):
            shard.rename(self._folder / f"{self._split}-{number:05d}-of-{len(self._shards):05d}.parquet")

    def _end_shard(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
