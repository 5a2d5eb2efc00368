"""Finds which parts of a conversation a chat template prints, and in which form, by rendering small conversations.

Each conversation holds words that stand nowhere else. What a template does with them is seen in what it prints, so that
nothing is guessed from its source. A template raises where it knows no system turn, say, or leaves it out silently.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from curate.models.chat.chat_template import ChatTemplate, TemplateRefused

SYSTEM, USER, ANSWER, NEXT = "qzsystemzq", "qzuserzq", "qzanswerzq", "qznextzq"
TRACE, RESULT, BESIDE = "qztracezq", "qzresultzq", "qzbesidezq"
ID, OTHER_ID = "a1b2c3d4e", "f5g6h7i8j"  # nine characters, as Mistral's templates want them
LONG_ID, TINY_ID = "call_0123456789abcdefghijklmn", "1"  # as OpenAI's servers write them, and as many files do
# The words of each call that must be printed: its name, its arguments' key and value; and those about its tool.
CALL_WORDS = (("qztoolonezq", "qzkeyonezq", "qzvalueonezq"), ("qztooltwozq", "qzkeytwozq", "qzvaluetwozq"))
ABOUT = ("qzaboutonezq", "qzabouttwozq")
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": about,
            "parameters": {
                "type": "object",
                "properties": {key: {"type": "string", "description": "A text."}},
                "required": [key],
            },
        },
    }
    for (name, key, _), about in zip(CALL_WORDS, ABOUT, strict=True)
]
EMPTY: dict[str, dict[str, Any]] = {"empty": {"content": ""}, "none": {"content": None}, "absent": {}}

Arguments = Literal["mapping", "text"]
EmptyContent = Literal["empty", "none", "absent"]


@dataclass(frozen=True)
class Support:
    """The parts of a conversation that a chat template prints, and the form in which it takes a message.

    Attributes:
        turns: It prints the texts of user and assistant.
        refusal: Its error for a user's and an assistant's turn; empty where it prints them.
        end_mark: It prints something after an answer's text, by which a model learns to stop.
        call_end_mark: So it does after a call.
        system: It prints a system text at the beginning, wherever it puts it.
        later_system: It prints a system text after other turns.
        developer: It prints the text of a turn of the role ``developer`` at the beginning.
        later_developer: It prints such a text after a system text.
        tools: It prints the tools' names, with their descriptions or parameters.
        tool_calls: It prints a call's name and its arguments, if it is given the tools.
        needs_tools: It prints calls only if it is given the tools.
        parallel_calls: It prints both of two calls in one turn.
        calls_beside_text: It prints the calls of a turn that has a text too.
        text_beside_calls: It prints the text of a turn that has calls too.
        tool_results: It prints tool results.
        reasoning: It prints the reasoning trace of the last assistant turn.
        reasoning_beside_calls: It prints the trace of the last assistant turn where that turn has calls and no text.
        alternates: It refuses two user turns in a row.
        arguments: What a call's arguments must be: a mapping, or JSON text.
        short_ids: It refuses calls whose ids are not nine characters long.
        result_names: It refuses a tool result without the name of the tool.
        call_content: What the content of a turn with calls and no text must be: ``""``, ``None``, or no key.
        content_parts: It prints texts only as parts: ``[{"type": "text", "text": ...}]``.
    """

    turns: bool = False
    refusal: str = ""
    end_mark: bool = False
    call_end_mark: bool = False
    system: bool = False
    later_system: bool = False
    developer: bool = False
    later_developer: bool = False
    tools: bool = False
    tool_calls: bool = False
    needs_tools: bool = False
    parallel_calls: bool = False
    calls_beside_text: bool = False
    text_beside_calls: bool = False
    tool_results: bool = False
    reasoning: bool = False
    reasoning_beside_calls: bool = False
    alternates: bool = False
    arguments: Arguments = "mapping"
    short_ids: bool = False
    result_names: bool = False
    call_content: EmptyContent = "empty"
    content_parts: bool = False


@lru_cache(maxsize=64)
def support_of(template: ChatTemplate) -> Support:
    """Return what a chat template prints and needs. Never raises: what it refuses, it does not support."""
    user, answer = _turn("user", USER), _turn("assistant", ANSWER)
    system = _turn("system", SYSTEM)
    try:
        printed = template.render([user, answer])
    except TemplateRefused as error:
        return Support(refusal=str(error))
    asked = _render(template, [system, user], add_generation_prompt=True)
    # Mistral's templates print the text in the last user turn, where that is the last turn: in no training row, so.
    has_system = SYSTEM in asked and _prints(template, [system, user, answer], SYSTEM, USER, ANSWER)
    openings = [[user], [system, user]] if has_system else [[user]]
    form = _call_form(template)
    calls, results = form is not None, _result_form(template, form)
    form = form or _CallForm()
    beside = _render(template, [user, form.turn(1, content=BESIDE)], TOOLS)
    traced = {**form.turn(1), "reasoning_content": TRACE}
    return Support(
        turns=USER in printed and ANSWER in printed,
        end_mark=bool(printed.rpartition(ANSWER)[2].strip()),
        call_end_mark=calls and _ends_calls(template, form, printed.rpartition(ANSWER)[2].strip()),
        system=has_system,
        later_system=_prints(template, [user, answer, system, _turn("user", NEXT), answer], SYSTEM, NEXT),
        developer=_prints(template, [_turn("developer", SYSTEM), user, answer], SYSTEM, USER),
        later_developer=_prints(template, [system, _turn("developer", BESIDE), user, answer], BESIDE, SYSTEM, USER),
        tools=_prints_tools(template, openings),
        tool_calls=calls,
        needs_tools=calls and not _prints_calls(template, form, 1, None),
        parallel_calls=calls and _prints_calls(template, form, 2),
        calls_beside_text=calls and all(word in beside for word in CALL_WORDS[0]),
        text_beside_calls=BESIDE in beside,
        tool_results=results is not None,
        reasoning=_prints(template, [user, {**answer, "reasoning_content": TRACE}], TRACE),
        reasoning_beside_calls=calls and _prints(template, [user, traced], TRACE, tools=TOOLS),
        alternates=not _renders(template, [user, _turn("user", NEXT), answer]),
        arguments=form.arguments,
        short_ids=calls and _refuses_ids(template, form, bool(results)),
        result_names=bool(results),
        call_content=form.content,
        content_parts=template.takes_parts,
    )


@dataclass(frozen=True)
class _CallForm:
    """The form of a turn with calls: its content and the calls' arguments."""

    content: EmptyContent = "empty"
    arguments: Arguments = "mapping"

    def turn(self, count: int, ids: Sequence[str] = (ID, OTHER_ID), content: str | None = None) -> dict[str, Any]:
        """Return a turn with one call or two; ``content`` is a text beside them."""
        calls = []
        for call_id, (name, key, value) in zip(ids[:count], CALL_WORDS[:count], strict=True):
            arguments: Any = {key: value}
            if self.arguments == "text":
                arguments = json.dumps(arguments)
            calls.append({"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}})
        text = EMPTY[self.content] if content is None else {"content": content}
        return {"role": "assistant", **text, "tool_calls": calls}


def _call_form(template: ChatTemplate) -> _CallForm | None:
    """Return the first form in which a template prints a call; None where it prints none."""
    contents: tuple[EmptyContent, ...] = ("empty", "none", "absent")
    arguments: tuple[Arguments, ...] = ("mapping", "text")
    forms = [_CallForm(content, kind) for content in contents for kind in arguments]
    return next((form for form in forms if _prints_calls(template, form, 1)), None)


def _prints_calls(template: ChatTemplate, form: _CallForm, count: int, tools: list[Any] | None = TOOLS) -> bool:
    """Return whether a template prints the calls of a turn, as JSON or in a form of its own.

    The turn is the last one, or has results and an answer after it.
    """
    turn = form.turn(count)
    ended = [_turn("user", USER), turn]
    words = [word for call in CALL_WORDS[:count] for word in call]
    for conversation in (ended, *([*ended, *rest] for rest in _results(template, ended, count))):
        printed = _render(template, conversation, tools)
        if not all(word in printed for word in words) or f"'{CALL_WORDS[0][1]}':" in printed:
            return False  # the latter: it prints a mapping in Python's form, which is no JSON
    return True


def _ends_calls(template: ChatTemplate, form: _CallForm, mark: str) -> bool:
    """Return whether a template prints a mark after one call; ``mark`` is the one after an answer.

    A mark of another kind counts, unless two calls end with that of answers.
    """
    one, two = (
        _render(template, [_turn("user", USER), form.turn(count)], TOOLS).rpartition(CALL_WORDS[count - 1][-1])[2]
        for count in (1, 2)
    )
    return bool(mark and mark in one) or bool(one.strip(" \n\"'}])")) and not (mark and mark in two)


def _results(template: ChatTemplate, before: list[Any], count: int) -> Iterator[list[Any]]:
    """Yield the results of calls with the answer after them, if the template takes them in any form."""
    for with_name in (False, True):
        found = [_result(i, with_name) for i in range(count)] + [_turn("assistant", ANSWER)]
        if _renders(template, [*before, *found], TOOLS):
            yield found
            return


def _result(index: int, with_name: bool, ids: Sequence[str] = (ID, OTHER_ID)) -> dict[str, Any]:
    named = {"name": CALL_WORDS[index][0]} if with_name else {}
    return {"role": "tool", "tool_call_id": ids[index], **named, "content": RESULT}


def _result_form(template: ChatTemplate, form: _CallForm | None) -> bool | None:
    """Return whether a result needs the name of its tool; None where the template prints no result."""
    called = _turn("assistant", BESIDE) if form is None else form.turn(1)
    for with_name in (False, True):
        conversation = [_turn("user", USER), called, _result(0, with_name), _turn("assistant", ANSWER)]
        if _prints(template, conversation, RESULT, ANSWER, tools=TOOLS):
            return with_name
    return None


def _refuses_ids(template: ChatTemplate, form: _CallForm, with_name: bool) -> bool:
    """Return whether a template takes ids of nine characters, and refuses longer or shorter ones."""

    def takes(call_id: str) -> bool:
        ids = (call_id, OTHER_ID)
        called = [_turn("user", USER), form.turn(1, ids)]
        answered = [*called, _result(0, with_name, ids), _turn("assistant", ANSWER)]
        return _renders(template, called, TOOLS) and (_renders(template, answered, TOOLS) or not takes_results)

    takes_results = any(True for _ in _results(template, [_turn("user", USER), form.turn(1)], 1))
    return not (takes(LONG_ID) and takes(TINY_ID))


def _prints_tools(template: ChatTemplate, openings: list[list[Any]]) -> bool:
    """Return whether a template prints the tools, before a question and in a conversation, however it begins."""
    answer = _turn("assistant", ANSWER)
    for opening in openings:
        asked = _render(template, opening, TOOLS, add_generation_prompt=True)
        for printed in (asked, _render(template, [*opening, answer], TOOLS)):
            for (name, key, _), about in zip(CALL_WORDS, ABOUT, strict=True):
                if name not in printed or not (key in printed or about in printed):
                    return False
    return True


def _turn(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def _prints(template: ChatTemplate, messages: list[Any], *words: str, tools: list[Any] | None = None) -> bool:
    """Return whether a template prints all of the words."""
    printed = _render(template, messages, tools)
    return all(word in printed for word in words)


def _renders(template: ChatTemplate, messages: list[Any], tools: list[Any] | None = None) -> bool:
    """Return whether a template prints a conversation without an error."""
    try:
        template.render(messages, tools)
    except TemplateRefused:
        return False
    return True


def _render(
    template: ChatTemplate, messages: list[Any], tools: list[Any] | None = None, *, add_generation_prompt: bool = False
) -> str:
    """Return what a template prints, an empty text where it refuses."""
    try:
        return template.render(messages, tools, add_generation_prompt=add_generation_prompt)
    except TemplateRefused:
        return ""
