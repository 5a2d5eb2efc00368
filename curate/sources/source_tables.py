"""The tables of a source: the rows that were read, row by row, and what was found in them."""

from collections.abc import Container, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from curate.sources.facts import Facts
from curate.sources.files.raw_row import Raw, Reading
from curate.sources.rows.last_turns import cut_unanswered
from curate.sources.rows.recorded_candidates import Candidate
from curate.sources.rows.row_formats import Row
from curate.storage.polars_types import polars_schema
from schemas.errors import BadRow, short_repr
from schemas.ids import content_id
from schemas.json_text import blank, dump
from schemas.learnt_turns import unread_marks
from schemas.messages import Message, dump_turns, last_text
from schemas.reply_calls import BROKEN_CALL
from schemas.rows import COMPLETIONS, DECISIONS, OTHER_METADATA, PROMPTS, SCORES

# Columns of the contract that a source has no values for: a model made the row, or the pipeline names the stage.
NOT_IN_SOURCES = {"prompts": ("parent_ids", "family"), "completions": ("answered_by",), "decisions": ("stage",)}
CONTRACTS = {"prompts": PROMPTS, "completions": COMPLETIONS, "scores": SCORES, "decisions": DECISIONS}
TABLES = tuple(CONTRACTS)
WITHOUT_ANSWER = ("unanswered", "unanswered_truths", "alone")  # the numbers of ``Facts`` of prompts without a candidate
EVIDENCE = 200  # characters of a refused row that are kept


@dataclass(frozen=True)
class Source:
    """The contents of a source, or of a part of it, in the columns of ``schemas.rows`` but for ``NOT_IN_SOURCES``.

    Attributes:
        prompts: The prompts; each differs from the others in its messages, tools or ground truth.
        completions: The recorded candidates of the prompts.
        scores: The recorded scores of the candidates.
        decisions: The rows that were joined to an earlier prompt or refused, the completions with a broken tool
            call, and those with other metadata than their prompt's, with the reason.
        facts: What was found in the rows.
    """

    prompts: pl.DataFrame
    completions: pl.DataFrame
    scores: pl.DataFrame
    decisions: pl.DataFrame
    facts: Facts = field(default_factory=Facts)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The four tables by their names."""
        return {name: getattr(self, name) for name in TABLES}


@dataclass(slots=True)
class SeenPrompt:
    """A prompt that was read before: its first place, and hashes of the candidates it has so far."""

    file: str
    line: int
    metadata: str | None
    cut: list[Message]
    count: int = 0
    candidate_keys: set[int] = field(default_factory=set)


@dataclass
class Tables:
    """The rows of the four tables while they are read.

    Attributes:
        prompts: The latest rows of ``prompts``, and so on.
        frames: The rows before them, of each table.
        seen: The prompts so far by id; of a part of a source, also those of earlier parts that come again in it.
        own_ids: The ids of candidates that an export gave.
        facts: What was found so far.
        waiting: Ids of prompts that count in a number of ``facts`` if they have no candidate in the end.
    """

    prompts: list[tuple] = field(default_factory=list)
    completions: list[tuple] = field(default_factory=list)
    scores: list[tuple] = field(default_factory=list)
    decisions: list[tuple] = field(default_factory=list)
    frames: tuple[list[pl.DataFrame], ...] = field(default_factory=lambda: ([], [], [], []))
    seen: MutableMapping[str, SeenPrompt] = field(default_factory=dict)
    own_ids: MutableMapping[str, None] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    waiting: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in WITHOUT_ANSWER})

    def flush(self) -> None:
        """Make the rows so far columns: as Python's objects they take several times the memory, and its time."""
        for frames, name in zip(self.frames, TABLES, strict=True):
            rows = getattr(self, name)
            if rows or not frames:
                frames.append(_frame(name, rows))
                rows.clear()

    def source(self, reading: Reading, open_ids: Container[str] = ()) -> Source:
        """Return the source, with what the readers of its files noted.

        Args:
            reading: The notes of the readers.
            open_ids: Ids of prompts that may get candidates later; they stay in ``waiting``.
        """
        self.flush()
        frames = [pl.concat(frames) for frames in self.frames]
        self.facts.look_at(*frames)
        for name, ids in self.waiting.items():
            later = [one for one in ids if one in open_ids] if open_ids else []
            found = sum(not self.seen[one].count for one in ids) - sum(not self.seen[one].count for one in later)
            setattr(self.facts, name, getattr(self.facts, name) + found)
            ids[:] = later
        self.facts.notes, self.facts.warnings = reading.texts(), tuple(reading.warnings)
        return Source(*frames, self.facts)


