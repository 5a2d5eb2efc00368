"""Read a source (a file, or a data set on the hub) as prompts with their recorded candidates.

``read_source(Path("seeds.jsonl"))`` reads the file, recognises the format of each row and returns four tables.
``curate.sources.open_source`` opens files, data sets and queries, ``curate.sources.rows.row_formats`` converts rows.
A bad row is refused with its line, or with ``on_error="drop"`` left out with a decision that says why.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import polars as pl

from curate.sources.files.raw_row import Raw
from curate.sources.message_tables import joined_messages
from curate.sources.open_source import Opened, open_source
from curate.sources.remote.urls import is_url, shown_url
from curate.sources.rows.field_map import check_fields, check_seen, key_names, map_fields
from curate.sources.rows.recorded_candidates import Candidate
from curate.sources.rows.row_formats import Row, convert
from curate.storage.polars_types import polars_schema
from schemas.errors import BadRow, SettingError, UserError, short_repr, unknown
from schemas.ids import content_id
from schemas.json_text import dump
from schemas.messages import Message, dump_turns, last_text
from schemas.rows import COMPLETIONS, DECISIONS, PROMPTS, SCORES

# Columns of the contract that a source has no values for: a model made the row, or the pipeline names the stage.
NOT_IN_SOURCES = {"prompts": ("parent_ids", "family"), "completions": ("error",), "decisions": ("stage",)}
EVIDENCE = 200  # characters of a refused row that are kept


@dataclass(frozen=True)
class Source:
    """The contents of a source, in the columns of ``schemas.rows`` but for ``NOT_IN_SOURCES``.

    Attributes:
        prompts: The prompts; each differs from the others in its messages, tools or ground truth.
        completions: The recorded candidates of the prompts.
        scores: The recorded scores of the candidates.
        decisions: The rows that were joined to an earlier prompt or refused, with the reason.
        row_formats: How many rows of each format were recognised, the most frequent first.
        prompt_keys: The keys that prompts were under, with the number of rows.
        unclear: The keys of verdicts, system texts and further prompts that were not understood, with the number of
            rows; they are in the metadata.
        unused: The keys that look like an answer and went to the metadata, with the number of rows.
        truths: The keys that went to the ground truth, with the number of rows.
        truths_alone: Of rows without an answer: the key that went to the ground truth and the key of the prompt, with
            the number of prompts.
        changed: The keys whose values JSON does not have (bytes, infinity), kept in another form, with the number of
            rows.
        notes: What the readers of the files decided: the split that was read, files and keys that were left out.
        warnings: What a user should look at, such as a file that is not read to its end.
    """

    prompts: pl.DataFrame
    completions: pl.DataFrame
    scores: pl.DataFrame
    decisions: pl.DataFrame
    row_formats: dict[str, int]
    prompt_keys: dict[str, int] = field(default_factory=dict)
    unused: dict[str, int] = field(default_factory=dict)
    unclear: dict[str, int] = field(default_factory=dict)
    truths: dict[str, int] = field(default_factory=dict)
    truths_alone: dict[tuple[str, str], int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _SeenPrompt:
    """A prompt that was read before: its first place, and the keys of the candidates it has so far."""

    file: str
    line: int
    metadata: str | None
    count: int = 0
    candidate_keys: set[tuple] = field(default_factory=set)


@dataclass
class _Tables:
    """The rows of the four tables while they are read, and the prompts so far by id."""

    prompts: list[tuple] = field(default_factory=list)
    completions: list[tuple] = field(default_factory=list)
    scores: list[tuple] = field(default_factory=list)
    decisions: list[tuple] = field(default_factory=list)
    seen: dict[str, _SeenPrompt] = field(default_factory=dict)
    row_formats: Counter = field(default_factory=Counter)
    prompt_keys: Counter = field(default_factory=Counter)
    unused: Counter = field(default_factory=Counter)
    unclear: Counter = field(default_factory=Counter)
    truths: Counter = field(default_factory=Counter)
    truths_alone: Counter = field(default_factory=Counter)
    changed: Counter = field(default_factory=Counter)


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

    Raises:
        UserError: An option is wrong, or the source cannot be read; the message names the file, the line and the
            problem.
    """
    where = shown_url(path) if isinstance(path, str) and is_url(path) else str(path)
    if on_error not in ("refuse", "drop"):
        raise SettingError(str(unknown("on_error", on_error, ["refuse", "drop"], where)))
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise SettingError(f"{where}: limit: expected a number of rows from 1, found {limit!r}")
    if name is not None and not isinstance(name, str):
        raise SettingError(f"{where}: name: expected text, found {name!r}")
    fields = None if fields is None else _checked_fields(fields)
    if split is not None and not isinstance(split, str):
        raise SettingError(f"{where}: split: expected the name of a split, found {split!r}")
    opened = open_source(path, sql=sql, split=split, hub=hub)
    tables = _collect(islice(opened.rows, limit), opened, name or opened.name, fields, on_error)
    return Source(
        prompts=_frame("prompts", tables.prompts, PROMPTS),
        completions=_frame("completions", tables.completions, COMPLETIONS),
        scores=_frame("scores", tables.scores, SCORES),
        decisions=_frame("decisions", tables.decisions, DECISIONS),
        row_formats=dict(tables.row_formats.most_common()),
        prompt_keys=dict(tables.prompt_keys.most_common()),
        unused=dict(tables.unused.most_common()),
        unclear=dict(tables.unclear.most_common()),
        truths=dict(tables.truths.most_common()),
        truths_alone=dict(tables.truths_alone.most_common()),
        changed=dict(tables.changed.most_common()),
        notes=opened.reading.texts(),
        warnings=tuple(opened.reading.warnings),
    )


