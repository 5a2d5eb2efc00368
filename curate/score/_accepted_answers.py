"""Read the answers that a ground truth accepts, in the shapes of public sets of questions.

A list of answers is JSON (``["Paris", "City of Paris"]``), a list as Python or NumPy prints it (``['Paris' 'Lyon']``),
or a mapping: SQuAD's ``{"text": [...], "answer_start": [...]}``, TriviaQA's ``{"value": ..., "aliases": [...]}``,
Natural Questions' ``{"short_answers": [...]}``, DROP's ``{"number": "5", "spans": []}``, or ``{"answers": ...}`` of
these.
"""

import re
from typing import Any, NamedTuple

from curate.algorithms.text.written_lists import NUMBER, QUOTED, written_value

STRUCTURED = r"^\s*(?:[\[{]|array\(|\(\s*['\x22])"  # the beginning of a text that may be a list or a mapping
ANSWERS = (
    "value", "answer", "answers", "text", "aliases", "answer_aliases", "human_answers", "short_answers", "short_answer",
    "possible_answers", "acceptable_answers", "number", "spans",
)  # fmt: skip
# Beside answers; normalized forms are not read, as some have lost their signs.
BESIDE = (
    "answer_start", "answer_end", "answers_start", "start_token", "end_token", "start_byte", "end_byte", "start", "end",
    "type", "types", "answer_type", "normalized_aliases", "normalized_value", "matched_wiki_entity_name",
    "normalized_matched_wiki_entity_name", "id", "hit_id", "worker_id",
)  # fmt: skip
DATE = ("day", "month", "year")  # DROP's "date"
TRUTH_VALUE = re.compile(r"\b(?:true|false)\b", re.IGNORECASE)
NO_COMMA = re.compile(r"(?<=[\d.\]])\s+(?=[-+.\d\[])")  # where NumPy prints no comma in an array of rows


class Accepted(NamedTuple):
    """The answers of a ground truth.

    Attributes:
        answers: The texts that are accepted; with ``wrong``, the parts of which any or all are.
        wrong: Why it cannot be said which are, or None.
        unclear: Whether they are several bare numbers or truth values, which may be accepted answers or one list.
    """

    answers: list[str]
    wrong: str | None = None
    unclear: bool = False


class _Unclear(ValueError):
    """A ground truth has several parts that may be alternatives or may all be needed."""

    def __init__(self, why: str, parts: list[str]) -> None:
        super().__init__(why)
        self.parts = parts


class Written(NamedTuple):
    """A list of texts, numbers and lists: its brackets, its leaves in order, and the leaves of each list inside it."""

    shape: str
    leaves: tuple[str, ...]
    inner: tuple[tuple[str, ...], ...] = ()


def accepted_answers(truth: str) -> Accepted | None:
    """Return the answers that a ground truth accepts, or None where it is one text."""
    value = _value(truth)
    if not isinstance(value, dict | list):
        return None
    try:
        answers = _of_list(value) if isinstance(value, list) else _of_mapping(value)
    except _Unclear as error:
        return Accepted([text for text in error.parts if text.strip()], str(error))
    except RecursionError:
        return None
    if answers is None:
        return None
    answers = list(dict.fromkeys(text for text in answers if text.strip()))
    if not answers:
        return Accepted([], "ground_truth holds no answer")
    return Accepted(answers, None, isinstance(value, list) and _is_unclear(truth, value, answers))


def _is_unclear(truth: str, values: list, answers: list[str]) -> bool:
    """Return whether a list may be one answer as well as several: of bare numbers, or with bare truth values."""
    if max(len(values), len(answers)) < 2:
        return False
    bare = re.sub(QUOTED, "", truth, flags=re.DOTALL)
    return bool(TRUTH_VALUE.search(bare)) or (bare == truth and all(map(NUMBER.fullmatch, answers)))


def written_list(text: str) -> Written | None:
    """Return the list that a text writes, whatever its quotes and spaces; None where it writes none."""
    text = text.strip()
    if not text.startswith(("[", "(", "array(")):
        return None
    value = _value(text)
    if not isinstance(value, list):
        return None
    try:
        shape, leaves = _leaves(value)
    except (TypeError, RecursionError):
        return None
    inner = (_leaves(one)[1] for one in value if isinstance(one, list | tuple))
    return Written("(" + shape if text.startswith("(") else shape, tuple(leaves), tuple(map(tuple, inner)))


def _value(text: str) -> Any:
    """Return the list or mapping that a text writes, also an array of rows as NumPy prints it; None where none."""
    value = written_value(text, numbers_as_text=True)
    if value is None and text.lstrip().startswith("[["):
        return written_value(NO_COMMA.sub(", ", text), numbers_as_text=True)
    return value


def _leaves(value: Any) -> tuple[str, list[str]]:
    """Return the brackets of a nested list, with a dot for each leaf, and its leaves; else raise ``TypeError``."""
    if not isinstance(value, list | tuple):
        found = None if isinstance(value, dict) else _of_one(value)
        if found is None:
            raise TypeError(value)
        return "." * len(found), found
    parts = [_leaves(one) for one in value]
    inside = "".join(shape for shape, _ in parts)
    return f"[{inside}]" if isinstance(value, list) else f"({inside})", [leaf for _, some in parts for leaf in some]


def _of_list(values: list) -> list[str] | None:
    """Return the answers in a list of texts, numbers, or mappings with answers; None where it is no such list."""
    answers = []
    for value in values:
        if isinstance(value, list) and len(value) > 1 and len(values) > 1:
            parts = [leaf for one in values for leaf in _leaves_of(one)]
            raise _Unclear("ground_truth is a list of lists: alternatives, or parts that are all needed", parts)
        found = _of_list(value) if isinstance(value, list) else _of_one(value)
        if found is None:
            return None
        answers += found
    return answers


def _leaves_of(value: Any) -> list[str]:
    try:
        return _leaves(value)[1]
    except TypeError:
        return []


def _of_one(value: Any) -> list[str] | None:
    if isinstance(value, dict):
        return _of_mapping(value)
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [] if value is None else [str(value)]


def _of_mapping(mapping: dict) -> list[str] | None:
    """Return the answers in a mapping; None where it has other keys, and so is an answer itself."""
    if not any(key in mapping for key in (*ANSWERS, "date")):
        return None
    if any(key not in (*ANSWERS, *BESIDE, "date") for key in mapping):
        return None
    answers = _of_date(mapping["date"]) if isinstance(mapping.get("date"), dict) else []
    for key in ANSWERS:
        value = mapping.get(key)
        found = _of_list(value if isinstance(value, list) else [value])
        if found is None:
            return None
        if key == "spans" and len(set(found)) > 1:
            raise _Unclear("ground_truth has several spans: alternatives, or parts that are all needed", found)
        answers += found
    return answers


def _of_date(date: dict) -> list[str]:
    """Return how a date of DROP may be written: day, month and year in that order, or the month first."""
    day, month, year = (str(date.get(key) or "").strip() for key in DATE)
    written = [" ".join(filter(None, (day, month, year)))]
    if day and month and not month.isdigit():
        written += [" ".join(filter(None, (f"{month} {day}{comma}", year))) for comma in (("", ",") if year else ("",))]
    return [text for text in written if text]
