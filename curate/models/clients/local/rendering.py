"""Prints the messages of requests by a model's chat template, fitted to what the template prints."""

from typing import Any

from curate.models.chat.chat import template_of
from curate.models.chat.fit_messages import fit, not_shown
from curate.models.chat.template_support import Support, support_of
from schemas.progress import Progress

# Parts that an answer can do without: many templates leave them out on purpose.
MAY_BE_LEFT_OUT = {"turns", "reasoning", "text beside tool calls"}


class NotShown(ValueError):
    """A conversation has what the model's chat template prints nothing of."""


def reason_of(error: Exception) -> str:
    """Return why a conversation is refused, for its row's error."""
    reason = " ".join(str(error).split())[:300]
    return reason if isinstance(error, NotShown) else f"the chat template refuses the messages: {reason}"


class Rendering:
    """Prints conversations as a model reads them; says once each way in which they are changed for its template."""

    def __init__(self, name: str, progress: Progress) -> None:
        """Begin with nothing said.

        Args:
            name: The model's name in the recipe.
            progress: Shows what is said.
        """
        self.name, self.progress = name, progress
        self._said: set[str] = set()
        self._known: tuple[Any, Support] | None = None  # a chat template, and what it prints

    def text(
        self,
        tokenizer: Any,
        messages: list[Any],
        tools: list[Any] | None = None,
        *,
        add_generation_prompt: bool = False,
    ) -> str:
        """Return a conversation as text, by the chat template of a tokenizer of transformers.

        Raises:
            NotShown: The template prints no tools, say, and the conversation has some.
            Exception: Whatever the template raises.
        """
        support = self._support_of(tokenizer)
        if not support.refusal:
            lost = [name for name in not_shown(messages, tools, support) if name not in MAY_BE_LEFT_OUT]
            if lost:
                raise NotShown(f"the model's chat template prints no {' and no '.join(lost)}")
            messages, changes = fit(messages, support)
            for change in sorted(changes - self._said):
                self.say(change, f"{self.name}: its chat template does not take the messages as they are: {change}")
        return tokenizer.apply_chat_template(
            messages, tools=tools, tokenize=False, add_generation_prompt=add_generation_prompt
        )

    def printable_tools(self, tokenizer: Any, tools: list[Any] | None) -> list[Any] | None:
        """Return tools if the tokenizer's chat template prints any; else None, which is said once."""
        if not tools or tokenizer.chat_template is None:
            return None
        support = self._support_of(tokenizer)
        if support.refusal or support.tools:
            return tools
        self.say("tools", f"{self.name}: its chat template prints no tools: conversations are read without them")
        return None

    def _support_of(self, tokenizer: Any) -> Support:
        """Return what the tokenizer's chat template prints; it is asked for each conversation."""
        if self._known is None or self._known[0] is not tokenizer.chat_template:
            template = template_of(tokenizer)
            found = Support(refusal="it has none named default") if template is None else support_of(template)
            self._known = (tokenizer.chat_template, found)
        return self._known[1]

    def bare(self, messages: list[Any], tools: list[Any] | None = None) -> str:
        """Return the texts of the turns, a line each, as a model without a chat template reads them.

        Raises:
            NotShown: The conversation has tools, calls or results.
        """
        if tools or any(message.get("tool_calls") or message["role"] == "tool" for message in messages):
            raise NotShown("the model has no chat template, which would print tools and tool calls")
        self.say(
            "no template",
            f"{self.name} has no chat template: it reads the texts of the turns, a line each; "
            f"a template is given by models.{self.name}.chat_template",
        )
        return "\n".join(str(message.get("content") or "") for message in messages) + "\n"

    def say(self, what: str, message: str) -> None:
        """Show a message unless ``what`` was said before."""
        if what not in self._said:
            self._said.add(what)
            self.progress.say(message)
