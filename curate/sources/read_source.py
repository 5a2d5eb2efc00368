"""Read a source (a file, or a data set on the hub) as prompts with their recorded candidates.

``read_source(Path("seeds.jsonl"))`` reads the file, recognises the format of each row and returns four tables.
``curate.sources.open_source`` opens files, data sets and queries, ``curate.sources.rows.row_formats`` converts rows.
A bad row is refused with its line, or with ``on_error="drop"`` left out with a decision that says why.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from curate.sources.convert_rows import Options, convert_rows
from curate.sources.message_tables import joined_messages
from curate.sources.open_source import Opened, open_source
from curate.sources.remote.urls import is_url, shown_url
from curate.sources.rows.field_map import check_fields
from curate.sources.source_tables import Source, Tables
from schemas.errors import SettingError, UserError, unknown

CUT, KEEP = "cut", "keep"  # what becomes of turns at the end of a conversation that nothing answers

MOST_ROWS = 1_000_000_000


@dataclass(frozen=True)
class SourceOptions:
    """A source and how it is read; the fields are the arguments of ``read_source``."""

    path: Path | str
    fields: dict | None = None
    on_error: str = "refuse"
    name: str | None = None
    limit: int | None = None
    hub: dict | None = None
    split: str | None = None
    sql: str | None = None
    unanswered: str = KEEP

    def options(self, opened: Opened) -> Options:
        """Return how the rows of the source are converted."""
        return Options(self.name or opened.name, self.fields, self.unanswered == CUT)


def read_source(
    path: Path | str,
    *,
    fields: dict | None = None,
    on_error: str = "refuse",
    name: str | None = None,
    limit: int | None = None,
    hub: dict | None = None,
    split: str | None = None,
    sql: str | None = None,
    unanswered: str = KEEP,
) -> Source:
    """Return the prompts of a source with their recorded candidates and scores.

    A prompt that comes again is one prompt with the candidates of both rows, and a decision that says so.

    Args:
        path: A file, a folder of files, a pattern such as ``data/*.jsonl``, a data set on the hub (``owner/name``), or
            a URL; with ``sql``, the folder that the query's paths are relative to.
        fields: Maps our names to the names of the file's keys (``curate.sources.rows.field_map``).
        on_error: ``refuse`` raises for the first bad row; ``drop`` leaves bad rows out, each with a decision.
        name: The value of ``source`` in the prompts; by default the name of the file, the folder or the data set.
        limit: Read only so many rows from the start, at least 1.
        hub: Options of a data set on the hub: ``name``, ``split``, ``revision``.
        split: The split to read, where a folder, a data set or a file has several; by default ``train``.
        sql: A query whose rows are read (``curate.sources.files.sql_source``).
        unanswered: What becomes of a conversation whose last turn is not the assistant's, and which has no answer:
            ``keep`` makes it a prompt; ``cut`` leaves out what follows the assistant's last turn, with a decision.

    Raises:
        UserError: An option is wrong, or the source cannot be read; the message names the file, the line and the
            problem.
    """
    source = SourceOptions(path, fields, on_error, name, limit, hub, split, sql, unanswered)
    opened, tables = opened_source(source), Tables()
    rows = joined_messages(islice(opened.rows, limit))
    convert_rows(rows, opened, source.options(opened), tables).refuse(opened, on_error, fields)
    return tables.source(opened.reading)


def opened_source(source: SourceOptions) -> Opened:
    """Return a source that is open for reading.

    Raises:
        UserError: An option is wrong, or there is no such source.
    """
    path, limit = source.path, source.limit
    where = shown_url(path) if isinstance(path, str) and is_url(path) else str(path)
    if source.on_error not in ("refuse", "drop"):
        raise SettingError(str(unknown("on_error", source.on_error, ["refuse", "drop"], where)))
    if source.unanswered not in (CUT, KEEP):
        raise SettingError(str(unknown("value of unanswered called", str(source.unanswered), [CUT, KEEP], where)))
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_ROWS):
        raise SettingError(f"{where}: limit: expected a number of rows from 1 to {MOST_ROWS:,}, found {limit!r}")
    if source.name is not None and not isinstance(source.name, str):
        raise SettingError(f"{where}: name: expected text, found {source.name!r}")
    if source.fields is not None:
        try:
            check_fields(source.fields)
        except UserError as error:
            raise SettingError(str(error)) from None
    if source.split is not None and not isinstance(source.split, str):
        raise SettingError(f"{where}: split: expected the name of a split, found {source.split!r}")
    return open_source(path, sql=source.sql, split=source.split, hub=source.hub)
