"""Recognise the layout of a row by the names and kinds of its keys: where its prompt, answers and ground truth are.

``row_layout(row)`` returns a ``Layout``; rows of one file have few, so each is worked out once. The names are data, in
``layout_names``. A row without a prompt is a ``BadRow`` that says what it has.
"""

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curate.sources.rows import layout_names as names
from curate.sources.rows.answer_keys import (
    ANSWER_KINDS,
    NAMED,
    answer_and_truth,
    answer_list_key,
    numbered_keys,
    score_keys,
    side_keys,
    solution_keys,
)
from curate.sources.rows.context_keys import context_keys, system_key, tools_key
from curate.sources.rows.row_keys import (
    ANSWER,
    EMPTY,
    LISTS,
    MAPPING,
    MAPPINGS,
    MESSAGE,
    NULL,
    NUMBERED,
    NUMBERS,
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
        one: The key of the one answer; of a conversation it is used where that does not end with the assistant's.
        contexts: The keys of texts that belong to the prompt.
        history: The key of the rounds before the prompt.
        choices: The key of the choices of a question.
        system: The key of the system text.
        tools: The key of the tools.
        model: The key of the answer's model.
        reasoning: The key of the answer's reasoning.
        truth: The keys that lead to the ground truth.
        scores: Keys of verdicts and ratings of the one answer, each with its score's name.
        listed: The key of a list of all answers, beside two that are compared.
        suspects: The keys that look like an answer and are not used.
        watched: The keys of verdicts and of further prompts; where one is left, it was not understood.
        empty: The keys that have a part's name and hold nothing.
    """

    name: str
    prompt: str | None
    turns: bool
    answers: str
    keys: tuple[str, ...] = ()
    one: str | None = None
    contexts: tuple[str, ...] = ()
    history: str | None = None
    choices: str | None = None
    system: str | None = None
    tools: str | None = None
    model: str | None = None
    reasoning: str | None = None
    truth: tuple[str, ...] = ()
    scores: tuple[tuple[str, str], ...] = ()
    listed: str | None = None
    suspects: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


_PARTS = frozenset(
    (
        *(*names.MESSAGES, *names.CONVERSATIONS, *names.PROMPTS, *names.PROMPTS_WITH_ANSWERS, *names.CONTEXTS),
        *(*names.SYSTEMS, *names.TOOLS, *names.ANSWERS, *names.ANSWER_LISTS, *names.REASONING, *names.CHOICES),
        *("answer", "solution", "history", "metadata"),
    )
)


def row_layout(row: dict[str, Any], nulls: tuple[str, ...] = ()) -> Layout:
    """Return the layout of a row.

    Args:
        row: The row, without nulls.
        nulls: The keys that held null.

    Raises:
        BadRow: No prompt is found, or the layout is one that is known and not read.
    """
    keys, kinds = tuple(row), tuple(map(value_kind, row.values()))
    found = _layout(keys + nulls, kinds + (NULL,) * len(nulls))
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
    prompt, turns = _prompt(keys, bool(sides or numbered))
    if prompt and prompt in sides:
        keys.used.discard(prompt)
    prompt_name = normal(prompt or "")
    system = keys.use(system_key(keys, prompt_name if turns else ""))
    tools = keys.use(tools_key(keys))
    history = None if turns else keys.find(("history",), LISTS, TURNS, TEXTS) or keys.find(("context",), TURNS)
    keys.use(history)
    contexts, choices = context_keys(keys) if prompt and not turns else (), None
    if not turns:
        choices = keys.use(keys.find(names.CHOICES, TEXTS, NUMBERS, MAPPING, ANSWER))
    keys.used.update((*sides, *numbered))
    listed = keys.use(answer_list_key(keys))
    one, truth = answer_and_truth(keys, prompt_name, turns, bool(sides or numbered or listed), choices is not None)
    keys.used.update(filter(None, (one, *truth[:1])))
    answers, used = ("sides", sides) if sides else ("numbered", numbered) if numbered else ("turns", ())
    if answers == "turns" and listed:
        answers, used = "list", (listed,)
    elif answers == "turns" and not turns:
        recorded = () if one else solution_keys(keys)
        answers, used = ("one", (one,)) if one else ("solutions", recorded) if recorded else ("turns", ())
    keys.used.update(used)
    _check(keys, answers, listed, turns, truth)
    alone = answers in ("one", "turns")
    scores = score_keys(keys) if alone else ()
    left = keys.find_all((*names.WINNERS, *names.PROMPTS) if answers == "list" else names.PROMPTS)
    left += keys.find_all(("input", "context", "history"), TURNS, MESSAGE, MAPPING)
    left += keys.find_all(("history",), TEXT) + keys.find_all(names.NOT_READ)
    return Layout(
        name=_layout_name(prompt, turns, answers, used, winner),
        prompt=prompt,
        turns=turns,
        answers=answers,
        keys=used,
        one=one,
        contexts=contexts,
        history=history,
        choices=choices,
        system=system,
        tools=tools,
        model=keys.find(names.MODELS, TEXT),
        reasoning=keys.find(names.REASONING, TEXT, TEXTS) if alone else None,
        truth=truth,
        scores=scores,
        listed=listed if answers in ("sides", "numbered") else None,
        suspects=(*((one,) if one and not used else ()), *_suspects(keys)),
        watched=(*left, *(key for key, _ in scores)),
        empty=tuple(key for key, kind in keys.kinds.items() if kind == EMPTY and normal(key) in _PARTS),
    )


def _prompt(keys: Keys, compared: bool) -> tuple[str | None, bool]:
    """Return the key of the prompt, marked as used, and whether it holds a conversation.

    Args:
        keys: The row's keys.
        compared: Whether the row has answers that are compared: two sides, or numbered ones.
    """
    own = keys.find(("prompt",))
    if own and (compared or keys.find(("completion",))):
        return keys.use(own), keys.kinds[own] not in (TEXT, MAPPING, ANSWER)
    key = keys.find(names.MESSAGES, TURNS, TEXTS, LISTS, MESSAGE, MAPPING) or keys.find(names.CONVERSATIONS, TURNS)
    text = keys.find(names.PROMPTS, TEXT)
    if not key and not text:
        key = keys.find(names.TEXT_TURNS, TEXTS, LISTS) or keys.find(("context", "input"), TURNS)
    key = key or keys.find(names.PROMPTS, TURNS, MESSAGE) or (None if text else keys.find(names.MESSAGES, TEXT))
    if key:
        return keys.use(key), True
    key = text or keys.find(("prompt", "question"), MAPPING, ANSWER)
    answered = (*names.ANSWERS, *names.ANSWER_LISTS, *names.ONLY_LISTS, "content", "answer", "solution", *names.TRUTHS)
    if not key and (compared or keys.find(answered)):
        key = keys.find(names.PROMPTS_WITH_ANSWERS, TEXT)
    if not key:
        key = next((keys.find((one,), TEXT) for one, other in names.SPEAKERS if keys.find((other,), TEXT)), None)
    key = key or keys.find((*names.MESSAGES, *names.PROMPTS[:2]))  # the error says what is wrong with it
    if key or compared:
        return keys.use(key), key is not None and keys.kinds[key] not in (TEXT, MAPPING, ANSWER)
    raise BadRow(_no_prompt(keys))


def _no_prompt(keys: Keys) -> str:
    """Return the error for a row without a prompt: the keys it has, and the nearest right one."""
    empty = keys.find((*names.MESSAGES, *names.PROMPTS), EMPTY)
    if empty:
        return f"{empty!r} is empty; expected text or a list of messages"
    if "text" in keys.at:
        return (
            "'text' is plain text without a prompt; expected 'prompt' or 'messages' "
            "(to use the text as the prompt: fields: {prompt: text})"
        )
    if not keys.kinds:
        return "no prompt or messages: the row is empty"
    shown = ", ".join(short_repr(key) for key in list(keys.kinds)[:12])
    for key in keys.kinds:
        close = difflib.get_close_matches(str(key)[:40].lower(), (*names.MESSAGES, *names.PROMPTS), n=1, cutoff=0.7)
        if normal(key) in (*names.MESSAGES, *names.PROMPTS, *names.CONVERSATIONS):
            held = keys.kinds[key]
            return f"no prompt or messages: {key!r} holds {held}, and no text or messages; found the keys {shown}"
        if close:
            return f"no prompt or messages: found the keys {shown}; did you mean {close[0]!r} for {short_repr(key)}?"
    return f"no prompt or messages: found the keys {shown}; name the right one with fields: {{prompt: KEY}}"


def _check(keys: Keys, answers: str, listed: str | None, turns: bool, truth: tuple[str, ...]) -> None:
    """Raise ``BadRow`` for the steps of one answer, for a side without the other, and for an answer that is empty."""
    if answers == "list" and keys.find(("labels",), NUMBERS) and normal(listed or "") == "completions":
        raise BadRow(
            "'completions' with 'labels' are the steps of one answer (stepwise supervision), which is not read; "
            "if they are answers, name their verdicts otherwise, such as is_correct"
        )
    if answers != "turns" or turns:
        return
    for here, other in (("chosen", "rejected"), ("rejected", "chosen")):
        if keys.find((here,), *ANSWER_KINDS, TEXTS, LISTS):
            raise BadRow(f"{here!r} without {other!r}; expected both, or the one answer as 'completion'")
    empty = None if truth else keys.find((*names.ANSWERS, *names.ANSWER_LISTS), EMPTY)
    if empty:
        raise BadRow(f"{empty!r} is empty; expected at least one recorded answer, or no {empty!r}")


def _suspects(keys: Keys) -> tuple[str, ...]:
    """Return the keys that look like an answer and are not used."""
    looks = {*names.LOOK_LIKE_ANSWERS, *(side for pair in names.ALL_SIDES for side in pair)} - {"messages"}
    found = []
    for key, kind in keys.kinds.items():
        name = normal(key)
        is_text = kind in (TEXT, TEXTS, TURNS, LISTS, MAPPINGS, MESSAGE, ANSWER)
        of_kind = name in looks or (is_text and (NAMED.fullmatch(name) or NUMBERED.fullmatch(name)))
        if of_kind and key not in keys.used and (is_text or name in (*names.PLAIN_ANSWERS, "answer", "solution")):
            found.append(key)
    return tuple(found)


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
