"""Rewards of the engine ``transformers``: a sequence-classification model in this process.

A conversation is rendered by the model's own chat template and read as a whole, whatever else is in its batch. The
reward is the model's output if it has one, else the probability of the label that was asked for. A conversation that
does not fit the model's context is an error, not a reward of its first half.
"""

import json
import math
from typing import Any

import torch

from curate.models.clients.local.batching import Text, answer_in_batches, padded, refusal
from curate.models.clients.local.loaded_model import LoadedModel
from curate.models.clients.local.rendering import NotShown, Rendering, reason_of
from curate.models.engine import setting_of
from curate.models.model_ref import ModelRef
from curate.models.weights import load_classifier
from schemas.errors import UserError, unknown
from schemas.progress import Progress
from schemas.requests import Give, Reply, Request, Take


class RewardEngine(LoadedModel):
    """A loaded sequence-classification model that gives rewards."""

    def __init__(self, ref: ModelRef, progress: Progress | None = None) -> None:
        """Load the model; ``batch_tokens`` bounds the tokens of a batch, padding included."""
        self.ref, self.rendering = ref, Rendering(ref.name, progress or Progress())
        self.model, self.tokenizer = load_classifier(ref)
        self.model.config.use_cache = False
        self.config = self.model.config.get_text_config()
        device = self.model.device.type
        self.batch_tokens = int(setting_of(ref, "batch_tokens") or (100_000 if device == "cuda" else 4_000))
        self.context = min(
            getattr(self.config, "max_position_embeddings", None) or 1 << 30, self.tokenizer.model_max_length
        )
        self.pad = self.config.pad_token_id

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests of the task ``reward`` until there are none left; a reply's ``value`` is the reward.

        Raises ``UserError`` for a label that the model does not have, and where it has several and none is asked for.
        """
        answer_in_batches(take, give, self._prepare, self._evaluate, self.batch_tokens)

    def _prepare(self, requests: list[Request]) -> list[Text | Reply]:
        """Return each request's tokens, or the reply that refuses it."""
        found: list[Text | Reply | None] = [None] * len(requests)
        rendered: dict[tuple[bool, bool], list[tuple[int, list[str]]]] = {}  # (special tokens, a pair) -> the texts
        for i, request in enumerate(requests):
            try:
                special, *parts = self._render(json.loads(request.messages))
                "".join(parts).encode()
                rendered.setdefault((special, len(parts) > 1), []).append((i, parts))
            except Exception as error:  # a template may raise anything; only this conversation is refused
                found[i] = Reply(request.key, error=reason_of(error))
        for (special, _), texts in rendered.items():
            columns = [list(column) for column in zip(*(parts for _, parts in texts), strict=True)]
            encoded = self.tokenizer(*columns, add_special_tokens=special)
            segments = encoded.get("token_type_ids") or [None] * len(texts)
            for (i, parts), ids, which in zip(texts, encoded["input_ids"], segments, strict=True):
                size = len(ids) if any(parts) else 0
                found[i] = refusal(requests[i], size, self.context) or Text(requests[i], ids, 0, which)
        return [one for one in found if one is not None]

    def _render(self, ask: dict[str, Any]) -> tuple[bool, str] | tuple[bool, str, str]:
        """Return whether special tokens are still to be added, and a text or the two texts of a pair."""
        if "text" in ask:
            return True, ask["text"]
        if self.tokenizer.chat_template is not None:
            tools = self.rendering.printable_tools(self.tokenizer, ask.get("tools"))
            return False, self.rendering.text(self.tokenizer, ask["messages"], tools)
        if any(turn.get("tool_calls") for turn in ask["messages"]):
            raise NotShown("the model has no chat template, which would print tool calls")
        # Encoders have none: they were trained on pairs of a question and an answer, others on one text.
        parts = [str(turn.get("content") or "") for turn in ask["messages"]]
        if self.tokenizer.sep_token is not None:
            return True, "\n".join(parts[:-1]), parts[-1]
        return True, "\n".join(parts)

    @torch.inference_mode()
    def _evaluate(self, texts: list[Text]) -> list[Reply]:
        """Return the replies to a batch of texts."""
        rows, pad = [text.ids for text in texts], self._padding(texts)
        given: dict[str, torch.Tensor] = {
            "input_ids": padded(rows, pad, self.model.device),
            "attention_mask": padded([[1] * len(row) for row in rows], 0, self.model.device),
        }
        if texts[0].segments is not None:
            given["token_type_ids"] = padded([text.segments or [] for text in texts], 0, self.model.device)
        outputs = self.model(**given).logits.float().reshape(len(texts), -1)
        return [self._reply(text, output) for text, output in zip(texts, outputs, strict=True)]

    def _padding(self, texts: list[Text]) -> int:
        """Return the token to pad with: the model's; it reads its output at the last token that is none.

        A model without one reads its output at the last token, so the padding must be a token that ends no text.
        """
        if self.pad is not None:
            return self.pad
        ends = {text.ids[-1] for text in texts}
        self.config.pad_token_id = next(token for token in range(len(ends) + 1) if token not in ends)
        return self.config.pad_token_id

    def _reply(self, text: Text, outputs: torch.Tensor) -> Reply:
        label = json.loads(text.request.messages).get("label")
        value = self._value(outputs, label).item()
        if not math.isfinite(value):
            return Reply(text.request.key, prompt_tokens=len(text.ids), error="the model's output is not a number")
        return Reply(text.request.key, prompt_tokens=len(text.ids), value=round(value, 6))

    def _value(self, outputs: torch.Tensor, label: str | None) -> torch.Tensor:
        """Return the one output, or the probability of a label among several."""
        names = self.model.config.id2label
        labels = [str(names.get(index, index)) for index in range(len(outputs))]
        if label is None:
            if len(outputs) > 1:
                raise UserError(
                    f"models.{self.ref.name}: the model has {len(outputs)} labels; name the one whose "
                    f"probability is the score: label (there are: {', '.join(labels)})"
                )
            return outputs[0]
        if label not in labels:
            raise unknown("label called", label, labels, f"models.{self.ref.name}")
        several = len(outputs) > 1 and self.model.config.problem_type != "multi_label_classification"
        return (outputs.softmax(-1) if several else outputs.sigmoid())[labels.index(label)]
