"""Reads the sources of a recipe, each once: for the plan that comes before a run, and for the run."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.sources.open_source import content_of, is_on_hub
from curate.sources.read_source import Source, read_source
from curate.sources.remote.urls import is_url
from schemas.errors import SettingError, UserError
from schemas.ids import fingerprint

FEW = 10_000  # the content of a source that is limited to so many rows is that of these rows


class SourceReader:
    """Knows the content of every source that it has seen, so that none is read or hashed a second time."""

    def __init__(self) -> None:
        """Begin with no source seen."""
        self._contents: dict[str, str] = {}
        self._read: dict[str, Source] = {}

    def content(self, path: Path | str, settings: dict[str, Any], where: str) -> str:
        """Return a hash of a source's content: of the bytes of its files, or of the rows of a data set or a query.

        Args:
            path: A file, a folder, a pattern, a URL or the name of a data set on the hub; with ``sql``, a folder.
            settings: The keywords of ``read_source``.
            where: The recipe's file and line, for errors.

        Raises:
            UserError: The source cannot be read.
        """
        key = _key(path, settings)
        if key not in self._contents:
            held = None if _few(settings) or "sql" in settings else _content(path, settings, where)
            if held is None:
                source = self._read[key] = _read(path, settings, where)
                tables = (source.prompts, source.completions, source.scores, source.decisions)
                held = fingerprint([table.write_ndjson() for table in tables])
            self._contents[key] = held
        return self._contents[key]

    def read(self, path: Path | str, settings: dict[str, Any], where: str) -> Source:
        """Return a source's rows; what ``content`` has read is given out, and no longer held."""
        held = self._read.pop(_key(path, settings), None)
        return held or _read(path, settings, where)

    def in_files(self, path: Path | str, settings: dict[str, Any]) -> bool:
        """Return whether a source is files that can be read in parts, and again; the rows of others are held."""
        return not (_few(settings) or "sql" in settings or is_on_hub(path))

    def check_unchanged(self, path: Path | str, settings: dict[str, Any], where: str) -> None:
        """Raise ``UserError`` where the files of a source have changed since ``content`` has hashed them."""
        held = None if is_url(path) else self._contents.get(_key(path, settings))
        if held is not None and held != _content(path, settings, where):
            raise UserError(f"{where}: source: {path} changed while it was read; run again when nothing writes to it")

    def forget_rows(self) -> None:
        """Let go of the rows that ``content`` has read and ``read`` has not given out; ``read`` reads them again."""
        self._read.clear()


def _few(settings: dict[str, Any]) -> bool:
    """Return whether a source is limited to so few rows that the rest of a large file is not even read."""
    limit = settings.get("limit")
    return isinstance(limit, int) and 0 < limit <= FEW


def _key(path: Path | str, settings: dict[str, Any]) -> str:
    return json.dumps([str(path), settings], sort_keys=True, default=str)


def _content(path: Path | str, settings: dict[str, Any], where: str) -> str | None:
    """Return a hash of the bytes of a source's files, or ``None`` for a source that is not in files."""
    try:
        return content_of(path, settings.get("split"), settings.get("hub"))
    except TypeError as error:
        raise UserError(f"{where}: source: {error}") from error
    except SettingError as error:
        raise _with_where(error, where) from None


def _read(path: Path | str, settings: dict[str, Any], where: str) -> Source:
    with placed_errors(settings, where):
        return read_source(path, **settings)


@contextmanager
def placed_errors(settings: dict[str, Any], where: str) -> Generator[None]:
    """Let errors of a source's settings begin with the place in the recipe; those of its rows name file and line."""
    try:
        yield
    except TypeError as error:
        raise UserError(f"{where}: source: {error}") from error
    except UserError as error:
        if "sql" not in settings and not isinstance(error, SettingError):
            raise
        raise _with_where(error, where) from None


def _with_where(error: UserError, where: str) -> UserError:
    """Return an error that begins with the place in the recipe."""
    return UserError(f"{where}: source: {str(error).removeprefix('source: ')}")
