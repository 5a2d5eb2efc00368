"""Asks a pooling server with vLLM's ``/classify`` for rewards, such as ``vllm serve MODEL --runner pooling``.

The server renders a conversation with the model's own chat template, without a generation prompt. A reward model's one
output is the reward (``use_activation: false``); of a classifier's outputs, the reward is the probability of the label
asked for. The setting ``labels`` (all labels, in order) says which output that is. ``/classify`` is beside ``/v1``,
not in it.
"""

import json
import math
from typing import Any

import msgspec

from curate.models.clients.http.chat import ChatEngine
from curate.models.clients.http.complaint import UNREADABLE, Complaint, one_line
from curate.models.clients.http.replies import Malformed, billed
from curate.models.clients.http.wire_messages import MessageForm, sent_messages
from curate.models.model_ref import ModelRef
from schemas.errors import UserError, unknown
from schemas.progress import Progress
from schemas.requests import Reply, Request, Spent
from schemas.token_count import token_count


class _Class(msgspec.Struct):
    probs: list[float]


class _Answer(msgspec.Struct):
    data: list[_Class]
    usage: Any = None  # its count of tokens may be any number, or none


_decode = msgspec.json.Decoder(_Answer, strict=False).decode


def _sent(messages: list[Any]) -> list[Any]:
    """Return a conversation as a server gets it. Its reasoning stays: the template says whether it counts."""
    return json.loads(sent_messages(json.dumps(messages), MessageForm(reasoning=True)))


class ClassifyEngine(ChatEngine):
    """Asks one pooling server for rewards."""

    def __init__(
        self,
        ref: ModelRef,
        progress: Progress,
        base_url: str = "",
        key: str | None = None,
        *,
        labels: list[str] | None = None,
    ) -> None:
        """Prepare to ask, as ``ChatEngine`` does; ``labels`` are a classifier's, in the order of its outputs."""
        super().__init__(ref, progress, base_url, key)
        self.labels = labels or []

    def request_of(self, asked: list[Request]) -> tuple[str, bytes]:
        """Return the address and the body of a request for a conversation's or a text's reward."""
        ask = json.loads(asked[0].messages)
        about = {"input": ask["text"]} if "text" in ask else {"messages": _sent(ask["messages"])}
        body = {"model": self.model, **about, "use_activation": "label" in ask, **json.loads(self.extra)}
        root = self.base_url.rstrip("/").removesuffix("/v1")
        return f"{root}/classify", json.dumps(body, separators=(",", ":")).encode()

    def together(self, asked: list[Request]) -> int:
        """Return 1: a request holds one conversation."""
        return 1

    def most_written(self, asked: list[Request]) -> int:
        """Return 0: the server only reads."""
        return 0

    def adapt(self, asked: list[Request], status: int, body: bytes, complaint: Complaint) -> bool:
        """Return False: there is nothing to learn from a refusal."""
        return False

    def error(self, message: str) -> UserError:
        """Return the error for a server that can't be used."""
        hint = "; is it a pooling server (vllm serve MODEL --runner pooling)?" if "HTTP 404" in message else ""
        return super().error(message + hint)

    def read(self, asked: list[Request], raw: bytes, size: int) -> tuple[list[Reply], Spent]:
        """Return the reward in the body of a good answer, and its cost; see ``ChatEngine.read``.

        Raises ``UserError`` for a label that the model does not have.
        """
        try:
            answer = _decode(raw)
        except UNREADABLE as error:
            raise Malformed(f"a reply that can't be read ({one_line(str(error), 80)})", billed(raw)) from None
        if len(answer.data) != 1 or not answer.data[0].probs:
            raise Malformed(f"{len(answer.data)} classifications instead of one", billed(raw))
        tokens = token_count(answer.usage.get("prompt_tokens")) if isinstance(answer.usage, dict) else None
        value = self._value(answer.data[0], json.loads(asked[0].messages).get("label"))
        reply = Reply(asked[0].key, prompt_tokens=tokens, value=round(value, 6))
        if not math.isfinite(value):
            reply = Reply(asked[0].key, prompt_tokens=tokens, error="the model's output is not a number")
        return [reply], Spent(1, size // 4 + 1 if tokens is None else tokens, 0)

    def _value(self, found: _Class, label: str | None) -> float:
        """Return the one output, or the probability of a label among several."""
        count = len(found.probs)
        if label is None:
            if count > 1:
                raise UserError(
                    f"models.{self.name}: the model has {count} labels; name the one whose probability "
                    f"is the score: label{self._there_are()}"
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