def row_id(name: str, raw: Raw) -> str:
    """Return the id of a row that becomes no prompt: the source's name, the file where it has several, and the line."""
    return f"{name}/{raw.file}:{raw.line}" if raw.file else f"{name}:{raw.line}"


def evidence_of(raw: Raw) -> str:
    """Return the start of a refused row as text."""
    if raw.row is None:
        text = raw.text
    else:
        try:
            text = dump(raw.row, "row")
        except BadRow:  # a row may be bad because it cannot be written as JSON
            text = short_repr(raw.row, EVIDENCE)
    return text.strip()[:EVIDENCE].encode(errors="backslashreplace").decode()


def identified(row: Row) -> tuple[str, str]:
    """Return the id of a row's prompt and its messages as JSON text; raise ``BadRow`` where they have none."""
    messages = dump_turns(row.messages, "messages")
    return content_id("p", messages, row.tools, row.ground_truth), messages


def add_row(tables: Tables, row: Row, raw: Raw, name: str, file: str | None) -> None:
    """Add a row to the tables: all of it, or (on ``BadRow``) nothing of it."""
    prompt_id, messages = identified(row)
    if row.prompt_id not in (None, prompt_id):  # as of a repeat in a mix: its answers' ids belong to another prompt
        for candidate in row.candidates:
            candidate.completion_id = None
    texts = [dump_turns(candidate.messages, "completions") for candidate in row.candidates]
    keys = [
        hash((c.model, t, tuple(sorted(c.scores.items())) if c.scores else ()))
        for c, t in zip(row.candidates, texts, strict=True)
    ]
    prompt = tables.seen.get(prompt_id)
    is_new = prompt is None
    if prompt is None:
        prompt = tables.seen[prompt_id] = SeenPrompt(raw.file, raw.line, row.metadata, row.cut)
        text = last_text(row.messages, "user")
        place = (raw.line, raw.file or file)
        tables.prompts.append((prompt_id, messages, row.tools, text, row.ground_truth, name, row.metadata, *place))
        new = list(range(len(keys)))
    else:
        new = [index for index, key in enumerate(keys) if key not in prompt.candidate_keys]
        copy = "same prompt as"
        if not new and row.metadata == prompt.metadata:
            copy = "exact copy of" if row.cut == prompt.cut else "same prompt and answers as"
        of = f" of {prompt.file}" if prompt.file != raw.file else ""
        joined = "; its answers joined" if new else ""
        differs = row.metadata not in (None, prompt.metadata)
        cut = f"; {cut_reason(row.cut)}" if row.cut else ""
        reason = f"{copy} line {prompt.line}{of}{joined}{'; its metadata differ' if differs else ''}{cut}"
        evidence = f"{prompt_id}, metadata {row.metadata}" if differs else prompt_id
        tables.decisions.append((row_id(name, raw), False, reason, evidence))
    other = (row.metadata or "{}") if row.metadata != prompt.metadata else None
    for index in new:
        _add_candidate(tables, row.candidates[index], texts[index], prompt_id, prompt.count, other)
        prompt.count += 1
    prompt.candidate_keys.update(keys)
    facts = tables.facts
    facts.row_formats[row.row_format] += 1
    facts.prompt_keys[row.prompt_key] += 1
    counts = (facts.unused, row.unused), (facts.unclear, row.unclear), (facts.changed, row.changed)
    for count, found in (*counts, (facts.calls, row.calls)):
        if found:
            count.update(found)
    _count_turns(tables, row, prompt_id, is_new)
    if row.truth:
        facts.truths[row.truth] += 1
        if is_new and not row.candidates:
            facts.truths_alone[row.truth, row.prompt_key] += 1


