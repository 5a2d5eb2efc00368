"""The short way for many plain rows at once (``plain_rows``): whole columns in place of a row at a time.

Rows with the same keys and kinds of values are a group. Of each group the rows are taken that ``plain_row`` reads, as
far as that is clear from a look at whole columns; in doubt a row is left out, and read by itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress, islice, repeat
from typing import Any, NamedTuple, cast

import msgspec
import polars as pl

from curate.sources.rows import layout_names as names
from curate.sources.rows.plain_rows import Plain, has_characters, plain_layout
from curate.sources.rows.row_keys import TEXT, normal, value_kind
from curate.sources.rows.row_metadata import row_metadata
from curate.sources.rows.transcripts import SIGNS as TRANSCRIPT_SIGNS
from schemas.call_text import STEMS
from schemas.reasoning import TRACE_SIGNS

FEW = 16  # rows of a group that are faster read one by one
_TRACE = "(?i)" + "|".join(map(re.escape, TRACE_SIGNS))
_CALL = "|".join(map(re.escape, STEMS))
_SPOKEN = "|".join(map(re.escape, TRANSCRIPT_SIGNS))
_LARGEST = 2**63 - 1
_encode_lines = msgspec.json.Encoder().encode_lines


@dataclass
class PlainColumns:
    """Plain rows of a layout.

    Attributes:
        row_format: The layout's name.
        prompt_key: The key of the prompt.
        places: The numbers of the rows among those that were looked at.
        prompts: The text of each row's prompt.
        answers: All answers, in the order of the rows.
        counts: How many of them each row has.
        metadata: The metadata of each row.
    """

    row_format: str
    prompt_key: str
    places: Sequence[int]
    prompts: list[str]
    answers: list[str]
    counts: list[int]
    metadata: Sequence[str | None]

    def only(self, kept: list[bool]) -> "PlainColumns":
        """Return some of the rows."""
        of_row = chain.from_iterable(map(repeat, kept, self.counts))
        return replace(
            self,
            places=list(compress(self.places, kept)),
            prompts=list(compress(self.prompts, kept)),
            answers=list(compress(self.answers, of_row)),
            counts=list(compress(self.counts, kept)),
            metadata=list(compress(self.metadata, kept)),
        )


class _Group(NamedTuple):
    """Rows with the same keys and kinds: their layout, their places, and their values by key."""

    plain: Plain
    places: Sequence[int]
    columns: dict[str, list[Any]]


def plain_columns(rows: list[dict[str, Any] | None]) -> list[PlainColumns]:
    """Return the rows that are plain, as columns; the others are read one by one.

    Args:
        rows: The rows; ``None`` in place of one that could not be read.
    """
    found: list[PlainColumns] = []
    for keys, places in _by_keys(rows).items():
        if len(places) >= FEW:
            held = [rows[place] or {} for place in places]
            found += _of_columns(places, {key: [row[key] for row in held] for key in keys})
    return found


def plain_of_columns(columns: dict[str, list[Any]]) -> list[PlainColumns]:
    """Return the rows that are plain of rows with the same keys.

    Args:
        columns: The values of all rows, by key.
    """
    count = len(next(iter(columns.values())))
    return _of_columns(range(count), columns) if count >= FEW else []


def _of_columns(places: Sequence[int], columns: dict[str, list[Any]]) -> list[PlainColumns]:
    return [found for group in _groups(places, columns) if (found := _read(group)) is not None]


def _groups(places: Sequence[int], columns: dict[str, list[Any]]) -> Iterator[_Group]:
    """Yield rows with the same keys in groups whose values are of the same kinds."""
    for kinds, chosen in _by_kinds(list(columns.values()), len(places)):
        plain = plain_layout(tuple(columns), kinds) if chosen is None or len(chosen) >= FEW else None
        if plain is not None and chosen is None:
            yield _Group(plain, places, columns)
        elif plain is not None and chosen is not None:
            some = {key: [values[at] for at in chosen] for key, values in columns.items()}
            yield _Group(plain, [places[at] for at in chosen], some)


def _by_keys(rows: list[dict[str, Any] | None]) -> dict[tuple, Sequence[int]]:
    """Return the places of the rows that have the same keys."""
    each = [() if row is None else tuple(row) for row in rows]
    if len(set(each)) == 1:
        return {each[0]: range(len(each))}
    found: dict[tuple, Sequence[int]] = {}
    for place, keys in enumerate(each):
        cast(list[int], found.setdefault(keys, [])).append(place)
    return found


def _by_kinds(columns: list[list[Any]], count: int) -> Iterator[tuple[tuple[str, ...], list[int] | None]]:
    """Yield the kinds of rows' values, with the rows that have just these; ``None`` where all have."""
    kinds = [_kinds(values) for values in columns]
    if all(isinstance(one, str) for one in kinds):
        yield tuple(map(str, kinds)), None
        return
    found: dict[tuple[str, ...], list[int]] = {}
    each = ([one] * count if isinstance(one, str) else one for one in kinds)
    for at, held in enumerate(zip(*each, strict=True)):
        found.setdefault(held, []).append(at)
    yield from found.items()


