"""The facts of an export once its rows are written: its further files and its card are made of them."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curate.export.arrow_schema import Type


@dataclass
class About:
    """An export.

    Attributes:
        name: The dataset's name.
        kind: Its type: ``sft``, ``preference``, ``unpaired`` or ``prompt``.
        recipe: The name of its recipe.
        format: The format's name.
        folder: The folder that it will be in.
        form: Whether all rows had the format's simpler form, where it has one.
        columns: The names of the columns that the rows had before the format.
        splits: The rows of each split, ``train`` first.
        written: The files of each split, relative to the folder.
        lost: What rows lost in this format, with the number of rows.
        left_out: Why rows were left out, with the number of rows.
        notes: What else a reader should know.
        types: The types of the columns, where the card says them as the files do not.
    """

    name: str
    kind: str
    recipe: str
    format: str
    folder: Path
    form: bool = False
    columns: list[str] = field(default_factory=list)
    splits: dict[str, int] = field(default_factory=dict)
    written: dict[str, list[str]] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    types: Mapping[str, Type] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The rows of all splits."""
        return sum(self.splits.values())

    @property
    def train_split(self) -> str:
        """The split to train on: ``train``, or the first."""
        return next(iter(self.splits), "train")

    @property
    def shown(self) -> str:
        """The folder's name, as a word of a shell."""
        return shlex.quote(self.folder.name)

    @property
    def first_file(self) -> str:
        """The first file of the split to train on, from the folder that holds the export."""
        return f"{self.folder.name}/{self.written[self.train_split][0]}"
