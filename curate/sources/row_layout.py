"""Recognise the layout of a row by the names and kinds of its keys: where its prompt, answers and ground truth are.

``row_layout(row)`` returns a ``Layout``; rows of one file have few, so each is worked out once. The names are data, in
``layout_names``. A row without a prompt is a ``BadRow`` that says what it has.
"""

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curate.sources import layout_names as names
from curate.sources.answer_keys import (
    NAMED,
    NUMBERED,
    answer_list_key,
    left_truth_keys,
    numbered_keys,
    one_answer_key,
    side_keys,
    truth_keys,
)
from curate.sources.row_keys import (
    EMPTY,
    FLAG,
    LISTS,
    MAPPING,
    NUMBER,
    NUMBERS,
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
        choices: The key of the choices of a question.
        system: The key of the system text.
        tools: The key of the tools.
        model: The key of the answer's model.
        reasoning: The key of the answer's reasoning.
        truth: The keys that lead to the ground truth.
        scores: Keys of verdicts and ratings of the one answer, each with its score's name.
        winner: The key that says which numbered answer is better.
        listed: The key of a list of all answers, beside two that are compared.
        suspects: The keys that look like an answer and are not used.
    """

    name: str
    prompt: str | None
    turns: bool
    answers: str
    keys: tuple[str, ...] = ()
    one: str | None = None
    context: str | None = None
    choices: str | None = None
    system: str | None = None
    tools: str | None = None
    model: str | None = None
    reasoning: str | None = None
    truth: tuple[str, ...] = ()
    scores: tuple[tuple[str, str], ...] = ()
    winner: str | None = None
    listed: str | None = None
    suspects: tuple[str, ...] = ()


def row_layout(row: dict[str, Any]) -> Layout:
    """Return the layout of a row without nulls.

    Raises:
        BadRow: No prompt is found, or the layout is one that is known and not read.
    """
    found = _layout(tuple(map(str, row)), tuple(map(value_kind, row.values())))
    if isinstance(found, str):
        raise BadRow(found)
    return found


@lru_cache(maxsize=1024)
def _layout(keys_of_row: tuple[str, ...], kinds: tuple[str, ...]) -> Layout | str:
    """Return the layout of rows with these keys and kinds, or what is wrong with them."""
    at = {normal(key): key for key in reversed(keys_of_row)} | {key: key for key in keys_of_row}
    keys = Keys(at, dict(zip(keys_of_row, kinds, strict=True)))
    try:
        return _find_layout(keys)
    except BadRow as problem:
        return str(problem)


def _find_layout(keys: Keys) -> Layout:
    if keys.kinds.get("prompt") == TREE:
        return Layout("OASST tree", "prompt", False, "tree")
    sides = side_keys(keys)
    numbered, winner = ((), None) if sides else numbered_keys(keys)
    listed = answer_list_key(keys)
    prompt, turns = _prompt(keys, bool(sides or numbered))
    if sides and sides[0] == prompt:
        keys.used.discard(prompt)
    system, tools = keys.use(keys.find(names.SYSTEMS, TEXT)), keys.use(keys.find(names.TOOLS))
    prompt_name = normal(prompt or "")
    context = None
    if prompt_name in names.TAKE_CONTEXT and not turns:
        context = keys.use(keys.find(("input",)) or keys.find(names.CONTEXTS, TEXT, TEXTS))
    choices = keys.use(keys.find(names.CHOICES, TEXTS, MAPPING)) if prompt_name in names.TAKE_CONTEXT else None
    answers, used = ("sides", sides) if sides else ("numbered", numbered) if numbered else ("turns", ())
    keys.used.update(used)
    keys.use(listed)
    if listed and answers == "turns":
        answers, used = "list", (listed,)
    truth = truth_keys(keys)
    one = None
    if answers == "turns":
        one, truth = one_answer_key(keys, prompt_name, turns, truth)
        recorded = tuple(key for key, kind in keys.kinds.items() if kind == SOLUTION and key not in keys.used)
        if not turns:
            answers, used = ("one", (one,)) if one else ("solutions", recorded) if recorded else ("turns", ())
    elif not truth:
        truth = left_truth_keys(keys, prompt_name, turns, several=True)
    keys.used.update(truth[:1])
    keys.used.update(used)
    alone = answers in ("one", "turns")
    if answers == "list" and keys.find(("labels",), NUMBERS) and normal(listed or "") == "completions":
        raise BadRow(
            "'completions' with 'labels' are the steps of one answer (stepwise supervision), which is not read; "
            "if they are answers, name their verdicts otherwise, such as is_correct"
        )
    return Layout(
        name=_layout_name(prompt, turns, answers, used, winner),
        prompt=prompt,
        turns=turns,
        answers=answers,
        keys=used,
        one=one,
        context=context,
        choices=choices,
        system=system,
        tools=tools,
        model=keys.find(names.MODELS, TEXT),
        reasoning=keys.find(names.REASONING, TEXT, TEXTS) if alone else None,
        truth=truth,
        scores=_scores(keys) if alone else (),
        winner=winner,
        listed=listed if answers in ("sides", "numbered") else None,
        suspects=(*((one,) if one and not used else ()), *_suspects(keys, {*used, one, prompt})),
    )


def _prompt(keys: Keys, compared: bool) -> tuple[str | None, bool]:
    """Return the key of the prompt, and whether it holds a conversation.

    Args:
        keys: The row's keys.
        compared: Whether the row has answers that are compared: two sides, or numbered ones.
    """
    own = keys.at.get("prompt")
    if own and (compared or keys.find(("completion",))):
        return keys.use(own), keys.kinds[own] not in (TEXT, MAPPING)
    key = keys.find(names.CONVERSATIONS[:2]) or keys.find(names.CONVERSATIONS, TURNS)
    if not key and not keys.find(names.PROMPTS[:5], TEXT):
        key = keys.find([name for name in names.CONVERSATIONS if name != "turns"], TEXTS, LISTS)
    key = key or keys.find(("prompt", "context", "input"), TURNS)
    if key:
        return keys.use(key), True
    spoken = compared or keys.find((*names.ANSWERS, *names.ANSWER_LISTS, *names.TRUTHS)) is not None
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
        for key, kind in keys.kinds.items()
        if key not in keys.used
        and key not in used
        and ((name := normal(key)) in looks or NUMBERED.fullmatch(name) or NAMED.fullmatch(name))
        and kind not in (FLAG, EMPTY)
        and (kind != NUMBER or name in names.ANSWERS)
    )


def _layout_name(prompt: str | None, turns: bool, answers: str, used: tuple[str, ...], winner: str | None) -> str:
    """Return the layout's name: that of the data set which is known for it, or its two keys."""
    name, answer = normal(prompt or ""), normal(used[0]) if used else ""
    if answers == "sides" or (answers == "numbered" and winner):
        return "ShareGPT preference" if name == "conversations" else "preference"
    if answers == "numbered":
        return "numbered answers" if NUMBERED.fullmatch(answer) else "answers of several models"
    if answers == "solutions" or (answers == "list" and name == "question"):
        return "recorded solutions"
    if (name, answer) in names.KNOWN:
        return names.KNOWN[name, answer]
    if turns and not used:
        return "messages"
    return f"{name}-{answer}" if answer else name
