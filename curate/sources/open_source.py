"""Open what a recipe names as a source: files, a data set on the hub, a file on the web, or an SQL query.

``read_source`` reads the rows; this module decides what they come from, what the source is called, and how an error
names a row's place.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from curate.sources.files.compressed import compression_ending
from curate.sources.files.file_formats import content_hash, counts_lines, file_format, missing, read_rows
from curate.sources.files.file_names import is_pattern
from curate.sources.files.raw_row import Raw, Reading, renamed
from curate.sources.files.source_files import Files, file_rows, find_files, pattern_name
from curate.sources.remote.hub import check_options, read_hub
from curate.sources.remote.hub_names import HubSource, has_hub_form, hub_name, hub_place, is_hub_name, is_hub_url
from curate.sources.remote.urls import is_url, shown_url
from schemas.errors import SettingError, UserError, kind_of
from schemas.ids import fingerprint


class Opened(NamedTuple):
    """A source that is open for reading.

    Attributes:
        rows: Its rows.
        name: What it is called where the recipe gives it no name.
        shown: Its path, URL or query, as errors show it.
        file: The file's name, where the source is one file; else ``None``, and each row names its file, if any.
        reading: Gets the notes of the readers while the rows are read.
        files: The source's files, where it is files of this machine.
    """

    rows: Iterator[Raw]
    name: str
    shown: str
    file: str | None
    reading: Reading
    files: Files | None = None

    def place(self, raw: Raw) -> str:
        """Return ``file:line:column`` of a row, or ``file: row N`` where rows have no line of their own."""
        path = f"{self.shown.rstrip('/')}/{raw.file}" if raw.file else self.shown
        column = f":{raw.column}" if raw.column else ""
        file = raw.file or self.file
        has_lines = bool(file) and counts_lines(Path(file or ""))
        return f"{path}:{raw.line}{column}" if has_lines or column else f"{path}: row {raw.line}"

    def note_lost(self, raw: Raw) -> None:
        """Note and warn that a file is not read further than a bad row, where it is not."""
        if not raw.rest_lost:
            return
        file = f"{self.name}/{raw.file}" if raw.file else self.file or self.name
        text = f"nothing is read after {raw.rest_lost} of {file}"
        self.reading.note(text)
        self.reading.warn(f"{text}, for it is broken there ({raw.problem}); mend the file to read its other rows")


def source_path(named: Any, folder: Path, hub: Any = None) -> Path | str:
    """Return what a recipe's ``path`` stands for: a file, a folder or a pattern, a hub data set, or a URL.

    ``owner/name`` is a file or a folder where there is one. Else it is a data set on the hub where the recipe gives
    options of one, or where there is no folder ``owner`` either.

    Args:
        named: The text in the recipe.
        folder: The recipe's folder, which paths are relative to.
        hub: The options of a data set on the hub, if the recipe gives some.

    Raises:
        SettingError: It is no text, names what is not read, or a file that does not exist in a folder that does.
    """
    if not isinstance(named, str):
        held = "; write a source for each, or a pattern such as data/*.jsonl" if isinstance(named, list) else ""
        raise SettingError(f"path: expected text, found {kind_of(named)}{held}")
    if not named.strip():
        raise SettingError("path: expected a file, a folder, a pattern, a data set or a URL, found an empty text")
    if is_url(named) or is_hub_url(named):
        return named
    if scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", named):
        if (parts := urlsplit(named)).scheme != "file" or parts.netloc not in ("", "localhost"):
            raise SettingError(
                f"{scheme[1]}:// is not read; expected a file, https://... or hf://datasets/owner/name; copy the data "
                f"to this machine, and name the file"
            )
        return Path(unquote(parts.path))
    file = folder / os.path.expanduser(named)
    if not has_hub_form(named) or os.path.exists(file):
        return file
    if hub is not None or is_hub_name(named, folder):
        return HubSource(named)
    raise SettingError(f"{missing(file)}; the data set on the hub is named hf://datasets/{named}")


def is_remote(named: str, folder: Path) -> bool:
    """Return whether a source is named as a data set on the hub or by a URL, and no local file fits the name."""
    return is_url(named) or is_hub_url(named) or is_hub_name(named, folder)


def shown_name(path: Path | str, sql: str | None = None) -> str:
    """Return what a source is called where the recipe gives it no name."""
    if sql is not None:
        return "sql"
    if isinstance(path, str):
        return shown_url(path) if is_url(path) and not is_hub_url(path) else path
    return pattern_name(path) if is_pattern(path) else path.name or path.resolve().name


def stage_name(path: Path | str, sql: str | None = None) -> str:
    """Return a short name for a source, as it stands in the label of its stage: ``seeds`` for ``seeds.jsonl``."""
    if sql is not None:
        return "sql"
    if isinstance(path, str) and (is_hub_url(path) or not is_url(path)):
        return hub_name(path).repo.rpartition("/")[2]
    file = Path(urlsplit(path).path) if isinstance(path, str) else path
    if is_pattern(file):
        file = Path(re.sub(r"[^\w.-]+", "", pattern_name(file)).replace("-.", ".").strip("-_."))
    name = file.name.removesuffix(compression_ending(file.name)) if file_format(file) else file.name
    return Path(name).stem if file_format(file) else name or file.resolve().name


def label_name(name: str) -> str:
    """Return a name of a source as it stands in a label: without slashes, spaces and other signs."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._-") or "source"


