"""The rows of a part of a source in blocks: those with the same keys as columns, as whole columns are read faster."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from typing import Any, overload

from curate.sources.files.raw_row import Raw

TOGETHER = 4096  # rows that become columns at a time


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows that follow each other in a file and have the same keys, at least one; a row is made where it is asked for.

    Attributes:
        values: The values by key, in the order of the keys.
        before: How many lines or rows of the file come before.
        file: The file, as in ``Raw``.
    """

    values: dict[str, list[Any]]
    before: int
    file: str = ""

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(next(iter(self.values.values())))

    def __iter__(self) -> Iterator[Raw]:
        """Yield the rows."""
        keys = list(self.values)
        for line, held in enumerate(zip(*self.values.values(), strict=True), self.before + 1):
            yield Raw(line, dict(zip(keys, held, strict=True)), "", None, "", self.file)

    def row(self, place: int) -> Raw:
        """Return a row by its place here."""
        held = {key: values[place] for key, values in self.values.items()}
        return Raw(self.before + place + 1, held, "", None, "", self.file)

    def some(self, begin: int, end: int) -> "Columns":
        """Return the rows from one place to before another."""
        return Columns({key: values[begin:end] for key, values in self.values.items()}, self.before + begin, self.file)


Block = Columns | list[Raw]


class Rows(Sequence[Raw]):
    """The rows of a part, in blocks that follow each other.

    Attributes:
        blocks: The blocks, each with the place of its first row.
    """

    def __init__(self, blocks: Iterable[Block]) -> None:
        """Take blocks in; empty ones are left out."""
        self.blocks: list[tuple[int, Block]] = []
        self._length = 0
        for block in blocks:
            if len(block):
                self.blocks.append((self._length, block))
                self._length += len(block)
        self._begins = [begin for begin, _ in self.blocks]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self._length

    def __iter__(self) -> Iterator[Raw]:
        """Yield the rows in order."""
        return chain.from_iterable(block for _, block in self.blocks)

    @overload
    def __getitem__(self, place: int) -> Raw: ...

    @overload
    def __getitem__(self, place: slice) -> list[Raw]: ...

    def __getitem__(self, place: int | slice) -> Raw | list[Raw]:
        """Return the row at a place, or the rows at several; places count from 0."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        begin, block = self.blocks[bisect_right(self._begins, place) - 1]
        return block.row(place - begin) if isinstance(block, Columns) else block[place - begin]

    def lines(self) -> list[int]:
        """Return the line of each row."""
        found: list[int] = []
        for _, block in self.blocks:
            if isinstance(block, Columns):
                found += range(block.before + 1, block.before + 1 + len(block))
            else:
                found += [raw.line for raw in block]
        return found

    def files(self) -> list[str]:
        """Return the file of each row."""
        found: list[str] = []
        for _, block in self.blocks:
            found += repeat(block.file, len(block)) if isinstance(block, Columns) else [raw.file for raw in block]
        return found


def in_blocks(rows: Iterable[Raw]) -> Iterator[Block]:
    """Yield rows in blocks, as they come."""
    rows = iter(rows)
    while block := list(islice(rows, TOGETHER)):
        yield block


def named(block: Block, file: str) -> Block:
    """Return a block whose rows have a file, where they have none."""
    if isinstance(block, Columns):
        return block if block.file else replace(block, file=file)
    return [raw if raw.file else raw._replace(file=file) for raw in block]


def cut(blocks: Iterable[Block], sizes: Iterable[int]) -> Iterator[Rows]:
    """Yield the first so many rows of blocks, then the next, and so on; fewer where no more come."""
    blocks, held = iter(blocks), list[Block]()
    for size in sizes:
        count = sum(map(len, held))
        while count < size and (block := next(blocks, None)) is not None:
            held.append(block)
            count += len(block)
        rest: list[Block] = []
        if count > size:
            last = held.pop()
            at = len(last) - (count - size)
            held.append(last.some(0, at) if isinstance(last, Columns) else last[:at])
            rest.append(last.some(at, len(last)) if isinstance(last, Columns) else last[at:])
        yield Rows(held)
        held = rest
