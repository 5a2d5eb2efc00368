"""The engine ``transformers``: a model in this process, batched by a budget of tokens.

``Engine(ref).generate(requests)`` yields the replies of one batch after another. Three things it does that
``model.generate`` does not: each request draws from a random stream of its own, so that a row's text does not hang on
its neighbours; the K samples of a prompt share its prefill; a row leaves the batch when it has ended.
"""

import json
import re
import time
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from curate.clients.requests import Reply, Request
from curate.clients.weights import load, local_folder
from curate.models import ModelRef, cache_folder
from curate.report import Report
from schemas.errors import UserError

THINK = re.compile(r"\A\s*(?:<think>)?(.*?)</think>\s*", re.DOTALL)


class GrowingLayer(DynamicLayer):
    """A key-value cache layer with room to grow, so that a decoding step writes one column instead of copying all."""

    ROOM = 64

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Append key and value states of shape ``[batch, heads, tokens, dim]``; return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._append("key_buffer", self.keys, key_states)
        self.values = self._append("value_buffer", self.values, value_states)
        return self.keys, self.values

    def _append(self, name: str, held: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        start = held.shape[-2] if held.numel() else 0
        end = start + new.shape[-2]
        buffer = getattr(self, name, None)
        # The buffer is stale once rows were selected or repeated: what is held then no longer lies in it.
        if buffer is None or buffer.data_ptr() != held.data_ptr() or buffer.shape[-2] < end:
            buffer = new.new_empty(*new.shape[:-2], end + self.ROOM, new.shape[-1])
            if start:
                buffer[..., :start, :] = held
            setattr(self, name, buffer)
        buffer[..., start:end, :] = new
        return buffer[..., :end, :]


class Engine:
    """A loaded model. Settings (in the recipe's model mapping): ``batch_tokens``, ``trust_remote_code``."""

    SETTINGS = ("batch_tokens", "trust_remote_code")

    def __init__(self, ref: ModelRef, report: Report) -> None:
        """Load the model; ``batch_tokens`` bounds (prompt + new tokens) x rows of a batch."""
        self.ref, self.report = ref, report
        settings = dict(ref.settings)
        if ref.package and local_folder(ref) is None:
            report.say(f"converting the built-in model {ref.location} into {cache_folder()}, once (half a minute)")
        self.model, self.tokenizer = load(ref)
        self.device = self.model.device
        self.batch_tokens = int(settings.get("batch_tokens", 200_000 if self.device.type == "cuda" else 14_000))
        self.context = getattr(self.model.config, "max_position_embeddings", None) or 1 << 30
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        self.ends = {e for e in (*ends, self.tokenizer.eos_token_id) if e is not None}

    def generate(self, requests: list[Request]) -> Iterator[list[Reply]]:
        """Answer requests, a list of replies a batch. Batches depend on the requests, not on their order."""
        prompts = self._encode(requests)
        ready = sorted(
            requests, key=lambda r: (-len(prompts[r.messages, r.tools]), r.messages, r.tools or "", r.sample_index)
        )
        for batch in self._batches(ready, prompts):
            started = time.monotonic()
            replies = self._answer(batch, [prompts[r.messages, r.tools] for r in batch])
            tokens = sum(r.completion_tokens or 0 for r in replies)
            self.report.advance(0, f"{tokens / (time.monotonic() - started):.0f} tokens/s")
            yield replies

    def _encode(self, requests: list[Request]) -> dict[tuple[str, str | None], list[int]]:
        """Token ids of every distinct prompt."""
        distinct = {(r.messages, r.tools): r for r in requests}
        texts = [self._render(r) for r in distinct.values()]
        ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return dict(zip(distinct, ids, strict=True))

    def _render(self, request: Request) -> str:
        if self.tokenizer.chat_template is None:  # a base model: the turns as they are, one below the other
            return "\n".join(str(turn.get("content") or "") for turn in request.turns) + "\n"
        tools = None if request.tools is None else json.loads(request.tools)
        try:
            return self.tokenizer.apply_chat_template(
                request.turns, tools=tools, tokenize=False, add_generation_prompt=True)  # fmt: skip
        except Exception as error:  # templates raise what they like; say which conversation they refuse
            raise UserError(
                f"model {self.ref.name!r}: its chat template refuses {request.messages[:120]}: {error}"
            ) from error

    def _batches(self, requests: list[Request], prompts: dict) -> Iterator[list[Request]]:
        """Cut requests, longest prompt first, into batches within the token budget."""
        batch: list[Request] = []
        widest = 0
        for request in requests:
            width = len(prompts[request.messages, request.tools]) + request.sampling.max_tokens
            widest = max(widest, width)
            if batch and widest * (len(batch) + 1) > self.batch_tokens:
                yield batch
                batch, widest = [], width
            batch.append(request)
        if batch:
            yield batch

    @torch.inference_mode()
    def _answer(self, batch: list[Request], prompts: list[list[int]]) -> list[Reply]:
        room = [self.context - len(ids) for ids in prompts]
        fits = [i for i, space in enumerate(room) if space > 0]
        replies = {
            i: Reply(
                batch[i].key,
                None,
                prompt_tokens=len(prompts[i]),
                error=f"the prompt has {len(prompts[i])} tokens, the model's context {self.context}",
            )
            for i in range(len(batch))
            if room[i] <= 0
        }
        limits = [min(batch[i].sampling.max_tokens, room[i]) for i in fits]
        written = self._decode([batch[i] for i in fits], [prompts[i] for i in fits], limits) if fits else []
        for i, ids in zip(fits, written, strict=True):
            stopped = bool(ids) and ids[-1] in self.ends
            text = self.tokenizer.decode(ids[:-1] if stopped else ids, skip_special_tokens=True)
            reasoning, text = split_reasoning(text)
            replies[i] = Reply(
                batch[i].key, text, reasoning, "stop" if stopped else "length", len(prompts[i]), len(ids)
            )
        return [replies[i] for i in range(len(batch))]

    def _decode(self, batch: list[Request], prompts: list[list[int]], limits: list[int]) -> list[list[int]]:
        """Sample token ids for each row until it ends or reaches its limit."""
        logits, cache, mask = self._prefill(prompts)
        streams = np.stack([_uniforms(r, max(limits)) for r in batch])
        uniforms = torch.from_numpy(streams).to(self.device)
        limit = torch.tensor(limits, device=self.device)
        ends = torch.tensor(sorted(self.ends), device=self.device)
        live = torch.arange(len(batch), device=self.device)
        written: list[list[int]] = [[] for _ in batch]
        for step in range(max(limits)):
            tokens = _sample(logits, [batch[i].sampling for i in live.tolist()], uniforms[live, step])
            for row, token in zip(live.tolist(), tokens.tolist(), strict=True):
                written[row].append(token)
            going = ~torch.isin(tokens, ends) & (limit[live] > step + 1)
            if not going.all():
                self.report.advance(int((~going).sum()))
                if not going.any():
                    break
                live, tokens, mask = live[going], tokens[going], mask[going]
                cache.batch_select_indices(going.nonzero().squeeze(1))
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
            position = mask.sum(1, keepdim=True) - 1
            logits = self.model(input_ids=tokens[:, None], attention_mask=mask, position_ids=position,
                                past_key_values=cache, use_cache=True).logits[:, -1]  # fmt: skip
        return written

    def _prefill(self, prompts: list[list[int]]) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
        """Run each distinct prompt once, padded on the left, and hand every row its copy of the cache."""
        runs = [(list(ids), len(list(same))) for ids, same in groupby(prompts)]
        width = max(len(ids) for ids, _ in runs)
        tokens = torch.tensor([[0] * (width - len(ids)) + ids for ids, _ in runs], device=self.device)
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids, _ in runs], device=self.device)
        cache = DynamicCache(config=self.model.config)
        cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
        position = (mask.cumsum(1) - 1).clamp(min=0)
        logits = self.model(input_ids=tokens, attention_mask=mask, position_ids=position, past_key_values=cache,
                            use_cache=True, logits_to_keep=1).logits[:, -1]  # fmt: skip
        rows = torch.repeat_interleave(torch.tensor([count for _, count in runs], device=self.device))
        cache.batch_select_indices(rows)
        return logits[rows], cache, mask[rows]

    def close(self) -> None:
        """Free the model's memory."""
        del self.model
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def split_reasoning(text: str) -> tuple[str | None, str]:
    """Split ``<think>...</think>answer`` into the trace (None if there is none) and the answer."""
    match = THINK.match(text) if "</think>" in text else None
    return (match.group(1).strip() or None, text[match.end() :]) if match else (None, text)


