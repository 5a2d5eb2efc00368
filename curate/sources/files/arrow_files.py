"""Read Parquet, Arrow and Feather files, some thousand rows at a time, with pyarrow alone.

An Arrow file is either in the file format, as Feather and Polars write it, or a stream, as ``datasets`` writes it.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.sources.files.compressed import open_file
from curate.sources.files.raw_row import Raw, Reading, first_line, without_nulls
from curate.sources.files.row_blocks import Block, Columns
from schemas.errors import UserError
from schemas.json_text import parse

EXPORTED = b"gristmill"  # in the metadata of the schema of files that we wrote: their JSON is as the store has it
BATCH = 4096  # rows that are held at once
BUFFER = 2**17  # bytes of a file that are held at once


def read_parquet(path: Path, reading: Reading) -> Iterator[Raw]:
    """Return the rows of a Parquet file."""
    try:
        file = _open_parquet(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: not a Parquet file, or a damaged one: {_held(path, b'PAR1') or first_line(error)}"
        ) from None
    return batch_rows(_checked(file.iter_batches(BATCH, use_threads=False), path, "Parquet"))


def _open_parquet(path: Path) -> Any:
    """Return a Parquet file that is read piece by piece: row groups that are read ahead take thrice the time here."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet file; none where it cannot be read."""
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return []


def row_groups(path: Path) -> list[tuple[int, int]]:
    """Return the rows and the unpacked bytes of each row group of a Parquet file; none where it cannot be read."""
    import pyarrow.parquet as pq

    try:
        return _row_groups(pq.read_metadata(path))
    except (pa.ArrowException, OSError):
        return []


def _row_groups(metadata: Any) -> list[tuple[int, int]]:
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return [(group.num_rows, group.total_byte_size) for group in groups]


def read_some(path: Path, begin: int, end: int) -> Iterator[Block]:
    """Return some rows of a Parquet file; only the row groups that hold them are read.

    Args:
        path: The file.
        begin: How many rows of the file come before.
        end: The row behind the last.
    """

    def wanted() -> Iterator[pa.RecordBatch]:
        file = _open_parquet(path)
        sizes = [rows for rows, _ in _row_groups(file.metadata)]
        ends = list(accumulate(sizes))
        groups = [group for group, last in enumerate(ends) if last > begin and last - sizes[group] < end]
        at = ends[groups[0]] - sizes[groups[0]] if groups else end
        for batch in file.iter_batches(BATCH, row_groups=groups, use_threads=False):
            low, high = max(begin - at, 0), min(end - at, batch.num_rows)
            if low < high:
                yield batch.slice(low, high - low)
            at += batch.num_rows
            if at >= end:
                return

    return batch_blocks(_checked(wanted(), path, "Parquet"), before=begin)


def read_arrow(path: Path, reading: Reading) -> Iterator[Raw]:
    """Return the rows of an Arrow file: in the file format, or a stream."""
    try:
        file = pa.OSFile(str(path))
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"FEA1"):
            raise UserError(f"{path}: is in version 1 of Feather; save it as Parquet, or as Feather of version 2")
        if start == b"ARROW1":
            whole = pa.ipc.open_file(file)
            batches: Iterable[pa.RecordBatch] = (whole.get_batch(i) for i in range(whole.num_record_batches))
        else:
            batches = pa.ipc.open_stream(file)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: not an Arrow file, or a damaged one: {_held(path, b'ARROW1') or first_line(error)}"
        ) from None
    return batch_rows(_checked(batches, path, "Arrow"))


def _held(path: Path, magic: bytes) -> str:
    """Return what a file that is not what its name says holds, with what to do; the empty text where it is unclear."""
    with path.open("rb") as raw:
        if raw.read(len(magic)) == magic:
            return ""
    with open_file(path) as file:  # says of a Git LFS pointer, or of data of another format, what it is
        try:
            start = file.read(512).decode().lstrip("\ufeff \t\r\n")
        except (*file.errors, UnicodeDecodeError):
            return ""
    if start[:1] in ("{", "["):
        return f"it holds JSON text; rename it to end with {'.jsonl' if start[:1] == '{' else '.json'}"
    lines = start.splitlines()
    is_csv = len(lines) > 1 and any(sign in lines[0] and sign in lines[1] for sign in ",;\t")
    return "it holds text such as CSV; rename it to end with .csv" if is_csv else ""


def _checked(batches: Iterable[pa.RecordBatch], path: Path, kind: str) -> Iterator[pa.RecordBatch]:
    """Yield batches; raise ``UserError`` where the file is damaged or cut off after its beginning.

    Arrow believes a file: its places of texts and lists may lead out of it, and its texts be no UTF-8. So each batch is
    validated before any of its values is read.
    """
    try:
        for batch in batches:
            batch.validate(full=True)
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: a damaged {kind} file, or one that is cut off: {first_line(error)}") from None


def batch_rows(
    batches: Iterable[pa.RecordBatch], texts_of_json: frozenset[str] = frozenset(), before: int = 0
) -> Iterator[Raw]:
    """Yield the rows of record batches, as ``batch_blocks`` does, one by one."""
    return chain.from_iterable(batch_blocks(batches, texts_of_json, before))


