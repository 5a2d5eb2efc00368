"""Sources: a file (or a data set on the hub) as prompts and recorded candidates.

``read_source(Path("seeds.jsonl"))`` reads the file, tells each row's shape and gives four tables. Formats are in
``curate.sources.file_formats``, shapes in ``curate.sources.row_formats``. A bad row is refused with its place, or with ``on_error="drop"`` left
out with a decision that says why.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from curate.sources.field_map import check_fields, check_seen, map_fields, names_of
from curate.sources.file_formats import Raw, by_lines, read_rows
from curate.sources.hub import check_options, is_hub_name, read_hub
from curate.sources.recorded_candidates import Candidate
from curate.sources.row_formats import Row, convert
from schemas.errors import UserError, unknown
from schemas.ids import content_id
from schemas.messages import BadRow, dump, dump_turns, last_text, short

TEXT, WHOLE = pl.String, pl.Int64
PROMPTS = {
    "prompt_id": TEXT,
    "messages": TEXT,
    "tools": TEXT,
    "prompt": TEXT,
    "ground_truth": TEXT,
    "source": TEXT,
    "metadata": TEXT,
    "line": WHOLE,
}
COMPLETIONS = {
    "completion_id": TEXT,
    "prompt_id": TEXT,
    "sample_index": WHOLE,
    "model": TEXT,
    "messages": TEXT,
    "response": TEXT,
    "reasoning_content": TEXT,
    "finish_reason": TEXT,
    "prompt_tokens": WHOLE,
    "completion_tokens": WHOLE,
    "parent_id": TEXT,
}
SCORES = {"row_id": TEXT, "scorer": TEXT, "value": pl.Float64, "error": TEXT, "detail": TEXT}
DECISIONS = {"row_id": TEXT, "kept": pl.Boolean, "reason": TEXT, "evidence": TEXT}
EVIDENCE = 200  # characters of a refused row that are kept


@dataclass(frozen=True)
class Source:
    """What a source holds: four tables, and how many rows of which shape were recognised."""

    prompts: pl.DataFrame
    completions: pl.DataFrame
    scores: pl.DataFrame
    decisions: pl.DataFrame
    shapes: dict[str, int]


@dataclass(slots=True)
class _Known:
    """A prompt that was read before: where, and which answers it has so far."""

    line: int
    metadata: str | None
    count: int = 0
    answers: set[tuple] = field(default_factory=set)


@dataclass
class _Tables:
    """The rows of the four tables while they are read, and the prompts so far by id."""

    prompts: list[tuple] = field(default_factory=list)
    completions: list[tuple] = field(default_factory=list)
    scores: list[tuple] = field(default_factory=list)
    decisions: list[tuple] = field(default_factory=list)
    known: dict[str, _Known] = field(default_factory=dict)
    shapes: Counter = field(default_factory=Counter)


def read_source(
    path: Path | str,
    *,
    fields: dict | None = None,
    on_error: str = "refuse",
    name: str | None = None,
    limit: int | None = None,
    hub: dict | None = None,
) -> Source:
    """Read a source.

    ``path`` is a file, or ``owner/name`` on the hub (``hub``: its ``name``, ``split``, ``revision``). ``fields`` maps
    our names to the file's (``curate.sources.field_map``). ``name`` is the ``source`` of the rows (default: the file's name).
    ``limit`` reads only the first rows, at least 1. ``on_error`` is ``refuse`` or ``drop``. A prompt that comes again
    is one prompt with the candidates of both, and a decision. Raises ``UserError`` naming file, line and finding.
    """
    if on_error not in ("refuse", "drop"):
        raise unknown("on_error", on_error, ["refuse", "drop"], str(path))
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise UserError(f"{path}: limit: expected a number of rows from 1, found {limit!r}")
    if name is not None and not isinstance(name, str):
        raise UserError(f"{path}: name: expected text, found {name!r}")
    fields = None if fields is None else check_fields(fields)
    if hub is not None or is_hub_name(path):
        rows, lines, label = read_hub(str(path), **check_options(hub or {})), False, str(path)
    else:
        path = Path(path)
        rows, lines, label = read_rows(path), by_lines(path), path.name
    tables = _collect(islice(rows, limit), str(path), name or label, fields, on_error, lines)
    return Source(
        prompts=_frame(tables.prompts, PROMPTS),
        completions=_frame(tables.completions, COMPLETIONS),
        scores=_frame(tables.scores, SCORES),
        decisions=_frame(tables.decisions, DECISIONS),
        shapes=dict(tables.shapes.most_common()),
    )


def _collect(rows: Iterable[Raw], path: str, name: str, fields: dict | None, on_error: str, lines: bool) -> _Tables:
    tables, total, bad, first_bad = _Tables(), 0, 0, ""
    seen: set[str] = set()
    known: set[str] = set()
    for raw in rows:
        total += 1
        try:
            if raw.row is None:
                raise BadRow(raw.problem)
            if fields is None:
                _add(tables, convert(raw.row), raw.line, name)
            else:
                known |= names_of(raw.row)
                _add(tables, convert(*map_fields(raw.row, fields, seen)), raw.line, name)
        except (BadRow, RecursionError) as error:
            problem = error if isinstance(error, BadRow) else "lists or mappings are nested too deeply"
            bad += 1
            first_bad = first_bad or f"{_place(path, raw, lines)}: {problem}"
            tables.decisions.append((f"{name}:{raw.line}", False, str(problem), _evidence(raw)))
    if not total:
        raise UserError(f"{path}: has no rows; expected at least one")
    if fields is not None and known:
        check_seen(fields, seen, known, path)
    if bad and on_error == "refuse":
        count = f"{bad} of {total} rows {'is' if bad == 1 else 'are'} bad"
        raise UserError(f"{first_bad} ({count}; 'on_error: drop' leaves bad rows out)")
    if bad == total:
        raise UserError(f"{first_bad} (none of the {total} rows can be read)")
    return tables


def _place(path: str, raw: Raw, lines: bool) -> str:
    column = f":{raw.column}" if raw.column else ""
    return f"{path}:{raw.line}{column}" if lines or column else f"{path}: row {raw.line}"


def _evidence(raw: Raw) -> str:
    """Return the start of a refused row."""
    if raw.row is None:
        text = raw.text
    else:
        try:
            text = dump(raw.row, "row")
        except BadRow:  # what made it bad may be what cannot be written as JSON
            text = short(raw.row, EVIDENCE)
    return text.strip()[:EVIDENCE].encode(errors="backslashreplace").decode()


def _add(tables: _Tables, row: Row, line: int, name: str) -> None:
    """Add a row to the tables: all of it, or (on ``BadRow``) nothing of it."""
    messages = dump_turns(row.messages, "messages")
    prompt_id = content_id("p", messages, row.tools, row.ground_truth)
    texts = [dump_turns(candidate.messages, "completions") for candidate in row.candidates]
    keys = [(c.model, t, tuple(sorted(c.scores.items()))) for c, t in zip(row.candidates, texts, strict=True)]
    prompt = tables.known.get(prompt_id)
    if prompt is None:
        prompt = tables.known[prompt_id] = _Known(line, row.metadata)
        text = last_text(row.messages, "user")
        tables.prompts.append((prompt_id, messages, row.tools, text, row.ground_truth, name, row.metadata, line))
        new = list(range(len(keys)))
    else:
        new = [index for index, key in enumerate(keys) if key not in prompt.answers]
        copy = "exact copy of" if not new and row.metadata == prompt.metadata else "same prompt as"
        joined = "; its answers joined" if new else ""
        tables.decisions.append((f"{name}:{line}", False, f"{copy} line {prompt.line}{joined}", prompt_id))
    for index in new:
        _add_candidate(tables, row.candidates[index], texts[index], prompt_id, prompt.count)
        prompt.count += 1
    prompt.answers.update(keys)
    tables.shapes[row.shape] += 1


def _add_candidate(tables: _Tables, candidate: Candidate, messages: str, prompt_id: str, index: int) -> None:
    response = last_text(candidate.messages, "assistant")
    completion_id = content_id("c", prompt_id, candidate.model, index, response)
    tables.completions.append(
        (
            completion_id,
            prompt_id,
            index,
            candidate.model,
            messages,
            response,
            _reasoning(candidate.messages),
            candidate.finish_reason,
            candidate.prompt_tokens,
            candidate.completion_tokens,
            None,
        )
    )
    for scorer, value in candidate.scores.items():
        error = "recorded without a value" if value is None else None
        tables.scores.append((completion_id, scorer, value, error, None))


def _reasoning(messages: list[dict]) -> str | None:
    value = messages[-1].get("reasoning_content")
    return value if isinstance(value, str) else None


def _frame(rows: list[tuple], schema: dict[str, Any]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pl.DataFrame({k: pl.Series(k, v, dtype=t) for (k, t), v in zip(schema.items(), columns, strict=True)})
