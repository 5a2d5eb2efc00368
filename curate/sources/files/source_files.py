"""Find the files of a source: one file, the data files in a folder, or those that a pattern such as ``*.jsonl`` names.

Files are in natural order (``part-2`` before ``part-10``). What is no data file is left out, and said where its name
does not say so. The names of the files, a data set card (``dataset_card``) or a folder of ``datasets.save_to_disk`` may
say which split each file belongs to; then the files of one split are read.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from curate.sources.files.dataset_card import config_files
from curate.sources.files.file_formats import check_file, file_format, read_rows, unknown_format
from curate.sources.files.file_names import is_pattern, natural, pattern_folder, pattern_regex
from curate.sources.files.folders import Listing, list_folder
from curate.sources.files.raw_row import NoRows, Raw, Reading, shown_names
from curate.sources.files.saved_dataset import saved_files
from curate.sources.files.splits import choose_split, shard_name, split_of
from curate.storage.store import is_store
from schemas.errors import UserError, nearest

MOST_FILES = 10_000


class Files(NamedTuple):
    """The files of a source.

    Attributes:
        base: The folder that the names are relative to; or the file, where the source is one file.
        names: The names of the files below the base; of one file, the empty text.
        name: What the source is called where the recipe gives it no name.
    """

    base: Path
    names: tuple[str, ...]
    name: str

    def paths(self) -> Iterator[tuple[str, Path]]:
        """Yield each file's name and its path."""
        for name in self.names:
            yield name, self.base / name if name else self.base


def find_files(path: Path, reading: Reading, config: str | None = None) -> Files:
    """Return the files of a source.

    Args:
        path: A file, a folder or a pattern.
        reading: Says which split is read; gets notes on what is left out.
        config: The configuration of the data set in a folder, where it has several.

    Raises:
        UserError: There is no such file, or a folder or a pattern has no data file.
    """
    if config is not None and not os.path.isdir(path):
        raise UserError(f"{path}: hub.name: is for the configurations of a folder or a data set on the hub")
    if is_pattern(path):
        return _of_pattern(path, reading)
    if not os.path.isdir(path):  # where a path cannot be looked at, ``check_file`` says why
        check_file(path)
        return Files(path, ("",), path.name)
    if is_store(path):
        raise UserError(f"{path}: is the store of earlier runs; expected a file, or a folder of data files")
    listing = list_folder(path)
    splits = saved_files(path, listing) or config_files(path, listing.data, config)
    names = choose_files(splits, listing.data, reading, str(path))
    _note_left_out(path, listing, reading)
    if not names:
        raise _no_files(path, listing)
    return Files(path, _checked(names, str(path)), path.resolve().name or str(path))


def _of_pattern(path: Path, reading: Reading) -> Files:
    """Return the files that a pattern names."""
    base = pattern_folder(path)
    pattern = path.relative_to(base).as_posix()
    if not base.is_dir():
        raise UserError(f"{path}: no such file: there is no folder {str(base)!r}")
    deep = "**" in pattern
    below = list_folder(base, None if deep else pattern.count("/") + 1)
    matches = re.compile(pattern_regex(pattern)).fullmatch
    listing = below.only(lambda name: matches(name) is not None)
    listing.stores.clear()
    names = listing.data
    if not names:
        if listing.others:
            raise unknown_format(base / listing.others[0])
        if listing.folders:
            folder = listing.folders[0]
            raise UserError(f"{path}: names the folder {folder!r}, and no file; add '/*' to name the files in it")
        raise UserError(f"{path}: no file has such a name{nearest(pattern, below.data)}")
    chosen = choose_files({}, names, reading, str(path))
    _note_left_out(base, listing, reading)
    return Files(base, _checked(chosen, str(path)), pattern_name(path))


def pattern_name(path: Path) -> str:
    """Return what a source is called whose files a pattern names.

    It is the pattern's last part where that says more than a format (``train-*.jsonl``), else the folder before it.
    """
    last, ending = path.name.lower(), file_format(path)
    says = re.search(r"\w", last.partition(ending)[0] if ending else last)
    return path.name if says else pattern_folder(path).resolve().name


def _by_name(names: list[str], split: Callable[[str], str]) -> dict[str, list[str]]:
    """Return files by the split that their names say."""
    splits: dict[str, list[str]] = {}
    for name in names:
        splits.setdefault(split(name), []).append(name)
    return splits


def choose_files(splits: dict[str, list[str]], data: list[str], reading: Reading, where: str) -> list[str]:
    """Return the files of the split that is read, in natural order; what is left out is noted.

    Args:
        splits: The files by split; where it is empty, their names say it.
        data: The files.
        reading: Names the split, if the recipe does.
        where: What holds the files, for errors.
    """
    splits = splits or _by_name(data, split_of)
    if reading.split and reading.split not in splits:
        by_shard = _by_name(data, shard_name)  # a split of any name, as the hub's libraries write it
        splits = by_shard if reading.split in by_shard else splits
    if not splits or (set(splits) == {""} and reading.split):  # a split may be one that each file holds
        return splits.get("", [])
    chosen, by_default = choose_split(splits, reading.split, where), reading.split is None
    reading.split = None
    left = [name for split, names in splits.items() if split not in chosen for name in names]
    if left:
        said = f"the split {', '.join(sorted(chosen))}" if any(chosen) else "the files whose names say no split"
        reading.note(f"read {said}; left out: {shown_names(left)}")
    if by_default and "" in chosen and len(chosen) > 1:
        beside = shown_names(sorted(splits[""], key=natural))
        reading.note(f"read too, beside the files of {', '.join(sorted(chosen - {''}))}, naming no split: {beside}")
    names = [name for split, names in splits.items() if split in chosen for name in names]
    return sorted(dict.fromkeys(names), key=natural)


def file_rows(files: Files, reading: Reading) -> Iterator[Raw]:
    """Yield the rows of several files, each with the name of its file."""
    for name, path in files.paths():
        raw = None
        try:
            for raw in read_rows(path, reading):
                line, row, problem, column, text, _, rest_lost = raw
                yield Raw(line, row, problem, column, text, name, rest_lost)
        except NoRows:
            pass
        if raw is None:
            reading.empty.append(name)


def _note_left_out(folder: Path, listing: Listing, reading: Reading) -> None:
    """Note what is left out; raise ``UserError`` where a data file is a link to nothing, as of a partial download."""
    if listing.broken:
        raise UserError(f"{folder / listing.broken[0]}: is a link to a file that does not exist; copy the data again")
    if listing.others:
        reading.note(f"left out, being of no data format: {shown_names(listing.others)}")
    if listing.empty:
        reading.empty += listing.empty
    if listing.stores:
        reading.note(f"left out, being stores of runs: {shown_names(listing.stores)}")


def _checked(names: list[str], where: str) -> tuple[str, ...]:
    if len(names) > MOST_FILES:
        raise UserError(f"{where}: has {len(names):,} data files; at most {MOST_FILES:,} can be one source")
    return tuple(names)


def _no_files(path: Path, listing: Listing) -> UserError:
    found = [*listing.others, *listing.empty]
    held = f"; it holds {shown_names(found)}" if found else ""
    return UserError(
        f"{path}: the folder has no data file{held}; expected files such as train.jsonl, data.parquet or rows.csv"
    )
