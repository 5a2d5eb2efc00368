"""Find the keys of a row's answers and of its ground truth, by the names in ``layout_names``."""

import re
from typing import NamedTuple

from curate.sources.rows import layout_names as names
from curate.sources.rows.row_keys import (
    ANSWER,
    EMPTY,
    FLAG,
    LISTS,
    MAPPING,
    MAPPINGS,
    MESSAGE,
    NULL,
    NUMBER,
    NUMBERED,
    SOLUTION,
    TEXT,
    TEXTS,
    TURNS,
    Keys,
    normal,
)

ANSWER_KINDS = (TEXT, MESSAGE, ANSWER, SOLUTION, TURNS)
NAMED = re.compile(rf"(.+)_(?:{'|'.join(names.NAMED)})s?")
_LIST_KINDS = (TEXTS, MAPPINGS, TURNS, LISTS)


class AnswerKeys(NamedTuple):
    """The key of the one answer, if there is one, and the keys that lead to the ground truth, which may be the same."""

    one: str | None
    truth: tuple[str, ...]


def side_keys(keys: Keys) -> tuple[str, ...]:
    """Return the keys of the two sides of a pair."""
    for one, other in names.ALL_SIDES:
        pair = keys.find((one,), *ANSWER_KINDS, TEXTS, LISTS), keys.find((other,), *ANSWER_KINDS, TEXTS)
        if pair[0] and pair[1]:
            return pair[0], pair[1]
    return ()


def numbered_keys(keys: Keys) -> tuple[tuple[str, ...], str | None]:
    """Return the keys of numbered answers, in order, and the key that says which is better."""
    found: dict[str, dict[str, str]] = {}
    for key, kind in keys.kinds.items():
        match = NUMBERED.fullmatch(normal(key))
        if match and kind in (*ANSWER_KINDS, TEXTS):
            found.setdefault(match[1], {})[match[2]] = key
    winner = keys.find(names.WINNERS, TEXT, NUMBER, FLAG)
    for stem in names.NUMBERED:
        sides = found.get(stem, {})
        scored = keys.find(f"{what}_{number}" for what in ("score", "rating", "reward") for number in sides)
        verdict = scored or (winner and normal(winner) != "label")
        alone = len(sides) < 2 and (not sides or keys.find((*names.ANSWERS, *names.MESSAGES, *names.ANSWER_LISTS)))
        if not alone and (verdict or stem not in names.NEED_A_VERDICT):
            return tuple(sides[number] for number in sorted(sides, key=lambda n: (len(n), n))), winner
    named = named_keys(keys)
    return (named if len(named) > 1 else ()), None


def named_keys(keys: Keys) -> tuple[str, ...]:
    """Return the keys of answers that are named after their models; none where the row has an answer by its name."""
    if keys.find((*names.PLAIN_ANSWERS, *names.MESSAGES)):
        return ()
    found = []
    for key, kind in keys.kinds.items():
        name = normal(key)
        match = NAMED.fullmatch(name) if key not in keys.used and kind in (TEXT, TEXTS) else None
        if match and any(stem in match[1] for stem in names.MODEL_STEMS):
            found.append(key)
    return tuple(found)


def model_of_key(key: str) -> str:
    """Return the number or the letter at the end of a key of answers, or the model that it is named after."""
    numbered = NUMBERED.fullmatch(normal(key))
    if numbered:
        return numbered[2]
    named = NAMED.fullmatch(normal(key))
    return named[1] if named else ""


def answer_list_key(keys: Keys) -> str | None:
    """Return the key of a list of answers.

    Some names are lists of answers only where the row has no one answer: beside a question and its answer they are what
    one may choose from. ``answers`` of texts beside a question are what is accepted as right.
    """
    key = keys.find(("completions",)) or keys.find(names.ANSWER_LISTS, *_LIST_KINDS)
    if key or keys.find((*names.ANSWERS, "answer", "solution"), *ANSWER_KINDS, NUMBER):
        return key
    asked = any(name in keys.at for name in names.TRUTH_PROMPTS)
    return keys.find(("answers",), MAPPINGS, TURNS, *(() if asked else (TEXTS,))) or keys.find(
        [name for name in names.ONLY_LISTS if name != "answers"], *_LIST_KINDS
    )


