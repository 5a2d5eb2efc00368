"""Convert the rows of a part of a source: plain ones as whole columns, the others one by one, with the same tables.

A plain row is taken as a column where no other row of the part, and none of another part, has its prompt: such a row
joins nothing. All that may have to be joined is read one by one, in order.
"""

from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from curate.sources.convert_rows import Options, Problems, add_raw, convert_rows, no_collecting, read_raw
from curate.sources.facts import Facts
from curate.sources.files.raw_row import Raw
from curate.sources.open_source import Opened
from curate.sources.rows.plain_columns import PlainColumns, plain_columns
from curate.sources.rows.recorded_candidates import RECORDED
from curate.sources.rows.row_formats import Row
from curate.sources.source_tables import TABLES, Tables, frame_of_columns, identified
from schemas.errors import BadRow
from schemas.ids import content_ids
from schemas.messages import dump_texts

NONE = np.zeros(0, np.uint64)


def id_numbers(ids: list[str]) -> np.ndarray:
    """Return ids of ours as numbers of 64 bits; two that differ may have one number, which costs time only."""
    return np.frombuffer(bytes.fromhex("".join([one[2:18] for one in ids])), ">u8").astype(np.uint64)


def convert_part(
    rows: list[Raw], opened: Opened, options: Options, tables: Tables, shared: np.ndarray = NONE
) -> tuple[Problems, np.ndarray]:
    """Convert rows as ``convert_rows`` does.

    Args:
        rows: The rows.
        opened: What they come from.
        options: How they are converted.
        tables: Gets the rows; it is empty.
        shared: The numbers of the ids that other parts have too.

    Returns:
        The problems of the rows that cannot be read, and the numbers of the prompts that are not in ``tables.seen``.
    """
    with no_collecting():
        groups = plain_columns([raw.row for raw in rows]) if options.fields is None else []
        if not groups:
            return convert_rows(rows, opened, options, tables), NONE
        found = Problems()
        fast = set(chain.from_iterable(group.places for group in groups))
        slow = {place: read_raw(raw, options, found) for place, raw in enumerate(rows) if place not in fast}
        made = [_Made(group) for group in groups]
        taken = np.concatenate([shared, id_numbers(_prompt_ids(slow)), *(one.numbers for one in made)])
        values, counts = np.unique(taken, return_counts=True)
        twice = np.concatenate([shared, values[counts > 1]])
        for one in made:
            for place in one.leave(twice):
                slow[place] = read_raw(rows[place], options, found)
        made = [one for one in made if one.group.places]
        held = _add_slow(slow, rows, opened, options, tables, found, made)
        for one in made:
            one.add_to(tables, rows, options.name, opened.file)
            found.total += len(one.group.places)
        _put_in_order(tables, held, made)
    return found, np.concatenate([NONE, *(one.numbers for one in made)])


def _prompt_ids(read: dict[int, list[Row] | Exception]) -> list[str]:
    """Return the ids of the prompts of rows that were read one by one."""
    ids = []
    for row in chain.from_iterable(one for one in read.values() if not isinstance(one, Exception)):
        try:
            ids.append(identified(row)[0])
        except (BadRow, RecursionError):
            continue  # it becomes no prompt
    return ids


def _add_slow(
    slow: dict[int, Any],
    rows: list[Raw],
    opened: Opened,
    options: Options,
    tables: Tables,
    found: Problems,
    made: "list[_Made]",
) -> tuple[list[int], ...]:
    """Add the rows that were read one by one; return from which each row of each table comes.

    The others are counted where the first of them stands: what is counted first is shown first.
    """
    held: tuple[list[int], ...] = tuple([] for _ in TABLES)
    begins = {one.group.places[0]: one for one in made}
    for place in sorted([*slow, *begins]):
        if place in begins:
            begins[place].count(tables.facts)
            continue
        add_raw(rows[place], slow[place], opened, options, tables, found)
        for places, name in zip(held, TABLES, strict=True):
            places.extend([place] * (len(getattr(tables, name)) - len(places)))
    tables.flush()
    return held


def _put_in_order(tables: Tables, held: tuple[list[int], ...], made: "list[_Made]") -> None:
    """Put the rows of each table in the order of the rows that they come from."""
    for frames, name, places in zip(tables.frames, TABLES, held, strict=True):
        order = np.concatenate([np.array(places, np.int64), *(one.places(name) for one in made)])
        whole = pl.concat(frames)
        frames[:] = [whole if (order[1:] >= order[:-1]).all() else whole[np.argsort(order, kind="stable")]]


class _Made:
    """Plain rows with their ids and the JSON text of their messages."""

    def __init__(self, group: PlainColumns) -> None:
        self.group = group
        self.messages = dump_texts("user", group.prompts)
        self.ids = content_ids("p", [(one, None, None) for one in self.messages])
        self.numbers = id_numbers(self.ids)

    def leave(self, taken: np.ndarray) -> list[int]:
        """Leave out the rows whose ids have these numbers, and return their places."""
        stay = ~np.isin(self.numbers, taken)
        if stay.all():
            return []
        left = [place for place, here in zip(self.group.places, stay.tolist(), strict=True) if not here]
        kept = stay.tolist()
        self.group = self.group.only(kept)
        self.messages = [one for one, here in zip(self.messages, kept, strict=True) if here]
        self.ids = [one for one, here in zip(self.ids, kept, strict=True) if here]
        self.numbers = self.numbers[stay]
        return left

    def places(self, table: str) -> np.ndarray:
        """Return from which row each row of a table comes."""
        places = np.array(self.group.places, np.int64)
        if table == "completions":
            return np.repeat(places, self.group.counts)
        return places if table == "prompts" else places[:0]

    def add_to(self, tables: Tables, rows: list[Raw], name: str, file: str | None) -> None:
        """Add the rows to the tables."""
        group = self.group
        found = [rows[place] for place in group.places]
        prompts = {
            "prompt_id": self.ids,
            "messages": self.messages,
            "prompt": group.prompts,
            "source": name,
            "metadata": list(group.metadata),
            "line": [raw.line for raw in found],
            "file": [raw.file or file for raw in found],
        }
        tables.frames[0].append(frame_of_columns("prompts", prompts))
        owners = self.ids
        indices = [0] * len(owners)
        if len(group.answers) != len(owners):
            owners = [one for one, count in zip(owners, group.counts, strict=True) for _ in range(count)]
            indices = [index for count in group.counts for index in range(count)]
        parts = zip(owners, indices, group.answers, strict=True)
        completions = {
            "completion_id": content_ids("c", [(owner, RECORDED, index, text) for owner, index, text in parts]),
            "prompt_id": owners,
            "sample_index": indices,
            "model": RECORDED,
            "messages": dump_texts("assistant", group.answers),
            "response": group.answers,
        }
        tables.frames[1].append(frame_of_columns("completions", completions))

    def count(self, facts: Facts) -> None:
        """Count the rows."""
        facts.row_formats[self.group.row_format] += len(self.group.places)
        facts.prompt_keys[self.group.prompt_key] += len(self.group.places)
