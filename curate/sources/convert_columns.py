"""Convert the rows of a part of a source: plain ones as whole columns, the others one by one, with the same tables.

A plain row is taken as a column where no other row of the part, and none of another part, has its prompt: such a row
joins nothing. All that may have to be joined is read one by one, in order.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from typing import Any

import msgspec
import numpy as np
import polars as pl

from curate.sources.convert_rows import Options, Problems, add_raw, convert_rows, no_collecting, read_raw
from curate.sources.files.row_blocks import TOGETHER, Columns, Rows
from curate.sources.open_source import Opened
from curate.sources.rows.plain_columns import PlainColumns, plain_columns, plain_of_columns
from curate.sources.rows.recorded_candidates import RECORDED
from curate.sources.rows.row_formats import Row
from curate.sources.source_tables import TABLES, Tables, frame_of_columns, identified
from schemas.errors import BadRow
from schemas.ids import content_ids

_encode = msgspec.json.Encoder().encode
NONE = np.zeros(0, np.uint64)


def digest_numbers(ids: list[str]) -> np.ndarray:
    """Return ids of ours as numbers of 64 bits; two that differ may have one number, which costs time only."""
    return np.frombuffer(bytes.fromhex("".join([one[2:18] for one in ids])), ">u8").astype(np.uint64)


def convert_part(
    rows: Rows, opened: Opened, options: Options, tables: Tables, shared: np.ndarray = NONE
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
        made = _made(rows) if options.fields is None else _Made()
        if not made.places:
            return convert_rows(rows, opened, options, tables), NONE
        found = Problems()
        slow = {place: read_raw(rows[place], options, found) for place in _others(made.places, len(rows))}
        numbers = digest_numbers(made.ids)
        values, counts = np.unique(np.concatenate([numbers, digest_numbers(_prompt_ids(slow))]), return_counts=True)
        alone = ~np.isin(numbers, np.concatenate([shared, values[counts > 1]]))
        if not alone.all():
            for place in compress(made.places, ~alone):
                slow[place] = read_raw(rows[place], options, found)
            made, numbers = made.only(alone.tolist()), numbers[alone]
        held = _add_slow(slow, rows, opened, options, tables, found, made)
        found.total += len(made.places)
        _add_columns(made, rows, options.name, opened.file, tables)
        _put_in_order(tables, held, made)
    return found, numbers


@dataclass
class _Made:
    """Plain rows with their ids, and their messages as JSON text; ``places`` are their places in the part."""

    places: list[int] = field(default_factory=list)
    kinds: list[tuple[str, str]] = field(default_factory=list)  # the layout of each row, and the key of its prompt
    ids: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    metadata: list[str | None] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def add(self, group: PlainColumns, begin: int) -> None:
        """Add rows, whose places count from ``begin``."""
        messages = _as_messages("user", group.prompts)
        self.places += [begin + place for place in group.places]
        self.kinds += [(group.row_format, group.prompt_key)] * len(group.places)
        self.ids += content_ids("p", [(one, None, None) for one in messages])
        self.messages += messages
        self.prompts += group.prompts
        self.metadata += group.metadata
        self.counts += group.counts
        self.answers += group.answers

    def only(self, kept: list[bool]) -> "_Made":
        """Return some of the rows."""
        of_row = list(chain.from_iterable(map(repeat, kept, self.counts)))
        held = {name: of_row if name.startswith("answer") else kept for name in vars(self)}
        return _Made(**{name: list(compress(values, held[name])) for name, values in vars(self).items()})

    def table_places(self, table: str) -> np.ndarray:
        """Return from which row each row of a table comes."""
        places = np.array(self.places, np.int64)
        if table == "completions":
            return np.repeat(places, self.counts)
        return places if table == "prompts" else places[:0]


def _made(rows: Rows) -> _Made:
    """Return the plain rows of a part; it is looked through in slices that stay in the processor's cache."""
    made = _Made()
    for first, block in rows.blocks:
        for begin in range(0, len(block), TOGETHER):
            if isinstance(block, Columns):
                groups = plain_of_columns(block.some(begin, begin + TOGETHER).values)
            else:
                groups = plain_columns([raw.row for raw in block[begin : begin + TOGETHER]])
            for group in groups:
                made.add(group, first + begin)
    return made


