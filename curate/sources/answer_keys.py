"""Find the keys of a row's answers and of its ground truth, by the names in ``layout_names``."""

import re

from curate.sources import layout_names as names
from curate.sources.row_keys import (
    FLAG,
    LISTS,
    MAPPING,
    MAPPINGS,
    NUMBER,
    NUMBERED,
    SOLUTION,
    TEXT,
    TEXTS,
    TURNS,
    Keys,
    normal,
)
from schemas.errors import BadRow

_ANSWER_KINDS = (TEXT, MAPPING, SOLUTION, TURNS, MAPPINGS)
NAMED = re.compile(rf"(.+)_(?:{'|'.join(names.NAMED)})s?")
_LIST_KINDS = (TEXTS, MAPPINGS, TURNS, LISTS)


def side_keys(keys: Keys) -> tuple[str, ...]:
    """Return the keys of the two sides of a pair; raise ``BadRow`` for one side without the other."""
    for one, other in names.SIDES:
        pair = keys.find((one,), *_ANSWER_KINDS, TEXTS, LISTS), keys.find((other,), *_ANSWER_KINDS, TEXTS)
        if pair[0] and pair[1]:
            return pair[0], pair[1]
    for here, other in (("chosen", "rejected"), ("rejected", "chosen")):
        if keys.find((here,), *_ANSWER_KINDS):
            raise BadRow(f"{here!r} without {other!r}; expected both, or the one answer as 'completion'")
    return ()


def numbered_keys(keys: Keys) -> tuple[tuple[str, ...], str | None]:
    """Return the keys of numbered answers, in order, and the key that says which is better."""
    found: dict[str, dict[str, str]] = {}
    for name, key in keys.at.items():
        match = NUMBERED.fullmatch(name)
        if match and keys.kinds[key] in (*_ANSWER_KINDS, TEXTS):
            found.setdefault(match[1], {})[match[2]] = key
    groups = ((stem, sides) for stem in names.NUMBERED if len(sides := found.get(stem, {})) > 1)
    for stem, sides in groups:
        scored = keys.find(f"{what}_{number}" for what in ("score", "rating", "reward") for number in sides)
        winner = keys.find(names.WINNERS, TEXT, NUMBER, FLAG)
        if scored or stem not in names.NEED_A_VERDICT or (winner and normal(winner) != "label"):
            return tuple(sides[number] for number in sorted(sides, key=lambda n: (len(n), n))), winner
    return _named_keys(keys), None


def _named_keys(keys: Keys, least: int = 2) -> tuple[str, ...]:
    """Return the keys of answers that are named after their models, where there are as many as ``least``."""
    found = []
    for key, kind in keys.kinds.items():
        name = normal(key)
        match = NAMED.fullmatch(name)
        usable = key not in keys.used and kind in (TEXT, TEXTS)
        if usable and match and match[1] not in names.NO_MODELS and name not in names.TRUTHS:
            found.append(key)
    others = keys.find((*names.ANSWERS[:3], *names.CONVERSATIONS[:2]))
    return tuple(found) if len(found) >= least and not others else ()


def model_of_key(key: str) -> str:
    """Return the number or the letter at the end of a key of answers, or the model that it is named after."""
    numbered = NUMBERED.fullmatch(normal(key))
    if numbered:
        return numbered[2]
    named = NAMED.fullmatch(normal(key))
    return named[1] if named else ""


def answer_list_key(keys: Keys) -> str | None:
    """Return the key of a list of answers; ``answers`` of texts beside a question are what is accepted as right."""
    asked = any(name in keys.at for name in names.TRUTH_PROMPTS)
    for name in names.ANSWER_LISTS:
        kinds = () if name == "completions" else (MAPPINGS,) if name == "answers" and asked else _LIST_KINDS
        key = keys.find((name,), *kinds)
        if key:
            return key
    return None


def one_answer_key(
    keys: Keys, prompt_name: str, turns: bool, truth: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the key of the one answer, and the ground truth's, which may be the same key.

    ``answer`` is the ground truth beside a question, a problem or a conversation. ``solution`` is the answer where
    there is no other, and the ground truth too where there is none; beside a conversation it is the ground truth only.
    """
    one = keys.find(names.ANSWERS[:-2], *_ANSWER_KINDS) or next(iter(_named_keys(keys, 1)), None)
    if one is None and not truth and prompt_name in ("prompt", "instruction"):
        one = keys.find(("text",), TEXT) if not keys.find(names.ANSWERS[-2:]) else None
    keys.use(one)
    if one is None and keys.find(names.REASONING, TEXT):
        one = keys.find(("answer",), TEXT)  # with its reasoning it is an answer to learn, and may be the truth as well
        if one and not truth and prompt_name in names.TRUTH_PROMPTS:
            truth = (one,)
        keys.use(one)
    left = left_truth_keys(keys, prompt_name, turns)
    if not truth and left:
        truth = left
        keys.used.update(left)
    if one is None and not turns:
        one = keys.use(keys.find(names.ANSWERS[-2:], TEXT))
        if one and not truth and normal(one) == "solution":
            truth = (one,)
    if one is None or turns or truth:
        return one, truth
    solution = keys.find(("solution",), TEXT)
    return one, (solution,) if solution else ()


def left_truth_keys(keys: Keys, prompt_name: str, turns: bool, several: bool = False) -> tuple[str, ...]:
    """Return the key ``answer`` where it is the ground truth.

    ``solution`` is one as well beside a conversation, and beside ``several`` answers.
    """
    asked = prompt_name in names.TRUTH_PROMPTS
    accepted = keys.find(("answers",), TEXTS, MAPPING) if asked else None
    key = keys.find(("answer",)) if asked or turns else None
    key = key or (keys.find(("solution",), TEXT) if turns or several else None) or accepted
    return (key,) if key else ()


def truth_keys(keys: Keys) -> tuple[str, ...]:
    """Return the keys that lead to the ground truth by a name of its own."""
    for name in names.TRUTHS:
        outer, _, inner = name.partition(".")
        key = keys.find((outer,), MAPPING) if inner else keys.find((outer,))
        if key:
            return (key, inner) if inner else (key,)
    return ()
