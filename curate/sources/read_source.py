"""Read a source (a file, or a data set on the hub) as prompts with their recorded candidates.

``read_source(Path("seeds.jsonl"))`` reads the file, recognises the format of each row and returns four tables.
``curate.sources.open_source`` opens files, data sets and queries, ``curate.sources.rows.row_formats`` converts rows.
A bad row is refused with its line, or with ``on_error="drop"`` left out with a decision that says why.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from curate.sources.files.raw_row import Raw
from curate.sources.message_tables import joined_messages
from curate.sources.open_source import Opened, open_source
from curate.sources.remote.urls import is_url, shown_url
from curate.sources.rows.field_map import check_fields, check_seen, key_names, map_fields
from curate.sources.rows.row_formats import convert
from curate.sources.source_tables import Source, Tables, add_row, evidence_of, row_id
from schemas.errors import BadRow, SettingError, UserError, unknown

CUT, KEEP = "cut", "keep"  # what becomes of turns at the end of a conversation that nothing answers

MOST_ROWS = 1_000_000_000


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
    where = shown_url(path) if isinstance(path, str) and is_url(path) else str(path)
    if on_error not in ("refuse", "drop"):
        raise SettingError(str(unknown("on_error", on_error, ["refuse", "drop"], where)))
    if unanswered not in (CUT, KEEP):
        raise SettingError(str(unknown("value of unanswered called", str(unanswered), [CUT, KEEP], where)))
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_ROWS):
        raise SettingError(f"{where}: limit: expected a number of rows from 1 to {MOST_ROWS:,}, found {limit!r}")
    if name is not None and not isinstance(name, str):
        raise SettingError(f"{where}: name: expected text, found {name!r}")
    fields = None if fields is None else _checked_fields(fields)
    if split is not None and not isinstance(split, str):
        raise SettingError(f"{where}: split: expected the name of a split, found {split!r}")
    opened = open_source(path, sql=sql, split=split, hub=hub)
    tables = _collect(islice(opened.rows, limit), opened, name or opened.name, fields, on_error, unanswered == CUT)
    return tables.source(opened.reading)


def _checked_fields(fields: dict) -> dict:
    try:
        return check_fields(fields)
    except UserError as error:
        raise SettingError(str(error)) from None


def _collect(rows: Iterable[Raw], opened: Opened, name: str, fields: dict | None, on_error: str, cut: bool) -> Tables:
    """Convert all rows; raise ``UserError`` where there is none, none is good, or a bad one is to be refused."""
    tables, total, bad, first_problem = Tables(), 0, 0, ""
    seen: set[str] = set()
    known: set[str] = set()
    for raw in joined_messages(iter(rows)):
        total += 1
        try:
            if raw.row is None:
                raise BadRow(raw.problem)
            if fields is None:
                found = convert(raw.row, cut=cut)
            else:
                known |= key_names(raw.row)
                found = convert(*map_fields(raw.row, fields, seen), cut=cut)
            for row in found:
                add_row(tables, row, raw, name, opened.file)
        except (BadRow, RecursionError) as error:
            problem = error if isinstance(error, BadRow) else "lists or mappings are nested too deeply"
            bad += 1
            opened.note_lost(raw)
            first_problem = first_problem or f"{opened.place(raw)}: {problem}"
            tables.decisions.append((row_id(name, raw), False, str(problem), evidence_of(raw)))
    if not total:
        raise UserError(f"{opened.shown}: has no rows; expected at least one")
    if fields is not None and known:
        _check_seen(fields, seen, known, opened.shown)
    if bad and on_error == "refuse":
        count = f"{bad} of {total} rows {'is' if bad == 1 else 'are'} bad"
        raise UserError(f"{first_problem} ({count}; 'on_error: drop' leaves bad rows out)")
    if bad == total:
        raise UserError(f"{first_problem} (none of the {total} rows can be read)")
    return tables


def _check_seen(fields: dict, seen: set[str], known: set[str], shown: str) -> None:
    try:
        check_seen(fields, seen, known, shown)
    except UserError as error:
        raise SettingError(str(error)) from None
