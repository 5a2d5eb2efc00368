"""Defines a request to a model, its reply, and the key under which the reply is kept.

``curate.models.engine.Engine`` is the protocol of what answers requests.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from schemas.errors import short_repr
from schemas.ids import fingerprint
from schemas.messages import Message

# The kinds of request: a completion; how good a conversation is (a reward model); how unlikely a text is to a model
# (its loss); how likely each token of a text is to it; whether a program passes its tests (the sandbox). An engine's
# file says which of them it serves.
Task = Literal["generate", "reward", "loss", "tokens", "run"]
MOST_SAMPLES = 100_000  # of one prompt
_NULL_CONTENT_LAST = re.compile(r'"content"\s*:\s*null[^{}\[\]]*\}\s*\]\s*\Z')  # may also end in another key


@dataclass(frozen=True)
class Sampling:
    """Sampling settings. ``temperature`` 0 is greedy; ``top_p`` 1 and ``top_k`` 0 are off; lengths are in tokens.

    ``stop`` holds texts that end a reply; ``response_format`` is a JSON schema (as JSON text) that it must follow;
    ``logprobs`` asks for the log-probability of each of its tokens, ``top_logprobs`` for those of so many likely ones
    in the place of each token that is a short answer (see ``Reply``).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256
    seed: int = 0
    stop: tuple[str, ...] = ()
    response_format: str | None = None
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True)
class Request:
    """One request: the messages (JSON text), tools (JSON text or None), sampling, and which of the K samples it is.

    For a ``task`` other than ``generate``, ``messages`` holds that task's input as JSON text (see
    ``curate.steps.model_calls``). Messages whose last turn is ``{"role": "user", "content": null}`` ask for that user
    turn (Magpie, arXiv 2406.08464). Messages that are one JSON text instead of a list are a bare text to go on with,
    without a chat template (engine ``transformers`` only). The task ``tokens`` has ``{"ids": [...]}``.
    """

    key: str
    messages: str
    tools: str | None
    sampling: Sampling
    sample_index: int
    task: Task = "generate"

    @property
    def turns(self) -> list[Message]:
        """The messages, parsed."""
        return json.loads(self.messages)

    @property
    def excerpt(self) -> str:
        """The beginning of what is asked (the last turn's), quoted, for a message."""
        last: Any = self.messages
        if self.task == "generate" and (turns := self.turns):
            last = turns if isinstance(turns, str) else turns[-1].get("content")
        return short_repr(" ".join(str(last).split()), 80)

    @property
    def writes_user_turn(self) -> bool:
        """Whether the model is asked to write the user's turn, rather than the assistant's."""
        return writes_user_turn(self.messages)


def writes_user_turn(messages: str) -> bool:
    """Return whether messages (JSON text) end with a user's turn without content, which the model is to write.

    Text that holds no list of messages ends with none.
    """
    if not _NULL_CONTENT_LAST.search(messages):  # nearly always; parsing takes longer
        return False
    try:
        turns = json.loads(messages)
    except (ValueError, RecursionError):
        return False
    last = turns[-1] if isinstance(turns, list) and turns else None
    return isinstance(last, dict) and last.get("role") == "user" and last.get("content", "") is None


@dataclass(frozen=True)
class Reply:
    """One completion: its text, its reasoning trace, why it ended (stop, length, tool_calls) and its tokens.

    ``tool_calls`` is JSON text; ``logprobs`` are natural logarithms, one a token. ``top_logprobs`` is JSON text, a list
    of ``{"token": "7", "top": {"7": -0.1, "8": -2.4}}``, one for each token that is a short answer once stripped: a
    number of at most three digits or one capital letter. For the task ``tokens``, ``logprobs`` are those of the second
    token of the text, of all after it, and of the likeliest next one; ``top_logprobs`` is a list as long with the
    log-probability of the likeliest token in each place, null where that is the text's own. ``value`` is the reward or
    the loss. ``answered_by`` is the model that the server says has answered, where its name is another than the one
    that was asked for. Where the request failed, ``error`` says why and the rest is None; ``transient`` is whether the
    same request may succeed on another day, ``unclear`` whether it was refused without a word about the prompt.
    """

    key: str
    text: str | None = None
    reasoning_content: str | None = None
    tool_calls: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprobs: tuple[float, ...] | None = None
    error: str | None = None
    transient: bool = False
    value: float | None = None
    top_logprobs: str | None = None
    answered_by: str | None = None
    unclear: bool = False

    def record(self) -> dict[str, Any]:
        """Return the reply as a JSON-able mapping, without what is unset."""
        return {k: v for k, v in vars(self).items() if v is not None and v is not False}


@dataclass(frozen=True)
class Spent:
    """The cost of a call of a model: HTTP (or local) requests, and the tokens billed for them."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


# Hands out the next requests that belong together: samples of one prompt, alike in all but ``sample_index``. None means
# that there is nothing now: ask again after the next ``give``; with nothing in flight, all is done.
Take = Callable[[], list[Request] | None]
# Stores replies, each of which is durable when it returns, and counts their cost. No replies and a cost: an attempt
# that failed but may have to be paid for (a time-out, a connection lost in the middle of a reply). It then returns
# False where that leaves no budget for another attempt: the request is given the error ``NO_BUDGET`` instead.
Give = Callable[[list[Reply], Spent], bool | None]
NO_BUDGET = "there is no budget for another attempt"


def make_request(
    identity: str, messages: str, tools: str | None, sampling: Sampling, sample_index: int, task: Task = "generate"
) -> Request:
    """Return a request. Its key is a hash of the model's identity, messages, tools, sampling and sample index only.

    A greedy request has one answer, so its key holds neither the seed nor unused sampling settings. The key of a task
    other than ``generate`` holds the task's name and no sampling settings.

    Args:
        identity: The model's identity.
        messages: The messages, or the task's input, as JSON text.
        tools: The tools as JSON text, or None.
        sampling: The sampling settings.
        sample_index: Which of a prompt's samples it is.
        task: What is asked.
    """
    if task != "generate":
        return Request(fingerprint([identity, task, messages]), messages, tools, sampling, sample_index, task)
    how = {k: getattr(sampling, k) for k in ("temperature", "top_p", "top_k", "max_tokens", "seed")}
    if sampling.temperature == 0:
        how = {"temperature": 0, "max_tokens": sampling.max_tokens}
    how |= {k: v for k in ("stop", "response_format", "logprobs", "top_logprobs") if (v := getattr(sampling, k))}
    key = fingerprint([identity, messages, tools, how, sample_index])
    return Request(key, messages, tools, sampling, sample_index)


def most_tokens(request: Request) -> tuple[int, int]:
    """Return the most prompt tokens and the most new tokens that a request can take.

    A token is a byte or more, and the JSON around a turn is longer than the template's own marks; 64 tokens more (256
    with tools) allow for what templates add.
    """
    text = len(request.messages.encode("utf-8", "surrogatepass"))
    tools = len(request.tools.encode("utf-8", "surrogatepass")) + 256 if request.tools else 0
    return text + tools + 64, request.sampling.max_tokens
