"""Tokens a second of the engine ``transformers``, beside ``model.generate`` on the same rows in batches as large."""

import json
import random
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.measure import ROOT, Row, medians
from benchmarks.models import random_llama
from curate.models.clients.local.generate import GenerateEngine
from curate.models.engine_settings import resolve_model
from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from schemas.progress import Progress
from schemas.recipe import Model
from schemas.requests import Reply, Request, Sampling, Spent, make_request

SAMPLES, TIMES = 4, 3


def measure() -> list[Row]:
    """Medians of 3, taking turns. The built-in model is measured where it is on this machine already."""
    with tempfile.TemporaryDirectory() as name:
        prompts = _prompts(32)
        folder = random_llama(Path(name) / "model", prompts, hidden=256, layers=4)
        rows = [_row("random Llama (256 x 4)", resolve_model("random", Model(model=str(folder))), prompts, tokens=64)]
    built_in = resolve_model("smollm2-135m", Model(model="smollm2-135m"))
    if local_folder(built_in):
        lines = (ROOT / "cli/recipes/seeds.jsonl").read_text(encoding="utf-8").splitlines()
        rows.append(_row("smollm2-135m", built_in, [json.loads(line)["prompt"] for line in lines[:16]], tokens=32))
    return rows


def _row(name: str, ref: ModelRef, prompts: list[str], tokens: int) -> Row:
    engine = GenerateEngine(ref, Progress())
    engine.ends = {-1}  # no row ends early: both sides then make the same number of tokens
    engine.model.generation_config.eos_token_id = None
    engine.model.generation_config.pad_token_id = engine.tokenizer.pad_token_id
    how = Sampling(temperature=1.0, max_tokens=tokens)
    turns = [json.dumps([{"role": "user", "content": prompt}]) for prompt in prompts]
    requests = [make_request(ref.identity, turn, None, how, sample) for turn in turns for sample in range(SAMPLES)]
    largest = _largest(engine, requests)  # and a warm-up
    ours, peer = medians(
        lambda: _engine(engine, requests), lambda: _generate(engine, requests, tokens, largest), times=TIMES, warm=False
    )
    said = f"{len(prompts)} prompts x {SAMPLES} x {tokens} tokens"
    return Row(f"{name}, {said}", ours, "tokens/s", "", f"generate({largest})", peer)


def _answer(engine: GenerateEngine, requests: list[Request]) -> int:
    """Answer the requests, the samples of a prompt in a group; return the number of tokens made."""
    groups = iter([requests[low : low + SAMPLES] for low in range(0, len(requests), SAMPLES)])
    made = 0

    def give(replies: list[Reply], spent: Spent) -> None:
        nonlocal made
        made += spent.completion_tokens

    engine.answer(lambda: next(groups, None), give)
    return made


def _largest(engine: GenerateEngine, requests: list[Request]) -> int:
    """The rows of the largest batch: here the rows of a batch end together, so each is a ``give``."""
    sizes = []
    groups = iter([requests])
    engine.answer(lambda: next(groups, None), lambda replies, spent: sizes.append(len(replies)))
    return max(sizes)


def _engine(engine: GenerateEngine, requests: list[Request]) -> float:
    started = time.perf_counter()
    return _answer(engine, requests) / (time.perf_counter() - started)


@torch.inference_mode()
def _generate(engine: GenerateEngine, requests: list[Request], tokens: int, size: int) -> float:
    """The peer: rows in the order they came, padded on the left, all K samples of a prompt on their own."""
    torch.manual_seed(0)
    made, started = 0, time.perf_counter()
    for low in range(0, len(requests), size):
        texts = [
            engine.tokenizer.apply_chat_template(r.turns, tokenize=False, add_generation_prompt=True)
            for r in requests[low : low + size]
        ]
        rows = engine.tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
        rows = {name: rows[name].to(engine.model.device) for name in ("input_ids", "attention_mask")}
        out = engine.model.generate(**rows, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=tokens)
        engine.tokenizer.batch_decode(out[:, rows["input_ids"].shape[1] :], skip_special_tokens=True)
        made += out.numel() - rows["input_ids"].numel()
    return made / (time.perf_counter() - started)


def _prompts(count: int) -> list[str]:
    """Prompts of 10 to 200 words, in no order of length."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(500)]
    return [" ".join(draw.choices(words, k=draw.randint(10, 200))) for _ in range(count)]