def _uniforms(request: Request, count: int) -> np.ndarray:
    """The request's own stream of uniform numbers in [0, 1), from its key (which holds the seed)."""
    return np.random.Generator(np.random.Philox(key=int(request.key, 16))).random(count)


def _sample(logits: torch.Tensor, how: list[Any], uniform: torch.Tensor) -> torch.Tensor:
    """Draw a token a row by inverting the cumulative distribution at ``uniform``; temperature 0 takes the likeliest."""
    temperature = torch.tensor([s.temperature for s in how], device=logits.device)
    best = logits.argmax(-1)
    if not temperature.any():
        return best
    logits = logits.float() / temperature.clamp(min=1e-6)[:, None]
    top_k = max(s.top_k for s in how)
    if top_k:
        each = torch.tensor([s.top_k or logits.shape[1] for s in how], device=logits.device)
        ranked = logits.topk(min(top_k, logits.shape[1])).values
        floor = ranked.gather(1, (each.clamp(max=ranked.shape[1]) - 1)[:, None])
        logits = logits.masked_fill((logits < floor) & (each <= ranked.shape[1])[:, None], -torch.inf)
    probabilities = logits.softmax(-1)
    if any(s.top_p < 1 for s in how):
        top_p = torch.tensor([s.top_p for s in how], device=logits.device)[:, None]
        ranked, order = probabilities.sort(dim=-1, descending=True)
        ranked[ranked.cumsum(-1) - ranked >= top_p] = 0  # the smallest set whose mass reaches top_p (arXiv 1904.09751)
        probabilities = torch.zeros_like(probabilities).scatter(1, order, ranked)
    cumulative = probabilities.double().cumsum(-1)
    drawn = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True).squeeze(1)
    # A draw at the very end of the line must not fall on a token of probability zero.
    last = (probabilities > 0).int().cumsum(-1).argmax(-1)
    return torch.where(temperature == 0, best, torch.minimum(drawn, last))