def _count_turns(tables: Tables, row: Row, prompt_id: str, is_new: bool) -> None:
    """Count turns at the end that nothing answers, and marks of turns that were not understood."""
    facts, waiting = tables.facts, tables.waiting
    if row.cut:
        facts.cut += 1
        facts.cut_turns += len(row.cut)
        if is_new:
            shown = dump_turns(row.cut, "messages")[:EVIDENCE]
            tables.decisions.append((prompt_id, True, cut_reason(row.cut), shown))
    if is_new and row.ground_truth is not None:
        waiting["alone"].append(prompt_id)
    if is_new and not row.candidates and not row.truth and cut_unanswered(row.messages)[1]:
        waiting["unanswered" if row.ground_truth is None else "unanswered_truths"].append(prompt_id)
    for messages in (row.messages, *(candidate.messages for candidate in row.candidates)):
        for message in messages:
            if len(message) > 2:
                facts.marks.update(unread_marks(message))


def cut_reason(cut: list[Message]) -> str:
    """Return why the turns at the end of a conversation are left out, and how many."""
    last = cut[-1]
    count = "1 turn is" if len(cut) == 1 else f"{len(cut)} turns are"
    if last["role"] in ("user", "assistant") and blank(last["content"]) and "tool_calls" not in last:
        return f"the conversation ends with an empty turn of the {last['role']}: {count} left out"
    whose = "a tool's result" if last["role"] == "tool" else f"the {last['role']}'s turn"
    return f"the conversation ends with {whose}, which nothing answers: {count} left out"


def _add_candidate(
    tables: Tables, candidate: Candidate, messages: str, prompt_id: str, index: int, metadata: str | None
) -> None:
    """Add the candidate number ``index`` of a prompt, its scores, and metadata that are not the prompt's."""
    response = last_text(candidate.messages, "assistant")
    completion_id = candidate.completion_id
    if completion_id is None or completion_id in tables.own_ids:
        completion_id = content_id("c", prompt_id, candidate.model, index, response)
    else:
        tables.own_ids[completion_id] = None
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
            candidate.error,
        )
    )
    if candidate.error:
        tables.decisions.append((completion_id, False, BROKEN_CALL, candidate.error))
    elif metadata is not None:
        tables.decisions.append((completion_id, True, OTHER_METADATA, metadata))
    for scorer, value in candidate.scores.items():
        error = "recorded without a value" if value is None else None
        tables.scores.append((completion_id, scorer, value, error, None))


def _reasoning(messages: list[Message]) -> str | None:
    """Return the reasoning trace of the last message, or ``None``."""
    value = messages[-1].get("reasoning_content")
    return value if isinstance(value, str) else None


def _frame(table: str, rows: list[tuple]) -> pl.DataFrame:
    """Return rows as a frame of the contract's columns, in their order, but for ``NOT_IN_SOURCES``."""
    schema = _schema(table)
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pl.DataFrame({k: pl.Series(k, v, dtype=t) for (k, t), v in zip(schema.items(), columns, strict=True)})


def frame_of_columns(table: str, columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return such a frame of columns, of which one at least is a list or a series.

    A text is that of all rows, other columns are null.
    """
    schema = _schema(table)
    lists = {
        name: pl.Series(name, held, dtype=schema[name])
        for name, held in columns.items()
        if isinstance(held, list | pl.Series)
    }
    one = {
        name: pl.lit(columns[name] if type(columns.get(name)) is str else None, dtype=kind).alias(name)
        for name, kind in schema.items()
        if name not in lists
    }
    return pl.DataFrame(lists).select(*(one.get(name, pl.col(name)) for name in schema))


def _schema(table: str) -> dict[str, pl.DataType]:
    missing = NOT_IN_SOURCES.get(table, ())
    return polars_schema({name: kind for name, kind in CONTRACTS[table].items() if name not in missing})
