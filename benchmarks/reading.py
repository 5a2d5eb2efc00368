"""Texts a second of the engines that read (rewards and losses), beside plain batched loops over the same rows."""

import json
import random
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.measure import Row, medians
from benchmarks.models import random_llama
from curate.models.clients.local.loss import LossEngine
from curate.models.clients.local.reward import RewardEngine
from curate.models.engine import Engine
from curate.models.engine_settings import resolve_model
from curate.models.model_ref import ModelRef
from curate.models.weights import load_classifier
from schemas.recipe import Model
from schemas.requests import Request, Sampling, Task, make_request

TEXTS, TIMES = 96, 3


def measure() -> list[Row]:
    """Medians of 3, taking turns; prompts and answers of 5 to 150 words, in no order of length."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(2000)]

    def text() -> str:
        return " ".join(draw.choices(words, k=draw.randint(5, 150)))

    pairs = [(text(), text()) for _ in range(TEXTS)]
    with tempfile.TemporaryDirectory() as name:
        folder = random_llama(
            Path(name) / "model", [" ".join(pair) for pair in pairs], hidden=256, layers=4, vocabulary=12_000
        )
        ref = resolve_model("random", Model(model=str(folder)))
        return [_loss(ref, pairs), _reward(ref, pairs, Path(name) / "rm")]


def _loss(ref: ModelRef, pairs: list[tuple[str, str]]) -> Row:
    engine = LossEngine(ref)
    asks = [{"messages": [{"role": "user", "content": q}], "completion": a} for q, a in pairs]
    ours, peer = medians(lambda: _answer(engine, asks, "loss"), lambda: _plain_loss(engine, asks), times=TIMES)
    return Row("losses, random Llama (256 x 4)", ours, "texts/s", "", "loop of 16", peer)


def _reward(ref: ModelRef, pairs: list[tuple[str, str]], folder: Path) -> Row:
    for part in load_classifier(ref, new_head=True):
        part.save_pretrained(folder)
    engine = RewardEngine(resolve_model("rm", Model(model=str(folder))))
    asks = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in pairs]
    ours, peer = medians(lambda: _answer(engine, asks, "reward"), lambda: _plain_reward(engine, asks), times=TIMES)
    return Row("rewards, random Llama (256 x 4)", ours, "texts/s", "", "loop of 16", peer)


def _answer(engine: Engine, asks: list[dict], task: Task) -> float:
    """Texts a second, each answered by itself."""
    requests: list[Request] = [make_request("r", json.dumps(ask), None, Sampling(), 0, task) for ask in asks]
    groups, done = iter([[one] for one in requests]), []
    started = time.perf_counter()
    engine.answer(lambda: next(groups, None), lambda replies, spent: done.extend(replies))
    seconds = time.perf_counter() - started
    if len(done) != len(asks) or any(reply.error for reply in done):
        raise RuntimeError("not every text was read")
    return len(asks) / seconds


@torch.inference_mode()
def _plain_loss(engine: LossEngine, asks: list[dict]) -> float:
    """The peer: rows as they came, 16 at a time, all logits at once."""
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
        told = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
        (told.sum(1) / (labels[:, 1:] != -100).sum(1)).tolist()
    return len(asks) / (time.perf_counter() - started)


@torch.inference_mode()
def _plain_reward(engine: RewardEngine, asks: list[dict]) -> float:
    """The peer: rows as they came, 16 at a time."""
    started, tokenizer = time.perf_counter(), engine.tokenizer
    for low in range(0, len(asks), 16):
        texts = [tokenizer.apply_chat_template(ask["messages"], tokenize=False) for ask in asks[low : low + 16]]
        rows = tokenizer(texts, add_special_tokens=False, padding=True, padding_side="right", return_tensors="pt")
        engine.model(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"]).logits[:, 0].tolist()
    return len(asks) / (time.perf_counter() - started)