def _others(places: list[int], count: int) -> list[int]:
    """Return the places that are not among some."""
    left = np.ones(count, bool)
    left[places] = False
    return np.flatnonzero(left).tolist()


def _as_messages(role: str, texts: list[str]) -> list[str]:
    """Return each text as ``schemas.messages.dump_turns`` writes one message; no text has half of a surrogate pair."""
    return [f'[{{"role":"{role}","content":{_encode(text).decode()}}}]' for text in texts]


def _messages_of(role: str, texts: pl.Series) -> pl.Series:
    """Return such messages of whole columns; Polars writes a text as ``_encode`` does, and faster."""
    message = pl.select(role=pl.lit(role), content=texts).to_struct()
    return pl.select(pl.concat_str(pl.lit("["), message.struct.json_encode(), pl.lit("]"))).to_series()


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
    rows: Rows,
    opened: Opened,
    options: Options,
    tables: Tables,
    found: Problems,
    made: _Made,
) -> tuple[list[int], ...]:
    """Add the rows that were read one by one, and count all; return from which row each row of each table comes.

    The others are counted where the first of their kind stands: what is counted first is shown first.
    """
    held: tuple[list[int], ...] = tuple([] for _ in TABLES)
    begins: dict[tuple[str, str], int] = {}
    for kind, place in zip(
        made.kinds, made.places, strict=True
    ):  # rows of other keys may stand between those of a kind
        begins[kind] = min(place, begins.get(kind, place))
    kinds, counts = {place: kind for kind, place in begins.items()}, Counter(made.kinds)
    for place in sorted([*slow, *kinds]):
        if place in kinds:
            row_format, key = kinds[place]
            tables.facts.row_formats[row_format] += counts[kinds[place]]
            tables.facts.prompt_keys[key] += counts[kinds[place]]
            continue
        add_raw(rows[place], slow[place], opened, options, tables, found)
        for places, name in zip(held, TABLES, strict=True):
            places.extend([place] * (len(getattr(tables, name)) - len(places)))
    tables.flush()
    return held


def _add_columns(made: _Made, rows: Rows, name: str, file: str | None, tables: Tables) -> None:
    """Add plain rows to the tables."""
    lines, files = rows.lines(), [one or file for one in rows.files()]
    prompts = {
        "prompt_id": made.ids,
        "messages": made.messages,
        "prompt": made.prompts,
        "source": name,
        "metadata": made.metadata if any(made.metadata) else None,
        "line": [lines[place] for place in made.places],
        "file": files[0] if len(set(files)) == 1 else [files[place] for place in made.places],
    }
    tables.frames[0].append(frame_of_columns("prompts", prompts))
    owners, indices = made.ids, [0] * len(made.ids)
    if made.answers and max(made.counts) > 1:
        owners = list(chain.from_iterable(map(repeat, made.ids, made.counts)))
        indices = list(chain.from_iterable(map(range, made.counts)))
    parts = zip(owners, indices, made.answers, strict=True)
    answers = pl.Series(made.answers, dtype=pl.String)
    completions = {
        "completion_id": content_ids("c", [(owner, RECORDED, index, text) for owner, index, text in parts]),
        "prompt_id": owners,
        "sample_index": indices,
        "model": RECORDED,
        "messages": _messages_of("assistant", answers),
        "response": answers,
    }
    tables.frames[1].append(frame_of_columns("completions", completions))


def _put_in_order(tables: Tables, held: tuple[list[int], ...], made: _Made) -> None:
    """Put the rows of each table in the order of the rows that they come from."""
    for frames, name, places in zip(tables.frames, TABLES, held, strict=True):
        order = np.concatenate([np.array(places, np.int64), made.table_places(name)])
        whole = pl.concat(frames)
        frames[:] = [whole if (order[1:] >= order[:-1]).all() else whole[np.argsort(order, kind="stable")]]
