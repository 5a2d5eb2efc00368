"""Reads the general prompts and texts: those that come with gristmill, or a recipe's own files."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from curate.sources.files.json_files import read_json_lines
from curate.sources.files.raw_row import Reading
from schemas.counted import counted
from schemas.errors import UserError, kind_of, unknown
from schemas.ids import content_id, fingerprint
from schemas.recipe import Recipe

FOLDER = Path(__file__).parent
MOST, LONGEST = 1000, 20_000  # rows of a file, characters of a row
FEWEST = 8  # texts, of which an interval says something


class General(NamedTuple):
    """The prompts and texts that every model is asked beside the held-out prompts.

    Attributes:
        prompts: The texts of the prompts.
        texts: The texts whose losses are measured.
        answers: Prompts with recorded answers of the recipe's own, whose losses are measured.
    """

    prompts: list[str]
    texts: list[str]
    answers: dict[str, str]

    def key(self) -> str:
        """Return a hash of all of them."""
        return fingerprint([self.prompts, self.texts, *([self.answers] if self.answers else [])])


def general_set(recipe: Recipe) -> General | None:
    """Return the general prompts and texts of a recipe's evaluation; None where ``retention`` is switched off.

    Raises:
        UserError: A file of the recipe's own cannot be read, or a row of it is no text.
    """
    retention = recipe.evaluate.retention if recipe.evaluate else None
    if retention is None:
        return None
    given = {"prompt": retention.prompts, "text": retention.texts}
    prompts, texts = (
        _rows(FOLDER / f"{key}s.jsonl" if file is None else _own_file(recipe, f"{key}s", file), key)
        for key, file in given.items()
    )
    answers = retention.answers
    recorded = _rows(_own_file(recipe, "answers", answers), "prompt", "completion") if answers else {}
    return General([*prompts], [*texts], recorded)


def item_id(text: str) -> str:
    """Return the id of a general prompt or text, which stands for ``row_id`` and ``prompt_id``."""
    return content_id("g", text)


def as_messages(prompt: str) -> str:
    """Return a prompt as JSON text of a conversation."""
    return json.dumps([{"role": "user", "content": prompt}], ensure_ascii=False)


def _own_file(recipe: Recipe, key: str, name: str) -> Path:
    """Return a recipe's own file. Raises ``UserError`` if there is none."""
    file = recipe.path.parent / name
    if not file.is_file():
        where = recipe.where("evaluate", "retention", key)
        raise UserError(f"{where}: evaluate.retention.{key}: there is no file {str(file)!r}")
    return file


def _rows(file: Path, key: str, other: str = "") -> dict[str, str]:
    """Return the texts of a JSON Lines file, each once; with each what the row has under ``other``, or ""."""
    texts: dict[str, str] = {}
    for raw in read_json_lines(file, Reading()):
        where = f"{file}:{raw.line}"
        if raw.row is None:
            raise UserError(f"{where}: {raw.problem}")
        texts[_text(raw.row, key, where)] = _text(raw.row, other, where) if other else ""
        if len(texts) > MOST:
            raise UserError(
                f"{where}: more than {MOST:,} rows; a general set is asked of every model, so keep it small"
            )
    if len(texts) < FEWEST:
        needed = f"{key!r} and a {other!r}" if other else repr(key)
        raise UserError(f"{file}: {counted(len(texts), 'row')}; expected at least {FEWEST}, each with a {needed}")
    return texts


def _text(row: dict[str, Any], key: str, where: str) -> str:
    """Return the text of a row. Raises ``UserError`` if it has none, or more than a text."""
    if not isinstance(row, dict) or key not in row:
        if isinstance(row, dict) and row:
            raise unknown("key", next(iter(row)), [key], where)
        raise UserError(f"{where}: expected {{{json.dumps(key)}: ...}}, found {kind_of(row, 'nothing')}")
    value = row[key]
    if not isinstance(value, str) or not value.strip():
        found = "an empty text" if isinstance(value, str) else kind_of(value, "nothing")
        raise UserError(f"{where}: {key}: expected a text, found {found}")
    if len(value) > LONGEST:
        raise UserError(f"{where}: {key}: {len(value):,} characters; expected at most {LONGEST:,}")
    return value
