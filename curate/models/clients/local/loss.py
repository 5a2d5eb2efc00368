"""Losses of the engine ``transformers``: how unlikely a text is to a model, in nats a token.

A completion is read after its messages, rendered by the model's chat template with the generation prompt, token for
token as if the model had written it. A completion without messages is read after the token that begins a text (the one
that ends a text, where the model has no such token), so that its first token counts too and both losses are over the
same tokens. A message with tool calls is a completion as the chat template prints it, behind the generation prompt. The
end token is not counted, as in IFD (arXiv 2308.12032): it is no part of the text.
"""

import json
from collections.abc import Iterator
from typing import Any

import torch

from curate.models.clients.local.batching import Text, answer_in_batches, padded, refusal
from curate.models.clients.local.loaded_model import LoadedModel
from curate.models.clients.local.rendering import Rendering, reason_of
from curate.models.engine import setting_of
from curate.models.model_ref import ModelRef
from curate.models.weights import load
from schemas.progress import Progress
from schemas.requests import Give, Reply, Request, Take

CELLS = 1 << 25  # logits held in float32 at once: 128 MB
PROBE = 7  # tokens


class LossEngine(LoadedModel):
    """A loaded causal language model that says how unlikely texts are."""

    def __init__(self, ref: ModelRef, progress: Progress | None = None) -> None:
        """Load the model; ``batch_tokens`` bounds the tokens of a batch, padding included."""
        self.rendering = Rendering(ref.name, progress or Progress())
        self.model, self.tokenizer = load(ref)
        config, device = self.model.config.get_text_config(), self.model.device.type
        self.cells = CELLS
        self.head_apart = self._head_apart()
        most = (100_000 if device == "cuda" else 4_000) // (1 if self.head_apart else 4)
        self.batch_tokens = int(setting_of(ref, "batch_tokens") or most)
        self.context = getattr(config, "max_position_embeddings", None) or 1 << 30
        first = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, config.bos_token_id)
        self.first = next((token for token in first if isinstance(token, int)), 0)

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests of the task ``loss`` until there are none left.

        A reply's ``value`` is the mean negative log-likelihood of a token; ``completion_tokens`` is the number of
        tokens.
        """
        answer_in_batches(take, give, self._prepare, self._evaluate, self.batch_tokens)

    def _prepare(self, requests: list[Request]) -> list[Text | Reply]:
        """Return each request's tokens, or the reply that refuses it."""
        asks = [json.loads(request.messages) for request in requests]
        contexts: dict[str, list[int] | str] = {}
        for ask in asks:
            name = _context_name(ask)
            if name not in contexts:
                contexts[name] = self._context(ask)
        # Half a surrogate pair (JSON's "\\ud83d") is no text, and would have the tokenizer refuse all of them.
        texts = [self._completion(ask).encode("utf-8", "replace").decode() for ask in asks]
        completions = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return [
            self._text(request, contexts[_context_name(ask)], ids)
            for request, ask, ids in zip(requests, asks, completions, strict=True)
        ]

    def _context(self, ask: dict[str, Any]) -> list[int] | str:
        """Return the tokens before a completion, or why there are none."""
        turns = ask["messages"]
        if "message" not in ask and not turns:
            return [self.first]
        try:
            if self.tokenizer.chat_template is None:  # a base model
                return self.tokenizer(self.rendering.bare([*turns, *self._last(ask)]))["input_ids"]
            text = self._before(ask)
            if "message" in ask and not self._whole(ask).startswith(text):
                return "the chat template prints the response's turn otherwise than behind its generation prompt"
            return [self.first] if ask.get("alone") else self.tokenizer(text, add_special_tokens=False)["input_ids"]
        except Exception as error:  # a template may raise anything; only this conversation is refused
            return reason_of(error)

    def _completion(self, ask: dict[str, Any]) -> str:
        """Return the text whose loss is asked for; an empty one where ``_context`` says why there is none."""
        if "message" not in ask:
            return ask["completion"]
        try:
            text = self._whole(ask)[len(self._before(ask)) :].rstrip()
        except Exception:  # as in ``_context``
            return ""
        return text.removesuffix(next((end for end in self._ends() if text.endswith(end)), "")).rstrip()

    def _before(self, ask: dict[str, Any]) -> str:
        tools = self.rendering.printable_tools(self.tokenizer, ask.get("tools"))
        return self.rendering.text(self.tokenizer, ask["messages"], tools, add_generation_prompt=True)

    def _whole(self, ask: dict[str, Any]) -> str:
        tools = self.rendering.printable_tools(self.tokenizer, ask.get("tools"))
        return self.rendering.text(self.tokenizer, [*ask["messages"], ask["message"]], tools)

    def _last(self, ask: dict[str, Any]) -> list[Any]:
        return [ask["message"]] if "message" in ask else []

    def _ends(self) -> list[str]:
        """Return the texts of the special tokens, one of which ends a turn."""
        special = {str(token) for token in self.tokenizer.added_tokens_decoder.values() if token.special}
        return sorted({*special, *self.tokenizer.all_special_tokens}, key=len, reverse=True)

    def _text(self, request: Request, context: list[int] | str, completion: list[int]) -> Text | Reply:
        if isinstance(context, str):
            return Reply(request.key, error=context)
        size = len(context) + len(completion) if completion else 0
        what = "the conversation" if completion else "the completion"
        refused = refusal(request, size, self.context, what)
        return refused or Text(request, [*context, *completion], len(context))

    @torch.inference_mode()
    def _evaluate(self, texts: list[Text]) -> list[Reply]:
        """Return the replies to a batch of texts."""
        device = self.model.device
        rows = [text.ids for text in texts]
        ids, mask = padded(rows, 0, device), padded([[1] * len(row) for row in rows], 0, device)
        # The logits that predict a token stand one position before it.
        row = torch.tensor([i for i, text in enumerate(texts) for _ in text.ids[text.start :]], device=device)
        place = torch.tensor([p - 1 for text in texts for p in range(text.start, len(text.ids))], device=device)
        losses = self._losses(ids, mask, row, place)
        counts = [len(text.ids) - text.start for text in texts]
        means = [part.mean().item() for part in losses.double().split(counts)]
        return [
            Reply(text.request.key, prompt_tokens=text.start, completion_tokens=count, value=round(mean, 6))
            for text, count, mean in zip(texts, counts, means, strict=True)
        ]

    def _losses(self, ids: torch.Tensor, mask: torch.Tensor, row: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihood (float32) of the token after each position, without all logits at once."""
        targets = ids[row, place + 1]
        parts, size = self._parts(ids, mask, row, place)
        return torch.cat(
            [
                torch.nn.functional.cross_entropy(logits, target, reduction="none")
                for logits, target in zip(parts, targets.split(size), strict=True)
            ]
        )

    def _parts(
        self, ids: torch.Tensor, mask: torch.Tensor, row: torch.Tensor, place: torch.Tensor
    ) -> tuple[Iterator[torch.Tensor], int]:
        """Return the logits (float32) at positions, a part at a time, and how many positions a part has at most."""
        if self.head_apart:
            states = self.model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            head = self.model.get_output_embeddings()
        else:
            states, head = self._logits(ids, mask), torch.nn.Identity()
        states = states[row, place]
        size = max(1, self.cells // self.model.config.get_text_config().vocab_size)
        return (head(part).float() for part in states.split(size)), size

    def _logits(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits

    @torch.inference_mode()
    def _head_apart(self) -> bool:
        """Return whether the logits are the head's outputs unchanged: some models scale or cap them afterwards."""
        ids = torch.arange(PROBE, device=self.model.device)[None]
        mask = torch.ones_like(ids)
        states = self.model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        whole, parts = self._logits(ids, mask), self.model.get_output_embeddings()(states)
        return whole.shape == parts.shape and torch.allclose(whole, parts, rtol=1e-3, atol=1e-3)


def _context_name(ask: dict[str, Any]) -> str:
    """Return a name that requests have in common whose completions stand after the same text."""
    return json.dumps({key: value for key, value in ask.items() if key != "completion"})
