"""The keys of a row by their normal names, and the kinds of their values, by which layouts are recognised."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.sources import layout_names as names
from schemas.json_text import parse

# The kinds of a value, as far as a layout depends on them: a text, a number, true/false, a mapping (of a recorded
# solution, of a tree), a list of texts, of numbers, of mappings, of messages, of lists, or an empty list.
TEXT, NUMBER, FLAG, MAPPING, SOLUTION, TREE, OTHER = "text", "number", "flag", "mapping", "solution", "tree", "other"
TEXTS, NUMBERS, MAPPINGS, TURNS, LISTS, EMPTY = "texts", "numbers", "mappings", "turns", "lists", "empty"
_KINDS = {str: TEXT, bool: FLAG, int: NUMBER, float: NUMBER}
_LIST_KINDS = {str: TEXTS, bool: NUMBERS, int: NUMBERS, float: NUMBERS, list: LISTS}
NUMBERED = re.compile(rf"({'|'.join(names.NUMBERED)})_?(\d{{1,2}}|[a-d])")
_TURN_KEYS = ("role", "from", "speaker")
# Keys whose value may be a list as JSON text, as in CSV and in our own tables.
_LIST_NAMES = {
    **dict.fromkeys(names.CONVERSATIONS, (TEXTS, TURNS, LISTS, MAPPINGS)),
    **dict.fromkeys(names.CHOICES, (TEXTS,)),
    **dict.fromkeys(names.ANSWER_LISTS, (TEXTS, TURNS, LISTS, MAPPINGS)),
}
_ROUND_KEYS = [set(round) for round in names.ROUNDS]
_TURN_NAMES = frozenset(
    ("prompt", "input", "context", *names.ANSWERS, *(side for pair in names.SIDES for side in pair))
)


@dataclass
class Keys:
    """The keys of a row by their normal names, with the kinds of their values; ``used`` are those given a part."""

    at: dict[str, str]
    kinds: Mapping[str, str]
    used: set[str] = field(default_factory=set)

    def find(self, group: Iterable[str], *kinds: str) -> str | None:
        """Return the key of the first name in a group that has one of the kinds (any, where none is given)."""
        for name in group:
            key = self.at.get(name)
            if key is not None and key not in self.used and (not kinds or self.kinds[key] in kinds):
                return key
        return None

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
    kind = _KINDS.get(type(value))
    if kind:
        return kind
    if isinstance(value, dict):
        if isinstance(value.get("solution"), str):
            return SOLUTION
        return TREE if isinstance(value.get("replies"), list) else MAPPING
    if not isinstance(value, list):
        return OTHER
    if not value:
        return EMPTY
    first = value[0]
    if isinstance(first, dict):
        is_turn = any(key in first for key in _TURN_KEYS) or first.keys() in _ROUND_KEYS
        return TURNS if is_turn else MAPPINGS
    return _LIST_KINDS.get(type(first), OTHER)


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
    """Return the list in a JSON text, or ``None``."""
    try:
        items = parse(text)
    except ValueError:
        return None
    return items if isinstance(items, list) else None
