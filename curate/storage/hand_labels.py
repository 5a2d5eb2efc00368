"""Labels that a person gives by hand: keep, drop, prefer, edit, note; a file of JSON lines in the store, appended to.

Labels are of rows by their content ids, so they hold in every run that has the rows. The last label of a row of its
kind is in force: keep and drop are one kind, and so is each pair of rows that is compared. Nothing is ever taken out of
the file: ``clear`` takes labels back. A file of the same lines may be shipped with a recipe (``by_hand: FILE``).
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate.storage.damage import Damaged
from curate.storage.files import sync
from curate.storage.store import Store
from schemas.errors import BadRow, UserError, unknown
from schemas.json_text import encodable, parse

FILE = "by_hand.jsonl"  # in a store
LABELS = ("keep", "drop", "prefer", "edit", "note", "clear")
LONGEST = 1_000_000  # characters of an edited answer or a note
LONGEST_LINE = 16_000_000  # bytes: such a text as JSON, with what is beside it
ID_LENGTH = 200
KEYS = frozenset(("row_id", "label", "over", "text", "by", "at"))


@dataclass(frozen=True)
class HandLabel:
    """A label: ``row_id`` is kept or dropped, is better than ``over``, should be ``text``, or has the note ``text``.

    Attributes:
        row_id: The id of a prompt or of a candidate.
        label: One of ``LABELS``.
        over: The id of the candidate that ``row_id`` is better than, for ``prefer``.
        text: The edited answer, or the note; for keep and drop a reason, if there is one.
        by: The name of the person who gave it.
        at: When, in UTC: ``2026-11-30T12:00:00Z``.
    """

    row_id: str
    label: str
    over: str | None = None
    text: str | None = None
    by: str | None = None
    at: str | None = None

    @property
    def kind(self) -> tuple[str, ...]:
        """The key of which only the last label is in force."""
        if self.label == "prefer":
            return ("prefer", *sorted((self.row_id, self.over or "")))
        return ("fate" if self.label in ("keep", "drop") else self.label, self.row_id)


def add_label(store: Store, label: HandLabel) -> HandLabel:
    """Append a label to the store's file, and return it with the time; it is on the disk when this returns.

    Raises:
        UserError: The label is not one, or the file cannot be written.
    """
    made = check_label({**asdict(label), "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}, "the label")
    path = labels_path(store)
    _refuse_no_file(path)
    line = json.dumps({key: value for key, value in asdict(made).items() if value is not None}, ensure_ascii=True)
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            size = os.fstat(number).st_size
            torn = size > 0 and os.pread(number, 1, size - 1) != b"\n"  # a power cut in the middle of a line
            os.write(number, (b"\n" if torn else b"") + line.encode() + b"\n")
            os.fsync(number)
        finally:
            os.close(number)
        if size == 0:
            sync(path.parent)
    except OSError as error:
        raise UserError(f"{path}: a label cannot be written here: {error.strerror}") from None
    return made


def labels_path(store: Store) -> Path:
    """Return the path of the store's file of labels."""
    return store.path / FILE


def read_labels(path: Path, *, own: bool = True) -> list[HandLabel]:
    """Return the labels in force in a file, in the order in which they were given; none where there is no file.

    Args:
        path: The file.
        own: Whether it is a store's own file, of which a torn last line (no line end) is left out.

    Raises:
        UserError: The file cannot be read, or a line is no label.
    """
    if own and not path.exists() and not path.is_symlink():
        return []
    _refuse_no_file(path)
    numbered = ((number, line) for number, line in _lines(path) if line.strip() and (line[-1] == "\n" or not own))
    return in_force(read for number, line in numbered if (read := _read(line, f"{path}:{number}", own)) is not None)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers, each with its line end."""
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise UserError(f"{path}:{number}: this line has over {LONGEST_LINE:,} bytes, so it is no label")
                yield number, line.decode()
    except OSError as error:
        raise UserError(f"{path}: the labels cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}:{number}: this line is not UTF-8") from None


def in_force(labels: Iterable[HandLabel]) -> list[HandLabel]:
    """Return the labels that no later label of the same row and kind replaced or took back."""
    found: dict[tuple[str, ...], HandLabel] = {}
    kinds: dict[str, set[tuple[str, ...]]] = {}  # by row: a label is taken back without a look at all others
    for label in labels:
        if label.label == "clear":
            for kind in kinds.pop(label.row_id, ()):
                found.pop(kind, None)
            continue
        found.pop(label.kind, None)  # so that the order is that of the last ones
        found[label.kind] = label
        for row in (label.row_id, label.over):
            if row:
                kinds.setdefault(row, set()).add(label.kind)
    return list(found.values())


def check_label(value: Any, where: str) -> HandLabel:
    """Return a label from the mapping of a JSON line.

    Raises:
        UserError: It is no label.
    """
    if not isinstance(value, dict):
        raise UserError(f'{where}: a label is a mapping such as {{"row_id": "c_...", "label": "keep"}}')
    for key in value.keys() - KEYS:
        raise UserError(f"{where}: {unknown('key', key, KEYS)}")
    _refuse_surrogates(value, where)
    wrong = [key for key, one in value.items() if one is not None and not isinstance(one, str)]
    if wrong:
        raise UserError(f"{where}: {wrong[0]} must be a text")
    label = HandLabel(**{"row_id": "", "label": "", **value})
    if label.label not in LABELS:
        raise UserError(f"{where}: {unknown('label', label.label, LABELS)}")
    for name in ("row_id", "over", "by", "at"):
        if len(getattr(label, name) or "") > ID_LENGTH:
            raise UserError(f"{where}: {name} has over {ID_LENGTH} characters")
    if not label.row_id or (label.label == "prefer") != bool(label.over) or label.over == label.row_id:
        raise UserError(
            f"{where}: a label needs row_id, and 'prefer' (it alone) needs over, the id of another candidate"
        )
    if label.label in ("edit", "note") and not (label.text or "").strip():
        raise UserError(f"{where}: {label.label} needs text")
    if len(label.text or "") > LONGEST:
        raise UserError(f"{where}: text has over {LONGEST:,} characters")
    return label


def _refuse_surrogates(value: dict, where: str) -> None:
    try:
        for key, one in value.items():
            encodable(one if isinstance(one, str) else "", key)
    except BadRow as error:
        raise UserError(f"{where}: {error}") from None


def _read(line: str, where: str, own: bool) -> HandLabel | None:
    try:
        return check_label(parse(line), where)
    except ValueError:
        if own:  # a line that a power cut tore, which a later label went on behind
            return None
        raise UserError(f"{where}: this line is no JSON") from None


def _refuse_no_file(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Damaged(path, "is no plain file", "move it away")
    if not path.exists() and path.name != FILE:
        raise UserError(f"{path}: no such file")
