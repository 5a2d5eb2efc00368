"""Texts per second of the engines that read texts (rewards and losses), beside plain batched loops on the same rows."""

import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Row, medians
from benchmarks.models import random_llama
from curate.models.clients import transformers_loss, transformers_reward
from curate.models.clients.weights import load_classifier
from curate.models.model_ref import ModelRef, resolve_model
from schemas.progress import Progress
from schemas.recipe import Model
from schemas.requests import Request, Sampling, make_request

TEXTS, TIMES = 96, 3


def measure() -> list[Row]:
    """Return medians of 3 runs, alternating with the peer, on prompts and answers of 5 to 150 words in random order."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(2000)]
    pairs = [tuple(" ".join(draw.choices(words, k=draw.randint(5, 150))) for _ in "qa") for _ in range(TEXTS)]
    with tempfile.TemporaryDirectory() as name:
        folder = random_llama(
            Path(name) / "model", [" ".join(pair) for pair in pairs], hidden=256, layers=4, vocabulary=12_000
        )
        ref = resolve_model("random", Model(model=str(folder)))
        return [_measure_loss(ref, pairs), _measure_reward(ref, pairs, Path(name) / "rm")]


def _measure_loss(ref: ModelRef, pairs: list[tuple[str, str]]) -> Row:
    """Measure losses: texts per second of the engine and of the plain loop."""
    engine = transformers_loss.Engine(ref, Progress())
    asks = [{"messages": [{"role": "user", "content": q}], "completion": a} for q, a in pairs]
    ours, peer = medians(lambda: _answer(engine, asks, "loss"), lambda: _plain_loss(engine, asks), times=TIMES)
    return Row("losses, random Llama (256 x 4)", ours, "texts/s", "", "loop of 16", peer)


def _measure_reward(ref: ModelRef, pairs: list[tuple[str, str]], folder: Path) -> Row:
    """Measure rewards of a classifier that is written to ``folder``: the engine's and the plain loop's."""
    for part in load_classifier(ref, new_head=True):
        part.save_pretrained(folder)
    engine = transformers_reward.Engine(resolve_model("rm", Model(model=str(folder))), Progress())
    asks = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in pairs]
    ours, peer = medians(lambda: _answer(engine, asks, "reward"), lambda: _plain_reward(engine, asks), times=TIMES)
    return Row("rewards, random Llama (256 x 4)", ours, "texts/s", "", "loop of 16", peer)


def _answer(engine: Any, asks: list[dict], task: str) -> float:
    """Return the engine's texts per second, with each text a request of its own."""
    requests: list[Request] = [make_request("r", json.dumps(ask), None, Sampling(), 0, task) for ask in asks]
    groups, answered = iter([[request] for request in requests]), []
    started = time.perf_counter()
    engine.answer(lambda: next(groups, None), lambda replies, spent: answered.extend(replies))
    seconds = time.perf_counter() - started
    if len(answered) != len(asks) or any(reply.error for reply in answered):
        raise RuntimeError("not every text was read")
    return len(asks) / seconds


@torch.inference_mode()
def _plain_loss(engine: transformers_loss.Engine, asks: list[dict]) -> float:
    """Return the peer's texts per second: 16 rows at a time in their order, all logits at once."""
    started, tokenizer = time.perf_counter(), engine.tokenizer
    for low in range(0, len(asks), 16):
        part = asks[low : low + 16]
        before = [
            tokenizer.apply_chat_template(ask["messages"], tokenize=False, add_generation_prompt=True) for ask in part
        ]
        whole = [text + ask["completion"] for text, ask in zip(before, part, strict=True)]
        rows = tokenizer(whole, add_special_tokens=False, padding=True, padding_side="right", return_tensors="pt")
        labels = rows["input_ids"].masked_fill(rows["attention_mask"] == 0, -100)
        for i, ids in enumerate(tokenizer(before, add_special_tokens=False)["input_ids"]):
            labels[i, : len(ids)] = -100
        logits = engine.model(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"]).logits.float()
        losses = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
        (losses.sum(1) / (labels[:, 1:] != -100).sum(1)).tolist()
    return len(asks) / (time.perf_counter() - started)


@torch.inference_mode()
def _plain_reward(engine: transformers_reward.Engine, asks: list[dict]) -> float:
    """Return the peer's texts per second: 16 rows at a time in their order."""
    started, tokenizer = time.perf_counter(), engine.tokenizer
    for low in range(0, len(asks), 16):
        texts = [tokenizer.apply_chat_template(ask["messages"], tokenize=False) for ask in asks[low : low + 16]]
        rows = tokenizer(texts, add_special_tokens=False, padding=True, padding_side="right", return_tensors="pt")
        engine.model(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"]).logits[:, 0].tolist()
    return len(asks) / (time.perf_counter() - started)