def answer_and_truth(keys: Keys, prompt_name: str, turns: bool, several: bool, choices: bool) -> AnswerKeys:
    """Return the keys of the one answer and of the ground truth.

    ``answer`` is the ground truth beside a question, a problem, a conversation or another answer. ``solution`` is the
    answer where there is no other, and the ground truth where there is none. Beside its reasoning, ``answer`` is an
    answer, and the ground truth of a question as well.

    Args:
        keys: The row's keys.
        prompt_name: The normal name of the prompt's key.
        turns: Whether the prompt is a conversation.
        several: Whether the row has several answers, so that none is looked for.
        choices: Whether the row has choices of a question.
    """
    asked = choices or prompt_name in names.TRUTH_PROMPTS
    answer, solution = keys.find(("answer",)), keys.find(("solution",), TEXT)
    reasoned = keys.find(names.REASONING, TEXT, TEXTS, EMPTY, NULL) is not None
    truth = truth_keys(keys)
    left = answer or solution or (keys.find(("answers",), TEXTS, MAPPING) if asked else None)
    if not left and choices:
        left = keys.find(names.CHOICE_TRUTHS, NUMBER, TEXT)
    truth_of_others = truth or ((left,) if left else ())
    if several:
        return AnswerKeys(None, truth_of_others)
    one = _answer_key(keys, reasoned, prompt_name)
    if one:
        return AnswerKeys(one, truth_of_others)
    failed = keys.find((*names.ANSWERS, *names.ANSWER_LISTS), EMPTY, NULL)  # no answer; ``answer`` is what it should be
    if failed:
        return AnswerKeys(None, truth_of_others)
    learnt = answer if answer and keys.kinds[answer] in (*ANSWER_KINDS, NUMBER) else None
    if turns:
        return AnswerKeys(learnt, truth) if reasoned and learnt else AnswerKeys(None, truth_of_others)
    if solution:
        return AnswerKeys(solution, truth_of_others)
    if learnt and asked and reasoned:
        return AnswerKeys(learnt, truth_of_others)
    if learnt and (truth or not asked):
        return AnswerKeys(learnt, truth)
    return AnswerKeys(None, truth_of_others)


def _answer_key(keys: Keys, reasoned: bool, prompt_name: str) -> str | None:
    """Return the key of the one answer under a name that is an answer's in every row that has it."""
    found = keys.find(names.ANSWERS, *ANSWER_KINDS) or keys.find(names.PLAIN_ANSWERS, NUMBER)
    named = () if found else named_keys(keys)
    if found or named:
        return found or named[0]
    if reasoned and keys.find(("content",), TEXT):
        return keys.find(("content",), TEXT)
    is_text = prompt_name == "prompt" and not keys.find(("answer", "solution"))
    return keys.find(("text",), TEXT) if is_text else None


def truth_keys(keys: Keys) -> tuple[str, ...]:
    """Return the keys that lead to the ground truth by a name of its own."""
    for name in names.TRUTHS:
        outer, _, inner = name.partition(".")
        key = keys.find((outer,), MAPPING) if inner else keys.find((outer,))
        if key:
            return (key, inner) if inner else (key,)
    return ()


def solution_keys(keys: Keys) -> tuple[str, ...]:
    """Return the keys of recorded solutions, a model each; one alone is a model's only if its name is no metadata's."""
    found = [key for key, kind in keys.kinds.items() if kind == SOLUTION and key not in keys.used]
    return tuple(key for key in found if normal(key) not in names.NO_SOLUTIONS)


def score_keys(keys: Keys) -> tuple[tuple[str, str], ...]:
    """Return the keys of the one answer's verdicts and ratings, each with its score's name."""
    found = {}
    for name in (*names.KTO_LABELS, *names.VERDICTS, *names.RATINGS):
        key = keys.find((name,), NUMBER, FLAG, TEXT)
        if key:
            found.setdefault(key, "label" if name in names.KTO_LABELS else key)
    return tuple(found.items())