def open_source(
    path: Path | str, *, sql: str | None = None, split: str | None = None, hub: dict[str, Any] | None = None
) -> Opened:
    """Open a source.

    Args:
        path: A file, a folder, a pattern, ``owner/name`` or ``hf://...`` on the hub, or a URL; with ``sql``, the folder
            that the query's paths are relative to.
        sql: A query whose rows are the source.
        split: The split to read, where there are several.
        hub: Options of a data set on the hub or of a folder like one: ``name`` (the configuration), ``split``,
            ``revision``.

    Raises:
        UserError: An option is wrong, or there is no such source.
    """
    path = _located(path, hub, sql)
    options = _options(hub)
    if split is not None and options.get("split", split) != split:
        raise SettingError(f"source: split: {split!r} and hub.split: {options['split']!r} differ; give one of them")
    reading = Reading(split or options.pop("split", None))
    options.pop("split", None)
    if sql is not None:
        if reading.split or options:
            raise SettingError("sql: 'split' and 'hub' are for files and data sets; write a WHERE instead")
        from curate.sources.files.sql_source import read_sql

        return Opened(read_sql(sql, Path(path), reading), "sql", "sql", None, reading)
    if is_on_hub(path):
        rows = read_hub(str(path), reading=reading, **options)
        return Opened(rows, str(path), hub_place(str(path)), None, reading)
    if is_url(path):
        shown, file = shown_url(str(path)), _downloaded(str(path))
        rows = renamed(lambda: read_rows(file, reading), file, shown)
        return Opened(rows, file.name, shown, file.name, reading)
    if "revision" in options:
        raise SettingError(
            f"{path}: hub.revision: is for data sets on the hub; this is a file or a folder (a data set on the hub is "
            "named hf://datasets/OWNER/NAME)"
        )
    files = find_files(Path(path), reading, options.get("name"))
    return open_files(files, reading, str(files.base))


def _located(path: Path | str, hub: Any, sql: str | None = None) -> Path | str:
    """Return a path as ``source_path`` returns it; a plain text is relative to the current folder."""
    return path if isinstance(path, Path | HubSource) or sql is not None else source_path(path, Path(), hub)


def is_on_hub(path: Path | str) -> bool:
    """Return whether a path names a data set on the hub."""
    return isinstance(path, HubSource) or is_hub_url(path)


def _options(hub: Any) -> dict[str, Any]:
    try:
        return check_options(hub or {})
    except UserError as error:
        raise SettingError(str(error)) from None


def open_files(files: Files, reading: Reading, shown: str) -> Opened:
    """Open files as one source."""
    if files.names == ("",):
        return Opened(read_rows(files.base, reading), files.name, shown, files.base.name, reading, files)
    return Opened(file_rows(files, reading), files.name, shown, None, reading, files)


def _downloaded(url: str) -> Path:
    from curate.sources.remote.web_file import download  # what opens a connection is loaded for a URL only

    return download(url)


def content_of(path: Path | str, split: str | None = None, hub: dict[str, Any] | None = None) -> str | None:
    """Return a hash of the bytes of a source's files; ``None`` for a source that is not in files, or of no files."""
    path = _located(path, hub)
    if is_on_hub(path):
        return None
    if is_url(path):
        return content_hash(_downloaded(str(path)))
    options = _options(hub)
    files = find_files(Path(path), Reading(split or options.get("split")), options.get("name"))
    hashes = [(name, content_hash(file)) for name, file in files.paths()]
    return hashes[0][1] if files.names == ("",) else fingerprint(hashes)
