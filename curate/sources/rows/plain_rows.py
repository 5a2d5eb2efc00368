"""The short way for rows as most are: a prompt and one answer, or a list of answers, that are plain texts.

``plain_row`` returns just what ``row_formats.convert`` does, several times as fast; or None where anything in the row
needs a closer look: an unknown or a further part, a list as text, a transcript, a trace, a call, half a character.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from curate.sources.rows import layout_names as names
from curate.sources.rows.recorded_candidates import Candidate
from curate.sources.rows.row_keys import EMPTY, FLAG, NUMBER, TEXT, TEXTS, normal, value_kind
from curate.sources.rows.row_layout import row_layout
from curate.sources.rows.row_metadata import row_metadata
from curate.sources.rows.transcripts import is_transcript
from curate.sources.rows.unit_test_columns import COLUMNS
from schemas.call_text import has_mark
from schemas.errors import BadRow
from schemas.exported import HASH
from schemas.reasoning import split_reasoning

NAMED_TURNS = frozenset(("text", "chat", "dialog", "dialogue", "conversation", "conversations"))  # may be a transcript
_OF_A_KIND = {TEXT: "x", NUMBER: 1, FLAG: True, EMPTY: "", TEXTS: ["x"]}
_CLOSER_LOOK = frozenset(
    (*NAMED_TURNS, *COLUMNS, *names.INSTRUCTIONS, HASH, "chosen", "rejected", "metadata", "scores")
)


class Plain(NamedTuple):
    """Where the parts of a plain row are.

    Attributes:
        row_format: The layout's name.
        prompt: The key of the prompt.
        answer: The key of the answer, or of the list of answers.
        several: Whether it is a list.
        context: The key of a text that belongs to the prompt, if there is one.
        others: The keys that go to the metadata.
    """

    row_format: str
    prompt: str
    answer: str
    several: bool
    context: str | None
    others: tuple[str, ...]


class PlainRow(NamedTuple):
    """A plain row that was read: its format, messages, candidates, metadata and what was changed, and prompt's key."""

    row_format: str
    messages: list
    candidates: list[Candidate]
    metadata: str | None
    changed: tuple[str, ...]
    prompt_key: str


def plain_row(row: dict[str, Any]) -> PlainRow | None:
    """Return a row that is plain, else None."""
    plain = plain_layout(tuple(row), tuple([value_kind(value) for value in row.values()]))
    if plain is None:
        return None
    text, answer = row[plain.prompt], row[plain.answer]
    answers = answer if plain.several else (answer,)
    if is_transcript(text) or not all(map(_is_plain, answers)):
        return None
    for value in row.values():
        if type(value) is str and (value[:1] == "[" or not has_characters(value)):
            return None
    if plain.context:
        context = row[plain.context]
        if context not in text and normal(context) not in names.BLANKS:
            text = f"{text}\n\n{context}"
    metadata, changed = row_metadata({key: row[key] for key in plain.others}, {}) if plain.others else (None, ())
    candidates = [Candidate([{"role": "assistant", "content": one}]) for one in answers]
    return PlainRow(plain.row_format, [{"role": "user", "content": text}], candidates, metadata, changed, plain.prompt)


def _is_plain(answer: Any) -> bool:
    """Return whether an answer of a list or by itself is a text without a trace and a call."""
    if type(answer) is not str or not has_characters(answer):
        return False
    trace, rest = split_reasoning(answer)
    return trace is None and rest is answer and not has_mark(answer)


def has_characters(text: str) -> bool:
    """Return whether a text has no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=1024)
def plain_layout(keys: tuple[str, ...], kinds: tuple[str, ...]) -> Plain | None:
    """Return where the parts of rows with these keys and kinds are; None where they are not plain."""
    if not _CLOSER_LOOK.isdisjoint(keys) or not all(
        type(key) is str and kind in _OF_A_KIND for key, kind in zip(keys, kinds, strict=True)
    ):
        return None
    try:
        layout = row_layout({key: _OF_A_KIND[kind] for key, kind in zip(keys, kinds, strict=True)})
    except BadRow:
        return None
    kind_of = dict(zip(keys, kinds, strict=True))
    several = layout.answers == "list"
    answer = layout.keys[0] if layout.keys else None
    plain = (
        layout.answers in ("one", "list")
        and not layout.turns
        and layout.prompt is not None
        and answer is not None
        and kind_of[layout.prompt] == TEXT
        and kind_of[answer] == (TEXTS if several else TEXT)
        and (several or answer == layout.one)
        and not (several and (layout.one or TEXTS in (kind_of[key] for key in keys if key != answer)))
        and len(layout.contexts) <= 1
        and all(kind_of[key] == TEXT for key in layout.contexts)
    )
    further = (
        *(layout.history, layout.choices, layout.system, layout.tools, layout.model, layout.reasoning, layout.listed),
        *(layout.truth, layout.scores, layout.suspects, layout.watched),
    )
    if not plain or any(further):
        return None
    used = {layout.prompt, answer, *layout.contexts, *layout.empty}
    context = layout.contexts[0] if layout.contexts else None
    others = tuple(key for key in keys if key not in used)
    if several and others and any(kind_of[key] == TEXT and normal(key) in names.MODELS for key in others):
        return None
    return Plain(layout.name, layout.prompt, answer, several, context, others)