def _kinds(values: list[Any]) -> str | list[str]:
    """Return the kind of each value, or the one that all have."""
    types = set(map(type, values))
    if types == {str} and not any([not value or value.isspace() for value in values]):
        return TEXT
    kinds = list(map(value_kind, values))
    return kinds[0] if len(set(kinds)) == 1 else kinds


def _read(group: _Group) -> PlainColumns | None:
    """Return the rows of a group that are plain; None where they are few."""
    plain, columns = group.plain, group.columns
    answers, prompts = columns[plain.answer], columns[plain.prompt]
    if plain.context:
        prompts = [
            text if context in text or normal(context) in names.BLANKS else f"{text}\n\n{context}"
            for text, context in zip(prompts, columns[plain.context], strict=True)
        ]
    fit = _fit(group)
    metadata, kept = _metadata({key: columns[key] for key in plain.others}, fit)
    counts = [len(one) for one in answers] if plain.several else [1] * len(prompts)
    answers = list(chain.from_iterable(answers)) if plain.several else answers
    found = PlainColumns(plain.row_format, plain.prompt, group.places, prompts, answers, counts, metadata)
    if not all(kept):
        found = found.only(kept)
    return found if len(found.places) >= FEW else None


def _fit(group: _Group) -> list[bool]:
    """Return for each row whether it is plain for sure."""
    plain, columns = group.plain, group.columns
    fit = pl.repeat(True, len(group.places), eager=True)
    for key, values in columns.items():
        if key == plain.answer and plain.several:
            fit &= _fit_lists(values)
        elif str in set(map(type, values)):
            texts = _series([value if type(value) is str else "" for value in values])
            fit &= ~texts.str.starts_with("[") & texts.is_not_null()
            if key == plain.prompt:
                fit &= ~texts.str.contains(_SPOKEN)
            if key == plain.answer:
                fit &= _is_answer(texts)
    return fit.fill_null(False).to_list()


def _fit_lists(lists: list[list[Any]]) -> pl.Series:
    """Return for each list whether it holds answers that are texts without a trace and a call."""
    flat = [value if type(value) is str else None for value in chain.from_iterable(lists)]
    fit = iter(_is_answer(_series(flat)).fill_null(False).to_list())
    return pl.Series([all(list(islice(fit, len(one)))) for one in lists])


def _is_answer(texts: pl.Series) -> pl.Series:
    """Return whether answers have no sign of a trace or a call; null for null."""
    return ~(texts.str.contains(_TRACE) | texts.str.contains(_CALL))


def _series(texts: list[str | None]) -> pl.Series:
    """Return texts as a series; null in place of one with half of a surrogate pair."""
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series([text if text is None or has_characters(text) else None for text in texts], dtype=pl.String)


def _metadata(others: dict[str, list[Any]], fit: list[bool]) -> tuple[Sequence[str | None], list[bool]]:
    """Return the metadata of each row, and whether the row is fit and its values are kept as they are."""
    if not others:
        return [None] * len(fit), fit
    rows = [dict(zip(others, values, strict=True)) for values in zip(*others.values(), strict=True)]
    if all(fit) and all(map(_is_simple, others.values())) and all(map(has_characters, others)):
        return _encode_lines(rows).decode().split("\n")[:-1], fit
    made = [row_metadata(row, {}) if here else (None, ()) for row, here in zip(rows, fit, strict=True)]
    return [text for text, _ in made], [here and not changed for here, (_, changed) in zip(fit, made, strict=True)]


def _is_simple(values: list[Any]) -> bool:
    """Return whether msgspec writes values as Python does: texts, whole numbers that are not huge, true and false."""
    types = set(map(type, values))
    if not types <= {str, int, bool}:
        return False
    return int not in types or max(abs(value) for value in values if type(value) is int) <= _LARGEST