def _checked_fields(fields: dict) -> dict:
    try:
        return check_fields(fields)
    except UserError as error:
        raise SettingError(str(error)) from None


def _collect(rows: Iterable[Raw], opened: Opened, name: str, fields: dict | None, on_error: str) -> _Tables:
    """Convert all rows; raise ``UserError`` where there is none, none is good, or a bad one is to be refused."""
    tables, total, bad, first_problem = _Tables(), 0, 0, ""
    seen: set[str] = set()
    known: set[str] = set()
    for raw in joined_messages(iter(rows)):
        total += 1
        try:
            if raw.row is None:
                raise BadRow(raw.problem)
            if fields is None:
                found = convert(raw.row)
            else:
                known |= key_names(raw.row)
                found = convert(*map_fields(raw.row, fields, seen))
            for row in found:
                _add(tables, row, raw, name, opened.file)
        except (BadRow, RecursionError) as error:
            problem = error if isinstance(error, BadRow) else "lists or mappings are nested too deeply"
            bad += 1
            opened.note_lost(raw)
            first_problem = first_problem or f"{opened.place(raw)}: {problem}"
            tables.decisions.append((_row_id(name, raw), False, str(problem), _evidence(raw)))
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


def _row_id(name: str, raw: Raw) -> str:
    """Return the id of a row that becomes no prompt: the source's name, the file where it has several, and the line."""
    return f"{name}/{raw.file}:{raw.line}" if raw.file else f"{name}:{raw.line}"


def _evidence(raw: Raw) -> str:
    """Return the start of a refused row as text."""
    if raw.row is None:
        text = raw.text
    else:
        try:
            text = dump(raw.row, "row")
        except BadRow:  # a row may be bad because it cannot be written as JSON
            text = short_repr(raw.row, EVIDENCE)
    return text.strip()[:EVIDENCE].encode(errors="backslashreplace").decode()


def _add(tables: _Tables, row: Row, raw: Raw, name: str, file: str | None) -> None:
    """Add a row to the tables: all of it, or (on ``BadRow``) nothing of it."""
    messages = dump_turns(row.messages, "messages")
    prompt_id = content_id("p", messages, row.tools, row.ground_truth)
    texts = [dump_turns(candidate.messages, "completions") for candidate in row.candidates]
    keys = [(c.model, t, tuple(sorted(c.scores.items()))) for c, t in zip(row.candidates, texts, strict=True)]
    prompt = tables.seen.get(prompt_id)
    is_new = prompt is None
    if prompt is None:
        prompt = tables.seen[prompt_id] = _SeenPrompt(raw.file, raw.line, row.metadata)
        text = last_text(row.messages, "user")
        place = (raw.line, raw.file or file)
        tables.prompts.append((prompt_id, messages, row.tools, text, row.ground_truth, name, row.metadata, *place))
        new = list(range(len(keys)))
    else:
        new = [index for index, key in enumerate(keys) if key not in prompt.candidate_keys]
        copy = "exact copy of" if not new and row.metadata == prompt.metadata else "same prompt as"
        of = f" of {prompt.file}" if prompt.file != raw.file else ""
        joined = "; its answers joined" if new else ""
        differs = row.metadata not in (None, prompt.metadata)
        reason = f"{copy} line {prompt.line}{of}{joined}{'; its metadata differ' if differs else ''}"
        evidence = f"{prompt_id}, metadata {row.metadata}" if differs else prompt_id
        tables.decisions.append((_row_id(name, raw), False, reason, evidence))
    for index in new:
        _add_candidate(tables, row.candidates[index], texts[index], prompt_id, prompt.count)
        prompt.count += 1
    prompt.candidate_keys.update(keys)
    tables.row_formats[row.row_format] += 1
    tables.prompt_keys[row.prompt_key] += 1
    for count, found in ((tables.unused, row.unused), (tables.unclear, row.unclear), (tables.changed, row.changed)):
        if found:
            count.update(found)
    if row.truth:
        tables.truths[row.truth] += 1
        if is_new and not row.candidates:
            tables.truths_alone[row.truth, row.prompt_key] += 1


def _add_candidate(tables: _Tables, candidate: Candidate, messages: str, prompt_id: str, index: int) -> None:
    """Add the candidate number ``index`` of a prompt, and its scores, to the tables."""
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


def _reasoning(messages: list[Message]) -> str | None:
    """Return the reasoning trace of the last message, or ``None``."""
    value = messages[-1].get("reasoning_content")
    return value if isinstance(value, str) else None


def _frame(table: str, rows: list[tuple], contract: dict[str, str]) -> pl.DataFrame:
    """Return rows as a frame of the contract's columns, in their order, but for ``NOT_IN_SOURCES``."""
    missing = NOT_IN_SOURCES.get(table, ())
    schema = polars_schema({name: kind for name, kind in contract.items() if name not in missing})
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pl.DataFrame({k: pl.Series(k, v, dtype=t) for (k, t), v in zip(schema.items(), columns, strict=True)})
