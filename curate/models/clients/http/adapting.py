"""Learns from a server's refusals which parameters it does not take, and how it calls those that it does.

What was learnt holds for all further requests of the run, and is said once.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec

from curate.models.clients.http.complaint import Complaint, one_line
from curate.models.clients.http.refused_parameter import refused_parameter
from curate.models.clients.http.settings import LIMIT_NAMES, OPTIONAL
from curate.models.clients.http.wire import Form

# Answers that say nothing about the parameters: of a key, of money, of a server that is busy or away.
OTHER_STATUSES = (401, 402, 405, 407, 408, 409, 425, 429, 498, 502, 503, 504)
# Words of a server that ask for another form of the messages; the bytes of the body that they are about; the change.
FORMS = (
    (
        re.compile(r"tool.?call.?id.{0,80}(?:a-z|length of 9|alphanumeric)", re.IGNORECASE),
        b'"tool_calls"',
        {"short_ids": True},
        "gives tool calls ids of nine letters and digits",
    ),
    (
        re.compile(r"messages.{0,80}\bname\b", re.IGNORECASE),
        b'"role":"tool"',
        {"result_names": False},
        "leaves out the names of tool results",
    ),
    (
        re.compile(r"content.{0,80}(?:null|none\b|nil\b|string|required|missing|empty)", re.IGNORECASE),
        b'"content":null',
        {"null_content": False},
        "sends an empty text in turns of calls alone",
    ),
)
LIKELY = frozenset(("logprobs", "top_logprobs"))


class Adapting:
    """The form of the requests to one model, and what its server's refusals change in it.

    ``single`` is whether the server answers one sample a request only.
    """

    def __init__(self, form: Form, leave_out: list[str], say: Callable[[str], None]) -> None:
        """Take the form to begin with.

        Args:
            form: The form.
            leave_out: Parameters that the recipe leaves out.
            say: Says what was learnt.
        """
        left_out = set(leave_out)
        if not left_out.isdisjoint(LIMIT_NAMES):
            left_out.update(LIMIT_NAMES)
        if "logprobs" in left_out:
            left_out.update(LIKELY)
        self.form = replace(form, left_out=frozenset(left_out))
        self.single = "n" in left_out
        self.say = say
        self.refused: set[str] = set()  # names of the limit

    def learn(self, status: int, body: bytes, found: Complaint, needed: frozenset[str]) -> str | None:
        """Learn what a refused request must leave out; return what the step needs and the server does not take.

        Args:
            status: The answer's status.
            body: The body of the request.
            found: The server's words.
            needed: Parameters that the step can't do without.

        Returns:
            An empty text where the request is to be made again, None where nothing was learnt, else the name of a
            parameter in ``needed``.
        """
        if status < 400 or status in OTHER_STATUSES:
            return None
        request = msgspec.json.decode(body)
        sent = {*request} & {*OPTIONAL} - {*msgspec.json.decode(self.form.extra)}
        sure = status not in (400, 422)
        prompt = "\n".join(_texts([request.get(name) for name in ("messages", "tools", "prompt")]))
        name = refused_parameter(found, sent, sure=sure, prompt=prompt)
        if name is None:
            return self._learn_messages(body, found)
        while name:
            if name in needed:
                return name
            self._learn_parameter(name, found)
            sent.discard(name)
            several = ", " in found.param  # otherwise the words are about one
            name = refused_parameter(found, sent, sure=sure, prompt=prompt) if several else None
        return ""

    def _learn_messages(self, body: bytes, found: Complaint) -> str | None:
        """Send messages in the form that the server wants; as ``learn`` returns."""
        for words, held, change, what in FORMS:
            messages = replace(self.form.messages, **change)
            if held in body and messages != self.form.messages and words.search(f"{found.param} {found.message}"):
                self._change(what, found, messages=messages)
                return ""
        return None

    def _learn_parameter(self, name: str, found: Complaint) -> None:
        """Send a parameter no more, or under its other name."""
        if name == "n":
            if not self.single:
                self.single = True
                self._tell("asks for one sample in a request", found)
        elif name in LIMIT_NAMES:
            self._learn_limit(name, found)
        elif name not in self.form.left_out:
            names = LIKELY if name in LIKELY else {name}
            self._change(f"leaves out {name}", found, left_out=self.form.left_out | names)

    def _learn_limit(self, name: str, found: Complaint) -> None:
        """Use the other name of the limit, and none once the server has refused both."""
        self.refused.add(name)
        other = next(one for one in LIMIT_NAMES if one != name)
        if other not in self.refused:
            if self.form.limit != other:
                self._change(f"writes {other} for {name}", found, limit=other)
        elif name not in self.form.left_out:
            self._change(f"leaves out {name}", found, left_out=self.form.left_out | {*LIMIT_NAMES})

    def _change(self, what: str, found: Complaint, **changes: object) -> None:
        self.form = replace(self.form, **changes)
        self._tell(what, found)

    def _tell(self, what: str, found: Complaint) -> None:
        self.say(f"the server refused a parameter; gristmill {what} from now on ({one_line(found.message, 120)})")


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
