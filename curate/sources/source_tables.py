"""The tables of a source: the rows that were read, row by row, and what was found in them."""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

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
EVIDENCE = 200  # characters of a refused row that are kept


@dataclass(frozen=True)
class Source:
    """The contents of a source, in the columns of ``schemas.rows`` but for ``NOT_IN_SOURCES``.

    Attributes:
        prompts: The prompts; each differs from the others in its messages, tools or ground truth.
        completions: The recorded candidates of the prompts.
        scores: The recorded scores of the candidates.
        decisions: The rows that were joined to an earlier prompt or refused, the completions with a broken tool
            call, and those with other metadata than their prompt's, with the reason.
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
        cut: How many conversations lost turns at their end that nothing answers, or that hold nothing.
        cut_turns: How many turns these are.
        unanswered: How many prompts without a candidate would be cut behind an answered turn.
        unanswered_truths: How many more would be, but for their ``ground_truth``.
        marks: The marks of turns that were not understood (``schemas.learnt_turns``), with the number of turns.
        calls: What happened to tool calls and their results (``curate.sources.rows.row_calls``), with their number.
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
    cut: int = 0
    cut_turns: int = 0
    unanswered: int = 0
    unanswered_truths: int = 0
    marks: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class SeenPrompt:
    """A prompt that was read before: its first place, and the keys of the candidates it has so far."""

    file: str
    line: int
    metadata: str | None
    cut: list[Message]
    count: int = 0
    candidate_keys: set[tuple] = field(default_factory=set)


@dataclass
class Tables:
    """The rows of the four tables while they are read, the prompts so far by id, the ids that exports gave."""

    prompts: list[tuple] = field(default_factory=list)
    completions: list[tuple] = field(default_factory=list)
    scores: list[tuple] = field(default_factory=list)
    decisions: list[tuple] = field(default_factory=list)
    seen: dict[str, SeenPrompt] = field(default_factory=dict)
    own_ids: set[str] = field(default_factory=set)
    row_formats: Counter = field(default_factory=Counter)
    prompt_keys: Counter = field(default_factory=Counter)
    unused: Counter = field(default_factory=Counter)
    unclear: Counter = field(default_factory=Counter)
    truths: Counter = field(default_factory=Counter)
    truths_alone: Counter = field(default_factory=Counter)
    changed: Counter = field(default_factory=Counter)
    cut: int = 0
    cut_turns: int = 0
    unanswered: list[str] = field(default_factory=list)
    unanswered_truths: list[str] = field(default_factory=list)
    marks: Counter = field(default_factory=Counter)
    calls: Counter = field(default_factory=Counter)

    def source(self, reading: Reading) -> Source:
        """Return the source, with what the readers of its files noted."""
        return Source(
            prompts=_frame("prompts", self.prompts, PROMPTS),
            completions=_frame("completions", self.completions, COMPLETIONS),
            scores=_frame("scores", self.scores, SCORES),
            decisions=_frame("decisions", self.decisions, DECISIONS),
            row_formats=dict(self.row_formats.most_common()),
            prompt_keys=dict(self.prompt_keys.most_common()),
            unused=dict(self.unused.most_common()),
            unclear=dict(self.unclear.most_common()),
            truths=dict(self.truths.most_common()),
            truths_alone=dict(self.truths_alone.most_common()),
            changed=dict(self.changed.most_common()),
            cut=self.cut,
            cut_turns=self.cut_turns,
            unanswered=self._without_answer(self.unanswered),
            unanswered_truths=self._without_answer(self.unanswered_truths),
            marks=dict(self.marks.most_common()),
            calls={what: count for what, count in self.calls.most_common() if count},
            notes=reading.texts(),
            warnings=tuple(reading.warnings),
        )

    def _without_answer(self, prompt_ids: list[str]) -> int:
        """Return how many of some prompts have no candidate, of any row."""
        return sum(not self.seen[prompt_id].count for prompt_id in prompt_ids)


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


def add_row(tables: Tables, row: Row, raw: Raw, name: str, file: str | None) -> None:
    """Add a row to the tables: all of it, or (on ``BadRow``) nothing of it."""
    messages = dump_turns(row.messages, "messages")
    prompt_id = content_id("p", messages, row.tools, row.ground_truth)
    if row.prompt_id not in (None, prompt_id):  # as of a repeat in a mix: its answers' ids belong to another prompt
        for candidate in row.candidates:
            candidate.completion_id = None
    texts = [dump_turns(candidate.messages, "completions") for candidate in row.candidates]
    keys = [(c.model, t, tuple(sorted(c.scores.items()))) for c, t in zip(row.candidates, texts, strict=True)]
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
    tables.row_formats[row.row_format] += 1
    tables.prompt_keys[row.prompt_key] += 1
    counts = (tables.unused, row.unused), (tables.unclear, row.unclear), (tables.changed, row.changed)
    for count, found in (*counts, (tables.calls, row.calls)):
        if found:
            count.update(found)
    _count_turns(tables, row, prompt_id, is_new)
    if row.truth:
        tables.truths[row.truth] += 1
        if is_new and not row.candidates:
            tables.truths_alone[row.truth, row.prompt_key] += 1


def _count_turns(tables: Tables, row: Row, prompt_id: str, is_new: bool) -> None:
    """Count turns at the end that nothing answers, and marks of turns that were not understood."""
    if row.cut:
        tables.cut += 1
        tables.cut_turns += len(row.cut)
        if is_new:
            shown = dump_turns(row.cut, "messages")[:EVIDENCE]
            tables.decisions.append((prompt_id, True, cut_reason(row.cut), shown))
    if is_new and not row.candidates and not row.truth and cut_unanswered(row.messages)[1]:
        (tables.unanswered if row.ground_truth is None else tables.unanswered_truths).append(prompt_id)
    for messages in (row.messages, *(candidate.messages for candidate in row.candidates)):
        for message in messages:
            if len(message) > 2:
                tables.marks.update(unread_marks(message))


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
        tables.own_ids.add(completion_id)
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


def _frame(table: str, rows: list[tuple], contract: dict[str, str]) -> pl.DataFrame:
    """Return rows as a frame of the contract's columns, in their order, but for ``NOT_IN_SOURCES``."""
    missing = NOT_IN_SOURCES.get(table, ())
    schema = polars_schema({name: kind for name, kind in contract.items() if name not in missing})
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pl.DataFrame({k: pl.Series(k, v, dtype=t) for (k, t), v in zip(schema.items(), columns, strict=True)})