def batch_blocks(
    batches: Iterable[pa.RecordBatch], texts_of_json: frozenset[str] = frozenset(), before: int = 0
) -> Iterator[Block]:
    """Yield the rows of record batches, numbered from 1, without the null keys that Arrow adds to mappings.

    Args:
        batches: The batches.
        texts_of_json: The columns that hold JSON text, beside those whose Arrow type says so.
        before: How many rows come before.
    """
    number = before
    for whole in batches:
        names = whole.schema.names
        exact = EXPORTED in (whole.schema.metadata or {})
        for begin in range(0, whole.num_rows if names else 0, BATCH):
            batch = whole.slice(begin, BATCH)
            columns = [_values(column, names[i] in texts_of_json, exact) for i, column in enumerate(batch.columns)]
            values = [one for one, _ in columns]
            if any(absent for _, absent in columns):
                rows = zip(*values, strict=True)
                found = ({k: v for k, v in zip(names, row, strict=True) if v is not None} for row in rows)
                yield [Raw(place, row) for place, row in enumerate(found, number + 1)]
            else:
                yield Columns(dict(zip(names, values, strict=True)), number)
            number += batch.num_rows


def _values(column: pa.Array, is_json: bool = False, exact: bool = False) -> tuple[list[Any], bool]:
    """Return a column's values, and whether one of them is ``None``; a column of Arrow's JSON type is parsed.

    What is null in JSON is left out too, as writers make JSON of Arrow's mappings, unless it is ``exact``.
    """
    if isinstance(column, pa.ExtensionArray):
        is_json = is_json or column.type.extension_name == "arrow.json"
        column = column.storage
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    kind = column.type
    if not is_json and pa.types.is_struct(kind):
        return _mappings(column), column.null_count > 0
    if not is_json and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return _lists(column, exact), column.null_count > 0
    values = _plain_values(column)
    if is_json:
        values = [_parsed(value) if exact else without_nulls(_parsed(value)) for value in values]
    elif _holds(kind, pa.types.is_map):
        values = [without_nulls(_maps(value, kind)) for value in values]
    elif pa.types.is_nested(kind) or pa.types.is_floating(kind):
        values = [without_nulls(value) for value in values]
    else:
        return values, column.null_count > 0
    return values, any(value is None for value in values)


def _mappings(column: pa.StructArray) -> list[dict[str, Any] | None]:
    """Return the mappings of a column, without the keys whose values are null."""
    names = [field.name for field in column.type]
    if not names:
        return [{} if valid else None for valid in column.is_valid().to_pylist()]
    fields = [_values(field) for field in column.flatten()]
    rows = zip(*(values for values, _ in fields), strict=True)
    made: list[dict[str, Any] | None]
    if any(absent for _, absent in fields):
        made = [{k: v for k, v in zip(names, values, strict=True) if v is not None} for values in rows]
    else:
        made = [dict(zip(names, values, strict=True)) for values in rows]
    if column.null_count:
        return [row if valid else None for row, valid in zip(made, column.is_valid().to_pylist(), strict=True)]
    return made


def _lists(column: pa.ListArray | pa.LargeListArray, exact: bool) -> list[list[Any] | None]:
    """Return the lists of a column."""
    items, end, made = _values(column.flatten(), exact=exact)[0], 0, []
    for length in column.value_lengths().to_pylist():
        begin, end = end, end + (length or 0)
        made.append(None if length is None else items[begin:end])
    return made


def _plain_values(column: pa.Array) -> list[Any]:
    """Return a column's values as Python's; times that Python cannot hold are text."""
    kind = column.type
    if pa.types.is_interval(kind):
        return [None if value is None else str(value) for value in column.to_pylist()]
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # Python's times have microseconds
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_time64(kind) and kind.unit == "ns":
        column = column.cast(pa.time64("us"), safe=False)
    elif pa.types.is_duration(kind):
        column = column.cast(pa.string()) if kind.unit == "ns" else column
    try:
        return column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        return column.cast(pa.string()).to_pylist()


def _parsed(value: Any) -> Any:
    """Return the value of a JSON text; a text that is no JSON stays as it is."""
    try:
        return parse(value) if isinstance(value, str) else value
    except (json.JSONDecodeError, ValueError):
        return value


def _holds(kind: pa.DataType, wanted: Any) -> bool:
    """Return whether a type, or one that it is made of, is of a wanted kind."""
    return wanted(kind) or any(_holds(kind.field(i).type, wanted) for i in range(kind.num_fields))


def _maps(value: Any, kind: pa.DataType) -> Any:
    """Return a value of a type with Arrow's maps, which Python gets as lists of pairs, with mappings in their place."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {str(key): _maps(item, kind.item_type) for key, item in value}
    if pa.types.is_struct(kind):
        return {field.name: _maps(value[field.name], field.type) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [_maps(item, kind.value_type) for item in value]
    return value
