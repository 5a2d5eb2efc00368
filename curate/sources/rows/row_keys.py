"""The keys of a row by their normal names, and the kinds of their values, by which layouts are recognised."""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.sources.rows import layout_names as names
from schemas.errors import BadRow, short_repr
from schemas.json_text import parse
from schemas.message_lists import is_item

# The kinds of a value, as far as a layout depends on them: a text, a number, true/false; a mapping: a message, one that
# holds an answer's text, a recorded solution, a tree, another; a list of texts, of numbers, of mappings, of messages,
# of lists; and what is empty: a blank text, a list or a mapping without items; and null.
TEXT, NUMBER, FLAG, OTHER, EMPTY, NULL = "text", "number", "flag", "other", "empty", "null"
MESSAGE, ANSWER, SOLUTION, TREE, MAPPING = "message", "answer", "solution", "tree", "mapping"
TEXTS, NUMBERS, MAPPINGS, TURNS, LISTS = "texts", "numbers", "mappings", "turns", "lists"
_KINDS = {bool: FLAG, int: NUMBER, float: NUMBER}
_LIST_KINDS = {str: TEXTS, bool: NUMBERS, int: NUMBERS, float: NUMBERS, list: LISTS, type(None): OTHER}
NUMBERED = re.compile(rf"({'|'.join(names.NUMBERED)})_?(\d{{1,2}}|[a-d])")
_TURN_KEYS = ("role", "from", "speaker", "author", "sender")
# Keys whose value may be a list as JSON text, as in CSV and in our own tables, with the kinds that are meant.
_ANY_LIST = (TEXTS, TURNS, LISTS, MAPPINGS)
_LIST_NAMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*names.MESSAGES, *names.CONVERSATIONS, *names.ANSWER_LISTS, *names.ONLY_LISTS), _ANY_LIST),
    **dict.fromkeys(names.CHOICES, (TEXTS, NUMBERS)),
    **dict.fromkeys(names.LIST_SCORES, (NUMBERS,)),
    **dict.fromkeys((*names.LIST_MODELS, *names.LIST_REASONING, *names.LIST_FINISH_REASONS), (TEXTS,)),
    **dict.fromkeys(names.TOOLS, (MAPPINGS, TEXTS)),
    "history": (LISTS, TURNS, TEXTS),
}
LONGEST_LITERAL = 1_000_000  # characters of a list that Python wrote
_PYTHON_TURNS = re.compile(r"\[\s*\{\s*'(?:role|from|content|value)'")
ROUND_KEYS = [set(round) for round in names.ROUNDS]
_TURN_NAMES = frozenset(
    (
        *("prompt", "input", "context", "answer", "solution"),
        *names.ANSWERS,
        *(side for pair in names.ALL_SIDES for side in pair),
    )
)


@dataclass
class Keys:
    """The keys of a row by their normal names, with the kinds of their values; ``used`` are those given a part."""

    at: dict[str, str]
    kinds: Mapping[str, str]
    used: set[str] = field(default_factory=set)

    def find(self, group: Iterable[str], *kinds: str) -> str | None:
        """Return the unused key of the first name in a group that has one of the kinds (any but an empty one)."""
        return next(iter(self.find_all(group, *kinds)), None)

    def find_all(self, group: Iterable[str], *kinds: str) -> list[str]:
        """Return the unused keys of all names in a group that have one of the kinds."""
        found = []
        for name in group:
            key = self.at.get(name)
            if key is not None and key not in self.used:
                kind = self.kinds[key]
                if kind in kinds or (not kinds and kind not in (EMPTY, NULL)):
                    found.append(key)
        return found

    def use(self, key: str | None) -> str | None:
        """Return a key, marked as used."""
        if key is not None:
            self.used.add(key)
        return key


def normal(key: str) -> str:
    """Return the form in which names of keys are compared."""
    return key.strip().lower().replace("-", "_").replace(" ", "_")


def value_kind(value: Any) -> str:
    """Return which kind a value is of (see above)."""
    if type(value) is str:
        return EMPTY if not value or value.isspace() else TEXT
    kind = _KINDS.get(type(value))
    if kind:
        return kind
    if isinstance(value, dict):
        return _mapping_kind(value)
    if not isinstance(value, list):
        return NULL if value is None else OTHER
    if not value:
        return EMPTY
    first = value[0]
    if isinstance(first, dict):
        is_turn = any(key in first for key in _TURN_KEYS) or first.keys() in ROUND_KEYS or is_item(first)
        return TURNS if is_turn else MAPPINGS
    return _LIST_KINDS.get(type(first), OTHER)


def _mapping_kind(value: dict) -> str:
    if not value:
        return EMPTY
    if "role" in value or "from" in value:
        return TREE if isinstance(value.get("replies"), list) else MESSAGE
    if isinstance(value.get("replies"), list):
        return TREE
    if isinstance(value.get("solution"), str):
        return SOLUTION
    holds = (
        any(isinstance(value.get(name), str) for name in names.ANSWER_TEXTS)
        or value_kind(value.get("messages")) == TURNS
    )
    return ANSWER if holds else MAPPING


def parse_lists(row: dict[str, Any]) -> None:
    """Replace lists that are written as JSON text, in place, under the keys that may hold one."""
    for key, value in row.items():
        if type(value) is str and value[:1] == "[":
            name = normal(str(key))
            kinds = _LIST_NAMES.get(name, (TURNS,) if name in _TURN_NAMES else ())
            items = _parse_list(value) if kinds else None
            if items is not None and value_kind(items) in kinds:
                row[key] = items
    prompt = row.get("prompt")
    if isinstance(prompt, str) and prompt.startswith('["'):
        _parse_rounds(row, prompt)


def _parse_rounds(row: dict[str, Any], text: str) -> None:
    """Replace a prompt and numbered answers that are lists of as many texts (Chatbot Arena's CSV), in place."""
    prompt = _parse_list(text)
    numbered = [key for key in row if isinstance(row[key], str) and NUMBERED.fullmatch(normal(str(key)))]
    lists = {key: _parse_list(row[key]) for key in numbered}
    if prompt and numbered and all(items is not None and len(items) == len(prompt) for items in lists.values()):
        row.update(lists)
        row["prompt"] = prompt


def _parse_list(text: str) -> list | None:
    """Return the list in a JSON text, or ``None``. A list of mappings may be written as Python does (pandas' CSV).

    Raises:
        BadRow: It looks like a list of messages and cannot be read.
    """
    try:
        items = parse(text)
    except ValueError:
        items = _parse_python(text) if _PYTHON_TURNS.match(text) else None
    return items if isinstance(items, list) else None


def _parse_python(text: str) -> Any:
    try:
        if len(text) > LONGEST_LITERAL:
            raise ValueError
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = short_repr(text)
        raise BadRow(
            f"{found} looks like a list of messages, and is neither JSON nor Python; write it as JSON"
        ) from None
