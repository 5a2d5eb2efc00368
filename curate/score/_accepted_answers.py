"""Read the answers that a ground truth accepts, in the shapes of public sets of questions.

A list of answers is JSON (``["Paris", "City of Paris"]``), a list as Python or NumPy prints it (``['Paris' 'Lyon']``),
or a mapping: SQuAD's ``{"text": [...], "answer_start": [...]}``, TriviaQA's ``{"value": ..., "aliases": [...]}``,
Natural Questions' ``{"short_answers": [...]}``, DROP's ``{"number": "5", "spans": []}``, or ``{"answers": ...}`` of
these.
"""

from typing import Any, NamedTuple

from curate.algorithms.text.written_lists import NUMBER, written_value

STRUCTURED = r"^\s*(?:[\[{]|array\(|\(\s*['\x22])"  # the beginning of a text that may be a list or a mapping
ANSWERS = (
    "value", "answer", "answers", "text", "aliases", "answer_aliases", "human_answers", "short_answers", "short_answer",
    "possible_answers", "acceptable_answers", "number", "spans",
)  # fmt: skip
# Beside answers; normalized forms are not read, as some have lost their signs.
BESIDE = (
    "answer_start", "answer_end", "answers_start", "start_token", "end_token", "start_byte", "end_byte", "start", "end",
    "type", "types", "answer_type", "normalized_aliases", "normalized_value", "matched_wiki_entity_name",
    "normalized_matched_wiki_entity_name", "date", "id", "hit_id", "worker_id",
)  # fmt: skip


class Accepted(NamedTuple):
    """The answers of a ground truth.

    Attributes:
        answers: The texts that are accepted.
        wrong: Why it cannot be said which are, or None.
        numbers: Whether they are several bare numbers, which may be accepted answers or one list.
        items: The items of a plain list; empty for a mapping.
    """

    answers: list[str]
    wrong: str | None = None
    numbers: bool = False
    items: tuple[str, ...] = ()


class _Unclear(ValueError):
    """A ground truth has several parts that may be alternatives or may all be needed."""


def accepted_answers(truth: str) -> Accepted | None:
    """Return the answers that a ground truth accepts, or None where it is one text."""
    value = written_value(truth, numbers_as_text=True)
    if not isinstance(value, dict | list):
        return None
    try:
        answers = _of_list(value) if isinstance(value, list) else _of_mapping(value)
    except _Unclear as error:
        return Accepted([], str(error))
    except RecursionError:
        return None
    if answers is None:
        return None
    answers = list(dict.fromkeys(text for text in answers if text.strip()))
    if not answers:
        return Accepted([], "ground_truth holds no answer")
    numbers = (
        isinstance(value, list) and not _quoted(truth) and len(answers) > 1 and all(map(NUMBER.fullmatch, answers))
    )
    return Accepted(answers, None, numbers, _items(value))


def list_items(text: str) -> tuple[str, ...]:
    """Return the items of a text that is a plain list, else nothing."""
    return _items(written_value(text, numbers_as_text=True))


def _quoted(text: str) -> bool:
    return '"' in text or "'" in text


def _items(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str | bool) or one is None for one in value):
        return ()
    return tuple(text for one in value for text in _of_one(one) or ())


def _of_list(values: list) -> list[str] | None:
    """Return the answers in a list of texts, numbers, or mappings with answers; None where it is no such list."""
    answers = []
    for value in values:
        if isinstance(value, list) and len(value) > 1 and len(values) > 1:
            raise _Unclear("ground_truth is a list of lists: alternatives, or parts that are all needed")
        found = _of_list(value) if isinstance(value, list) else _of_one(value)
        if found is None:
            return None
        answers += found
    return answers


def _of_one(value: Any) -> list[str] | None:
    if isinstance(value, dict):
        return _of_mapping(value)
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [] if value is None else [str(value)]


def _of_mapping(mapping: dict) -> list[str] | None:
    """Return the answers in a mapping; None where it has other keys, and so is an answer itself."""
    if not any(key in mapping for key in ANSWERS) or any(key not in (*ANSWERS, *BESIDE) for key in mapping):
        return None
    answers: list[str] = []
    for key in ANSWERS:
        value = mapping.get(key)
        found = _of_list(value if isinstance(value, list) else [value])
        if found is None:
            return None
        if key == "spans" and len(set(found)) > 1:
            raise _Unclear("ground_truth has several spans: alternatives, or parts that are all needed")
        answers += found
    return answers
