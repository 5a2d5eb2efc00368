"""The engine ``openai`` where a reward is wanted: a pooling server with vLLM's ``/classify``.

Such as ``vllm serve MODEL --runner pooling``. A conversation is rendered by the server, with the model's own chat
template and no prompt to answer. The one output of a reward model is taken as it is (``use_activation: false``); of a
classifier's, the probability of the label asked for, whose place in the server's answer the setting ``labels`` tells
(all of the model's labels, in order). ``/classify`` is beside ``/v1``, not in it.
"""

import json
import math

import msgspec

from curate.models.clients import openai
from curate.models.clients.complaint import UNREADABLE, Complaint, one_line
from curate.models.clients.wire import Malformed, billed
from curate.models.model_ref import ModelRef
from schemas.errors import UserError, unknown
from schemas.progress import Progress
from schemas.requests import Reply, Request, Spent


class _Class(msgspec.Struct):
    probs: list[float]
    label: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Class]
    usage: _Usage | None = None


_decode = msgspec.json.Decoder(_Answer).decode


class Engine(openai.Engine):
    """A pooling server and how to talk to it. Its settings are in ``curate.models.engine_settings``."""

    def __init__(self, ref: ModelRef, progress: Progress) -> None:
        """As ``openai``; connects to nothing yet."""
        super().__init__(ref, progress)
        self.labels = [str(label) for label in dict(ref.settings).get("labels") or ()]

    def request_of(self, asked: list[Request]) -> tuple[str, bytes]:
        """The address and the body of a request for a conversation's or a text's class."""
        ask = json.loads(asked[0].messages)
        about = {"input": ask["text"]} if "text" in ask else {"messages": ask["messages"]}
        body = {"model": self.model, **about, "use_activation": "label" in ask, **json.loads(self.extra)}
        root = self.base_url.rstrip("/").removesuffix("/v1")
        return f"{root}/classify", json.dumps(body, separators=(",", ":")).encode()

    def together(self, asked: list[Request]) -> int:
        """One: a conversation is asked for alone."""
        return 1

    def most_written(self, asked: list[Request]) -> int:
        """None: it only reads."""
        return 0

    def adapt(self, asked: list[Request], body: bytes, said: Complaint) -> bool:
        """There is nothing to learn from a refusal."""
        return False

    def error(self, said: str) -> UserError:
        """The error of a server that can't be worked with."""
        hint = "; is it a pooling server (vllm serve MODEL --runner pooling)?" if "HTTP 404" in said else ""
        return super().error(said + hint)

    def read(self, asked: list[Request], raw: bytes, size: int) -> tuple[list[Reply], Spent]:
        """The reward in the body of a good answer. Raises ``UserError`` for a label that the model does not have."""
        try:
            answer = _decode(raw)
        except UNREADABLE as error:
            raise Malformed(f"a reply that can't be read ({one_line(str(error), 80)})", billed(raw)) from None
        if len(answer.data) != 1 or not answer.data[0].probs:
            raise Malformed(f"{len(answer.data)} classifications instead of one", billed(raw))
        tokens = answer.usage.prompt_tokens if answer.usage else None
        value = self._value(answer.data[0], json.loads(asked[0].messages).get("label"))
        reply = Reply(asked[0].key, prompt_tokens=tokens, value=round(value, 6))
        if not math.isfinite(value):
            reply = Reply(asked[0].key, prompt_tokens=tokens, error="the model's output is not a number")
        return [reply], Spent(1, size // 4 + 1 if tokens is None else tokens, 0)

    def _value(self, found: _Class, label: str | None) -> float:
        count = len(found.probs)
        if label is None:
            if count > 1:
                raise UserError(
                    f"models.{self.name}: the model has {count} labels; say which one's probability is "
                    f"wanted: label{self._there_are()}"
                )
            return found.probs[0]
        if len(self.labels) != count:
            raise UserError(
                f"models.{self.name}: the model has {count} labels, and its server does not name them; "
                f"name all in their order: models.{self.name}.labels{self._there_are()}"
            )
        if label not in self.labels:
            raise unknown("label called", label, self.labels, f"models.{self.name}")
        return found.probs[self.labels.index(label)]

    def _there_are(self) -> str:
        return f" (there are: {', '.join(self.labels)})" if self.labels else ""
