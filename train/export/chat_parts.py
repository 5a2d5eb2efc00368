"""The texts that a chat template prints around what is said: found by printing conversations of words."""

import re
from dataclasses import dataclass, replace

from curate.models.chat.chat_template import ChatTemplate, TemplateRefused

# In no template. Each stands for a text: of the system, then of users and assistants in turn.
SYSTEM, *TURNS = "qzsystemqz", "qzaskaqz", "qzansweraqz", "qzaskbqz", "qzanswerbqz", "qzaskcqz"


class NotFixed(ValueError):
    """A template does more than to print fixed texts around what is said; the message says what."""


@dataclass(frozen=True)
class ChatParts:
    """The fixed texts of a chat template.

    A conversation of user and assistant is ``first + user + asked + answer + answered + user + ... + last``.

    Attributes:
        first: Before the first user's text, where there is no system message.
        asked: From a user's text to the assistant's.
        answered: From an assistant's text to the next user's.
        last: From the last user's text to the answer that the model writes.
        after_user: The beginning of ``asked`` and ``last`` that is printed without an answer too.
        after_answer: The beginning of ``answered`` that is printed at a conversation's end too.
        system: Before and behind a system message that comes first, up to the user's text; None where the template
            takes none.
        system_last: Whether it stands before the last user's text, not the first's; then ``system`` is what is printed
            between what stands before that text otherwise and the user's text.
        own_turn: Before and behind a system message wherever it is in a conversation; None where its place matters.
    """

    first: str
    asked: str
    answered: str
    last: str
    after_user: str
    after_answer: str
    system: tuple[str, str] | None
    system_last: bool = False
    own_turn: tuple[str, str] | None = None


def chat_parts(template: ChatTemplate) -> ChatParts:
    """Return the fixed texts of a chat template.

    Raises:
        NotFixed: It prints the date, or other texts in the second turn than in the first, or not what is said.
    """
    dated = replace(template, source=template.source.replace("strftime_now(", "raise_exception("))
    long = _turns(5)
    if _prints(dated, long) is None and _prints(template, long) is not None:
        raise NotFixed("it prints the date")
    first, asked, answered, again, after, last = _between(template, long, TURNS)
    if (asked, answered) != (again, after):
        raise NotFixed("it prints other texts around a second turn than around the first")
    after_user = _end(template, _turns(1), TURNS[0])
    after_answer = _end(template, _turns(2), TURNS[1])
    parts = ChatParts(
        first,
        asked,
        answered,
        last,
        after_user if asked.startswith(after_user) and last.startswith(after_user) else "",
        after_answer if answered.startswith(after_answer) else "",
        None,
    )
    return _with_system(template, parts)


def _with_system(template: ChatTemplate, parts: ChatParts) -> ChatParts:
    """Add what is printed around a system message."""
    conversation = [_message("system", SYSTEM), *_turns(3)]
    printed = _prints(template, conversation)
    if printed is None or SYSTEM not in printed:
        return parts
    if printed.index(SYSTEM) < printed.index(TURNS[0]):
        before, behind, *rest = _between(template, conversation, [SYSTEM, *TURNS[:3]])
        if rest != [parts.asked, parts.answered, parts.last]:
            raise NotFixed("it prints other texts around the turns where there is a system message")
        return replace(parts, system=(before, behind), own_turn=_own_turn(template, parts, before, behind))
    first, asked, answered, behind, last = _between(template, conversation, [*TURNS[:2], SYSTEM, TURNS[2]])
    if (first, asked, last) != (parts.first, parts.asked, parts.last) or not answered.startswith(parts.answered):
        raise NotFixed("it prints other texts around the turns where there is a system message")
    return replace(parts, system=(answered.removeprefix(parts.answered), behind), system_last=True)


def _own_turn(template: ChatTemplate, parts: ChatParts, before: str, behind: str) -> tuple[str, str] | None:
    """Return what is printed around a system message in the middle too; None where it is not the same everywhere."""
    next_user = parts.answered.removeprefix(parts.after_answer)
    later = [*_turns(2), _message("system", SYSTEM), _message("user", TURNS[2])]
    try:
        found = _between(template, later, [*TURNS[:2], SYSTEM, TURNS[2]])
    except NotFixed:
        return None
    opening = found[2].removeprefix(parts.after_answer)
    fits = (
        found[:2] == [parts.first, parts.asked]
        and found[2].startswith(parts.after_answer)
        and found[3:] == [behind, parts.last]
        and before.endswith(opening)
        and behind.endswith(next_user)
        and parts.first.endswith(next_user)
        and parts.first.startswith(before.removesuffix(opening))
    )
    return (opening, behind.removesuffix(next_user)) if fits and opening else None


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _turns(count: int) -> list[dict[str, str]]:
    return [_message("user" if i % 2 == 0 else "assistant", word) for i, word in enumerate(TURNS[:count])]


def _prints(template: ChatTemplate, messages: list[dict[str, str]], *, answer: bool = True) -> str | None:
    """Return what a template prints of a conversation, with what comes before an answer; None where it refuses."""
    try:
        return template.render(messages, add_generation_prompt=answer)
    except TemplateRefused:
        return None


def _between(template: ChatTemplate, messages: list[dict[str, str]], words: list[str]) -> list[str]:
    """Return the texts before, between and behind words, each of which a template prints once, in this order."""
    printed = _prints(template, messages)
    if printed is None:
        raise NotFixed("it refuses a conversation of user and assistant")
    if [printed.count(word) for word in words] != [1] * len(words):
        raise NotFixed("it does not print each text of a conversation once")
    found = re.split("|".join(map(re.escape, words)), printed)
    places = [printed.index(word) for word in words]
    if places != sorted(places):
        raise NotFixed("it prints the texts of a conversation in another order")
    return found


def _end(template: ChatTemplate, messages: list[dict[str, str]], word: str) -> str:
    """Return what is printed behind the last text where no answer is asked for."""
    printed = _prints(template, messages, answer=False)
    return "" if printed is None or word not in printed else printed.partition(word)[2]
