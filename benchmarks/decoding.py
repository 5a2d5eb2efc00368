"""Tokens a second of processor time of the engine ``transformers`` on a CPU: SmolLM2-135M, 4 samples of 120 prompts.

``python -m benchmarks.decoding`` measures it beside ``model.generate``; with ``--before FOLDER`` (a checkout of other
code) beside that code, and says how many texts differ. The sides take turns, each in a process of its own; loading the
model and a first, short batch are not counted. ``--tokens`` and ``--prompts`` change the work.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import ROOT, Row

SAMPLES, TIMES = 4, 3


def measure() -> list[Row]:
    """Return the medians of 3 rounds, in turns, of the engine and of ``model.generate``."""
    arguments = _arguments().parse_args([])
    rounds = [[_fresh(side, ROOT, arguments) for side in ("engine", "generate")] for _ in range(TIMES)]
    ours, peer = (median(_rate(one[side]) for one in rounds) for side in (0, 1))
    return [Row("smollm2-135m, 120 prompts x 4 x 64 tokens", ours, "tokens/CPU-s", "", "generate", peer)]


def _rate(result: dict[str, Any]) -> float:
    return result["tokens"] / result["cpu"]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--before", type=Path, help="a checkout of the code to compare with")
    parser.add_argument("--peer", action="store_const", const="generate", help="compare with model.generate too")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--tokens", type=int, default=64, help="the most new tokens of a row")
    parser.add_argument("--prompts", type=int, default=120)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--file", default="seeds.jsonl", help="a file of prompts beside the built-in recipes")
    parser.add_argument("--rounds", type=int, default=TIMES)
    return parser


def _fresh(side: str, root: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what one side measured in a process of its own, with the code of ``root``."""
    given = [
        f"--{name.replace('_', '-')}={getattr(arguments, name)}"
        for name in ("model", "tokens", "prompts", "samples", "temperature", "top_p", "file")
    ]
    # Not by ``-m``: this file also measures checkouts that do not have it. ``-P``: the names in its folder are plain.
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "--side", side, *given]
    environment = os.environ | {"PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{side} of {root} ended with {done.returncode}: {done.stderr[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _one(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one side in this process."""
    from curate.models.clients.local.generate import GenerateEngine
    from curate.models.engine_settings import resolve_model
    from schemas.progress import Progress
    from schemas.recipe import Model
    from schemas.requests import Sampling, make_request

    engine = GenerateEngine(resolve_model("student", Model(model=arguments.model)), Progress())
    how = Sampling(temperature=arguments.temperature, top_p=arguments.top_p, max_tokens=arguments.tokens)
    lines = (ROOT / "cli/recipes" / arguments.file).read_text(encoding="utf-8").splitlines()
    turns = [json.dumps([{"role": "user", "content": json.loads(line)["prompt"]}]) for line in lines]
    groups = [
        [make_request("bench", turn, None, how, sample) for sample in range(arguments.samples)]
        for turn in islice(turns, arguments.prompts)
    ]
    run = {"engine": _engine, "generate": _generate}[arguments.side]
    run(engine, groups[:2], 4)
    began, wall, cpu = _spent(), time.perf_counter(), time.process_time()
    texts, tokens = run(engine, groups, arguments.tokens)
    system = _spent() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "system": system, "peak": peak}
    return took | {"tokens": tokens, "texts": texts}


def _spent() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_stime


def _engine(engine: Any, groups: list[Any], tokens: int) -> tuple[dict[str, str], int]:
    texts: dict[str, str] = {}
    made = 0

    def give(replies: list[Any], spent: Any) -> None:
        nonlocal made
        made += spent.completion_tokens
        texts.update({reply.key: reply.text for reply in replies})

    waiting = iter(groups)
    engine.answer(lambda: next(waiting, None), give)
    return texts, made


def _rows(engine: Any, groups: list[Any]) -> list[list[int]]:
    """Return the prompts' token ids, a row a sample, longest first."""
    texts = [
        engine.tokenizer.apply_chat_template(group[0].turns, tokenize=False, add_generation_prompt=True)
        for group in groups
        for _ in group
    ]
    return sorted(engine.tokenizer(texts, add_special_tokens=False)["input_ids"], key=len, reverse=True)


def _config(engine: Any, tokens: int) -> Any:
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_k=0,
        top_p=1.0,
        max_new_tokens=tokens,
        eos_token_id=sorted(engine.ends),
        pad_token_id=engine.tokenizer.pad_token_id,
    )


def _generate(engine: Any, groups: list[Any], tokens: int) -> tuple[dict[str, str], int]:
    """Run the rows through ``model.generate``, sorted by length, in batches as large as the engine's."""
    import torch

    torch.manual_seed(0)
    rows, made = _rows(engine, groups), 0
    while rows:
        size = max(1, engine.batch_tokens // (len(rows[0]) + tokens))
        batch, rows = rows[:size], rows[size:]
        held = engine.tokenizer.pad({"input_ids": batch}, return_tensors="pt")
        with torch.inference_mode():
            out = engine.model.generate(**held, generation_config=_config(engine, tokens))
        new = out[:, held["input_ids"].shape[1] :]
        ends = torch.isin(new, torch.tensor(sorted(engine.ends)))
        made += int((ends.cumsum(1) - ends.long() == 0).sum())
        engine.tokenizer.batch_decode(new, skip_special_tokens=True)
    return {}, made


def main() -> None:
    """Print the tokens a CPU-second of each side, in turns, and how many texts differ."""
    arguments = _arguments().parse_args()
    if arguments.side:
        print(json.dumps(_one(arguments)))
        return
    sides = [("engine", ROOT)]
    sides += [("engine", arguments.before.resolve())] if arguments.before else []
    sides += [(arguments.peer, ROOT)] if arguments.peer else []
    rounds = []
    for _ in range(arguments.rounds):
        rounds.append([_fresh(side, root, arguments) for side, root in sides])
        for (side, root), one in zip(sides, rounds[-1], strict=True):
            facts = f"{one['tokens']} tokens, {one['cpu']:.1f} CPU-s ({one['system']:.1f} system), {one['wall']:.1f} s"
            print(f"{side} of {root}: {_rate(one):.1f} tokens/CPU-s; {facts}, {one['peak']:.0f} MB", flush=True)
    rates = [median(_rate(one[i]) for one in rounds) for i in range(len(sides))]
    print(
        "medians:", *(f"{rate:.1f}" for rate in rates), "; ratios:", *(f"{rates[0] / rate:.2f}" for rate in rates[1:])
    )
    if arguments.before:
        new, old = rounds[0][0]["texts"], rounds[0][1]["texts"]
        differ = [key for key in old if new.get(key) != old[key]]
        print(f"{len(differ)} of {len(old)} texts differ")


if __name__ == "__main__":
    main()
