"""Recognise the layout of a row by the names and kinds of its keys: where its prompt, answers and ground truth are.

``row_layout(row)`` returns a ``Layout``; rows of one file have few, so each is worked out once. The names are data, in
``layout_names``. A row without a prompt is a ``BadRow`` that says what it has.
"""

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curate.sources import layout_names as names
from curate.sources.row_keys import (
    EMPTY,
    FLAG,
    LISTS,
    MAPPING,
    MAPPINGS,
    NUMBER,
    NUMBERS,
    OTHER,
    SOLUTION,
    TEXT,
    TEXTS,
    TREE,
    TURNS,
    Keys,
    normal,
    value_kind,
)
from schemas.errors import BadRow, short_repr

_ANSWER_KINDS = (TEXT, MAPPING, SOLUTION, TURNS, MAPPINGS)
_NUMBERED = re.compile(rf"({'|'.join(names.NUMBERED)})_?(\d{{1,2}}|[a-d])")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a row are.

    Attributes:
        name: The layout's name, as a result line shows it.
        prompt: The key of the prompt; ``None`` where the two sides of a pair share it.
        turns: Whether the prompt's key holds a conversation.
        answers: ``sides``, ``numbered``, ``list``, ``one``, ``solutions``, ``tree`` or ``turns`` (the assistant's
            messages at the end of the conversation, if there are any).
        keys: The keys of the answers.
        one: The key of one answer, used where a conversation does not end with the assistant's.
        context: The key of a text that belongs to the prompt.
        system: The key of the system text.
        tools: The key of the tools.
        model: The key of the answer's model.
        reasoning: The key of the answer's reasoning.
        truth: The keys that lead to the ground truth.
        scores: Keys of verdicts and ratings of the one answer, each with its score's name.
        winner: The key that says which numbered answer is better.
        suspects: The keys that look like an answer and are not used.
    """

    name: str
    prompt: str | None
    turns: bool
    answers: str
    keys: tuple[str, ...] = ()
    one: str | None = None
    context: str | None = None
    system: str | None = None
    tools: str | None = None
    model: str | None = None
    reasoning: str | None = None
    truth: tuple[str, ...] = ()
    scores: tuple[tuple[str, str], ...] = ()
    winner: str | None = None
    suspects: tuple[str, ...] = ()


def row_layout(row: dict[str, Any]) -> Layout:
    """Return the layout of a row without nulls.

    Raises:
        BadRow: No prompt is found, or the layout is one that is known and not read.
    """
    found = _layout(tuple((str(key), value_kind(value)) for key, value in row.items()))
    if isinstance(found, str):
        raise BadRow(found)
    return found


@lru_cache(maxsize=1024)
def _layout(kinds: tuple[tuple[str, str], ...]) -> Layout | str:
    """Return the layout of rows with these keys and kinds, or what is wrong with them."""
    keys = Keys({normal(key): key for key, _ in reversed(kinds)} | {k: k for k, _ in kinds}, dict(kinds))
    try:
        return _find_layout(keys)
    except BadRow as problem:
        return str(problem)


def _find_layout(keys: Keys) -> Layout:
    if keys.kinds.get("prompt") == TREE:
        return Layout("OASST tree", "prompt", False, "tree")
    sides = _sides(keys)
    numbered, winner = ((), None) if sides else _numbered(keys)
    listed = None if sides or numbered else _answer_list(keys)
    prompt, turns = _prompt(keys, bool(sides or numbered))
    if sides and sides[0] == prompt:
        keys.used.discard(prompt)
    system, tools = keys.use(keys.find(names.SYSTEMS, TEXT)), keys.use(keys.find(names.TOOLS))
    prompt_name = normal(prompt or "")
    context = None
    if prompt_name in names.TAKE_CONTEXT and not turns and prompt_name != "prompt":
        context = keys.use(keys.find(names.CONTEXTS, TEXT))
    answers, used = ("sides", sides) if sides else ("numbered", numbered) if numbered else ("turns", ())
    if listed and _is_answers(keys, listed, prompt_name):
        answers, used = "list", (listed,)
    keys.used.update(used)
    truth = _truth(keys)
    one = None
    if answers == "turns":
        one, truth = _one_answer(keys, prompt_name, turns, truth)
        recorded = tuple(key for key, kind in keys.kinds.items() if kind == SOLUTION and key not in keys.used)
        if not turns:
            answers, used = ("one", (one,)) if one else ("solutions", recorded) if recorded else ("turns", ())
    elif not truth:
        truth = _left_truth(keys, prompt_name, turns)
    keys.used.update(truth[:1])
    keys.used.update(used)
    alone = answers in ("one", "turns")
    if answers == "list" and keys.find(("labels",), NUMBERS) and normal(used[0]) == "completions":
        raise BadRow(
            "'completions' with 'labels' are the steps of one answer (stepwise supervision), which is not read; "
            "if they are answers, name their verdicts otherwise, such as is_correct"
        )
    return Layout(
        name=_layout_name(prompt, turns, answers, used, context),
        prompt=prompt,
        turns=turns,
        answers=answers,
        keys=used,
        one=one,
        context=context,
        system=system,
        tools=tools,
        model=keys.find(names.MODELS, TEXT),
        reasoning=keys.find(names.REASONING, TEXT, TEXTS) if alone else None,
        truth=truth,
        scores=_scores(keys) if alone else (),
        winner=winner,
        suspects=_suspects(keys, {*used, one, prompt}),
    )


def _sides(keys: Keys) -> tuple[str, ...]:
    """Return the keys of the two sides of a pair; raise ``BadRow`` for one side without the other."""
    for one, other in names.SIDES:
        pair = keys.find((one,), *_ANSWER_KINDS, TEXTS, LISTS), keys.find((other,), *_ANSWER_KINDS, TEXTS)
        if pair[0] and pair[1]:
            return pair[0], pair[1]
    for here, other in (("chosen", "rejected"), ("rejected", "chosen")):
        if keys.find((here,), *_ANSWER_KINDS):
            raise BadRow(f"{here!r} without {other!r}; expected both, or the one answer as 'completion'")
    return ()


def _numbered(keys: Keys) -> tuple[tuple[str, ...], str | None]:
    """Return the keys of numbered answers, in order, and the key that says which is better."""
    found: dict[str, dict[str, str]] = {}
    for name, key in keys.at.items():
        match = _NUMBERED.fullmatch(name)
        if match and keys.kinds[key] in (*_ANSWER_KINDS, TEXTS):
            found.setdefault(match[1], {})[match[2]] = key
    groups = ((stem, sides) for stem in names.NUMBERED if len(sides := found.get(stem, {})) > 1)
    for stem, sides in groups:
        scored = keys.find(f"{what}_{number}" for what in ("score", "rating", "reward") for number in sides)
        winner = keys.find(names.WINNERS, TEXT, NUMBER, FLAG)
        if winner or scored or stem not in names.NEED_A_VERDICT:
            return tuple(sides[number] for number in sorted(sides, key=lambda n: (len(n), n))), winner
    return (), None


def _answer_list(keys: Keys) -> str | None:
    """Return the key of a list of answers."""
    key = keys.find(("completions",), TEXT, TEXTS, MAPPINGS, TURNS, LISTS, EMPTY, MAPPING, NUMBERS, OTHER)
    return key or keys.find(names.ANSWER_LISTS, TEXTS, MAPPINGS, TURNS, LISTS)


def _is_answers(keys: Keys, key: str, prompt_name: str) -> bool:
    """Return whether a list holds answers; ``answers`` of texts beside a question are what is accepted as right."""
    accepted = normal(key) == "answers" and keys.kinds[key] != MAPPINGS
    return not (accepted and prompt_name in names.TRUTH_PROMPTS)


def _prompt(keys: Keys, compared: bool) -> tuple[str | None, bool]:
    """Return the key of the prompt, and whether it holds a conversation.

    Args:
        keys: The row's keys.
        compared: Whether the row has answers that are compared: two sides, or numbered ones.
    """
    own = keys.at.get("prompt")
    if own and (compared or keys.find(("completion",))):
        return keys.use(own), keys.kinds[own] not in (TEXT, MAPPING)
    key = keys.find(names.CONVERSATIONS[:2]) or keys.find(names.CONVERSATIONS, TURNS, TEXTS, LISTS)
    key = key or keys.find(("prompt", "context", "input"), TURNS)
    if key:
        return keys.use(key), True
    spoken = keys.find((*names.ANSWERS, *names.ANSWER_LISTS)) is not None or compared
    for name in names.PROMPTS:
        usable = (TEXT, MAPPING) if name in ("prompt", "question") else (TEXT,)
        key = keys.find((name,)) if name in ("prompt", "instruction") else keys.find((name,), *usable)
        certain = name not in names.PROMPTS[names.PROMPTS.index("inputs") :]
        if key and (certain or spoken):
            return keys.use(key), keys.kinds[key] not in (TEXT, MAPPING)
    if compared:
        return None, False
    raise BadRow(_no_prompt(keys))


def _no_prompt(keys: Keys) -> str:
    """Return the error for a row without a prompt: the keys it has, and the nearest right one."""
    if "text" in keys.at:
        return (
            "'text' is plain text without a prompt; expected 'prompt' or 'messages' "
            "(to use the text as the prompt: fields: {prompt: text})"
        )
    if not keys.kinds:
        return "no prompt or messages: the row is empty"
    shown = ", ".join(short_repr(key) for key in list(keys.kinds)[:12])
    wanted = (*names.CONVERSATIONS[:2], *names.PROMPTS[:5])
    for key in keys.kinds:
        close = difflib.get_close_matches(str(key)[:40].lower(), wanted, n=1, cutoff=0.7)
        if close:
            return f"no prompt or messages: found the keys {shown}; did you mean {close[0]!r} for {short_repr(key)}?"
    return f"no prompt or messages: found the keys {shown}; name the right one with fields: {{prompt: KEY}}"


def _one_answer(
    keys: Keys, prompt_name: str, turns: bool, truth: tuple[str, ...]
) -> tuple[str | None, tuple[str, ...]]:
    """Return the key of the one answer, and the ground truth's, which may be the same key.

    ``answer`` is the ground truth beside a question, a problem or a conversation. ``solution`` is the answer where
    there is no other, and the ground truth too where there is none; beside a conversation it is the ground truth only.
    """
    one = keys.use(keys.find(names.ANSWERS[:-2], *_ANSWER_KINDS))
    left = _left_truth(keys, prompt_name, turns)
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


def _left_truth(keys: Keys, prompt_name: str, turns: bool) -> tuple[str, ...]:
    """Return the key ``answer`` where it is the ground truth; beside a conversation ``solution`` is one as well."""
    asked = prompt_name in names.TRUTH_PROMPTS
    accepted = keys.find(("answers",), TEXTS) if asked else None
    key = keys.find(("answer",)) if asked or turns else None
    key = key or (keys.find(("solution",), TEXT) if turns else None) or accepted
    return (key,) if key else ()


def _truth(keys: Keys) -> tuple[str, ...]:
    """Return the keys that lead to the ground truth by a name of its own."""
    for name in names.TRUTHS:
        outer, _, inner = name.partition(".")
        key = keys.find((outer,), MAPPING) if inner else keys.find((outer,))
        if key:
            return (key, inner) if inner else (key,)
    return ()


def _scores(keys: Keys) -> tuple[tuple[str, str], ...]:
    """Return the keys of the one answer's verdicts and ratings, each with its score's name."""
    found = {}
    for name in (*names.KTO_LABELS, *names.VERDICTS, *names.RATINGS):
        key = keys.find((name,), NUMBER, FLAG, TEXT)
        if key:
            found.setdefault(key, "label" if name in names.KTO_LABELS else key)
    return tuple(found.items())


def _suspects(keys: Keys, used: set[str | None]) -> tuple[str, ...]:
    """Return the keys that look like an answer and are not used."""
    looks = {*names.LOOK_LIKE_ANSWERS, *(side for pair in names.SIDES for side in pair)} - {"messages"}
    return tuple(
        key
        for name, key in keys.at.items()
        if key not in keys.used
        and key not in used
        and (name in looks or _NUMBERED.fullmatch(name))
        and keys.kinds[key] not in (NUMBER, FLAG, EMPTY)
    )


def _layout_name(prompt: str | None, turns: bool, answers: str, used: tuple[str, ...], context: str | None) -> str:
    """Return the layout's name: that of the data set which is known for it, or its two keys."""
    name, answer = normal(prompt or ""), normal(used[0]) if used else ""
    if answers in ("sides", "numbered"):
        return "ShareGPT preference" if name == "conversations" else "preference"
    if answers == "solutions" or (answers == "list" and name == "question"):
        return "recorded solutions"
    known = {
        ("instruction", "output"): "Alpaca",
        ("instruction", "completions"): "UltraFeedback",
        ("instruction", ""): "Alpaca",
        ("question", ""): "question-answer",
        ("prompt", "completions"): "prompt with completions",
        ("conversations", ""): "ShareGPT",
        ("prompt", ""): "prompt",
    }
    if (name, answer) in known:
        return known[name, answer]
    if name == "instruction" and context and normal(context) == "context":
        return "Dolly"
    if turns and not used:
        return "messages"
    return f"{name}-{answer}" if answer else "prompt"
