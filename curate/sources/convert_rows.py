"""Convert the raw rows of a source, or of a part of it, to rows of tables; a row that cannot be read is a problem."""

import gc
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from curate.sources.files.raw_row import Raw
from curate.sources.files.row_blocks import TOGETHER
from curate.sources.open_source import Opened
from curate.sources.rows.field_map import check_seen, key_names, map_fields
from curate.sources.rows.row_formats import Row, convert
from curate.sources.source_tables import Tables, add_row, evidence_of, row_id
from schemas.errors import BadRow, SettingError, UserError


class Options(NamedTuple):
    """How rows are converted.

    Attributes:
        name: The value of ``source`` in the prompts.
        fields: Maps our names to the names of the file's keys.
        cut: Whether turns at the end of a conversation that nothing answers are left out.
    """

    name: str
    fields: dict | None
    cut: bool


@dataclass
class Problems:
    """How many rows there were and how many are bad, the first problem, and the keys that ``fields`` names.

    Attributes:
        total: How many rows were read.
        bad: How many cannot be read.
        first: The place and the problem of the first of them.
        seen: The keys of ``fields`` that a row had.
        known: The keys that the rows have.
    """

    total: int = 0
    bad: int = 0
    first: str = ""
    seen: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)

    def add(self, other: "Problems") -> None:
        """Add the problems of a later part."""
        self.total, self.bad, self.first = self.total + other.total, self.bad + other.bad, self.first or other.first
        self.seen |= other.seen
        self.known |= other.known

    def refuse(self, opened: Opened, on_error: str, fields: Mapping[str, Any] | None) -> None:
        """Raise ``UserError`` where there is no row, none is good, or a bad one is to be refused.

        Args:
            opened: The source, for errors.
            on_error: ``refuse`` refuses bad rows.
            fields: The keys that the recipe names; one that no row has is refused.
        """
        if not self.total:
            raise UserError(f"{opened.shown}: has no rows; expected at least one")
        if fields is not None and self.known:
            try:
                check_seen(dict(fields), self.seen, self.known, opened.shown)
            except UserError as error:
                raise SettingError(str(error)) from None
        if self.bad and on_error == "refuse":
            count = f"{self.bad} of {self.total} rows {'is' if self.bad == 1 else 'are'} bad"
            raise UserError(f"{self.first} ({count}; 'on_error: drop' leaves bad rows out)")
        if self.bad == self.total:
            raise UserError(f"{self.first} (none of the {self.total} rows can be read)")


def convert_rows(rows: Iterable[Raw], opened: Opened, options: Options, tables: Tables) -> Problems:
    """Convert rows, add them to the tables, and return the problems of those that cannot be read.

    Args:
        rows: The rows; of a table with a message a row, the trees.
        opened: What they come from.
        options: How they are converted.
        tables: Gets the rows.
    """
    found = Problems()
    with no_collecting():
        _convert(rows, opened, options, tables, found)
    return found


@contextmanager
def no_collecting() -> Generator[None]:
    """Look for no circles of objects within the block: rows make none, and looking takes a quarter of their time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _convert(rows: Iterable[Raw], opened: Opened, options: Options, tables: Tables, found: Problems) -> None:
    for number, raw in enumerate(rows, 1):
        if not number % TOGETHER:
            tables.flush()
        add_raw(raw, read_raw(raw, options, found), opened, options, tables, found)


def read_raw(raw: Raw, options: Options, found: Problems) -> list[Row] | Exception:
    """Return the prompts of a row with their candidates, or what is wrong with it.

    Args:
        raw: The row.
        options: How it is converted.
        found: Counts it.
    """
    found.total += 1
    try:
        if raw.row is None:
            return BadRow(raw.problem)
        if options.fields is None:
            return convert(raw.row, cut=options.cut)
        found.known |= key_names(raw.row)
        return convert(*map_fields(raw.row, options.fields, found.seen), cut=options.cut)
    except (BadRow, RecursionError) as error:
        return error


def add_raw(
    raw: Raw, read: list[Row] | Exception, opened: Opened, options: Options, tables: Tables, found: Problems
) -> None:
    """Add what ``read_raw`` returned of a row to the tables, or a decision that says what is wrong with the row."""
    try:
        if isinstance(read, Exception):
            raise read
        for row in read:
            add_row(tables, row, raw, options.name, opened.file)
    except (BadRow, RecursionError) as error:
        problem = error if isinstance(error, BadRow) else "lists or mappings are nested too deeply"
        found.bad += 1
        opened.note_lost(raw)
        found.first = found.first or f"{opened.place(raw)}: {problem}"
        tables.decisions.append((row_id(options.name, raw), False, str(problem), evidence_of(raw)))
