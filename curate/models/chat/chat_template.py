"""A model's chat template: Jinja that prints a conversation as the text that the model reads.

It is rendered with jinja2 in the sandbox that transformers uses, with the same functions and filters, so that what is
shown, checked and learnt is what transformers would print. A template comes with a model from anywhere: it is hostile,
and what takes too much work or memory is refused (``sandbox``).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from schemas.errors import printable

# The keys that transformers reads a reasoning trace from, best first.
TRACE_KEYS = ("reasoning_content", "thinking", "reasoning")
WORDS = ("qzuserzq", "qzanswerzq")  # in no template


class TemplateRefused(ValueError):
    """A chat template can't print a conversation; the message is the template's own, on one line."""


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template.

    Attributes:
        source: The Jinja text.
        special: The special tokens that it may name: (``bos_token``, its text) and so on.
        with_tools: The Jinja text that takes its place for a conversation with tools, where a model has two
            (transformers calls them ``default`` and ``tool_use``); empty where it has one.
    """

    source: str
    special: tuple[tuple[str, str], ...] = ()
    with_tools: str = ""

    @cached_property
    def _compiled(self) -> Any:
        return _compile(self.source)

    @cached_property
    def _compiled_with_tools(self) -> Any:
        return _compile(self.with_tools) if self.with_tools else self._compiled

    @cached_property
    def takes_parts(self) -> bool:
        """Whether it prints texts only as parts: ``[{"type": "text", "text": ...}]``. ``render`` gives it those."""
        turns = [{"role": "user", "content": WORDS[0]}, {"role": "assistant", "content": WORDS[1]}]
        if self._prints(turns):
            return False
        return self._prints([in_parts(turn) for turn in turns])

    def _prints(self, turns: list[dict[str, Any]]) -> bool:
        try:
            printed = self._print(turns, None, add_generation_prompt=False)
        except TemplateRefused:
            return False
        return all(word in printed for word in WORDS)

    def render(self, messages: Sequence[Any], tools: list | None = None, *, add_generation_prompt: bool = False) -> str:
        """Return a conversation as text.

        Args:
            messages: The messages, in our form.
            tools: The descriptions of the tools, or None.
            add_generation_prompt: Whether to add what comes before an answer.

        Raises:
            TemplateRefused: The template raises an error, of whatever kind.
        """
        given = [in_parts(message) for message in messages] if self.takes_parts else messages
        return self._print(given, tools, add_generation_prompt=add_generation_prompt)

    def _print(self, messages: Sequence[Any], tools: list | None, *, add_generation_prompt: bool) -> str:
        try:
            compiled = self._compiled if tools is None else self._compiled_with_tools
            compiled.environment.begin()
            return compiled.render(
                messages=[_with_reasoning(message) for message in messages],
                tools=tools,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **dict(self.special),
            )
        except Exception as error:  # a template may raise anything
            raise TemplateRefused(_one_line(error) or type(error).__name__) from error


def in_parts(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message whose text is a part of a list, as templates of models that see images take it."""
    text = message.get("content")
    return {**message, "content": [{"type": "text", "text": text}]} if text and isinstance(text, str) else message


def syntax_error(source: str) -> str | None:
    """Return why a text is no Jinja, with the line; None where it is, and where ``jinja2`` is not installed."""
    if find_spec("jinja2") is None:
        return None
    try:
        _compile(source)
    except Exception as error:  # beside syntax errors: unknown filters, expressions that are too deep
        line = getattr(error, "lineno", None)
        return (f"line {line}: " if line else "") + (_one_line(error) or type(error).__name__)
    return None


def _one_line(error: Exception) -> str:
    return " ".join(printable(str(error)).split())[:300]


def _with_reasoning(message: dict[str, Any]) -> dict[str, Any]:
    """Fill in the keys that templates read a reasoning trace from, as transformers does."""
    trace = next((message[name] for name in TRACE_KEYS if message.get(name) is not None), None)
    return message if trace is None else {"thinking": trace, **message, "reasoning_content": trace}


def _compile(template: str) -> Any:
    """Compile a chat template in a sandbox, as transformers does (``utils.chat_template_utils``): it may be hostile."""
    from jinja2 import TemplateError

    from curate.models.chat.sandbox import Sandbox

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = Sandbox(tojson=tojson)
    functions = {"raise_exception": raise_exception, "strftime_now": lambda form: datetime.now().strftime(form)}
    return environment.from_string(template, globals=functions)
