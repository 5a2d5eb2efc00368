"""``gristmill report`` over a store of 100,000 candidates: how long it takes, how large it is, how soon it is drawn."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import GRISTMILL, Row, medians, wall
from curate.pipeline.run_record import stage_entry
from curate.storage.stage import Stage
from curate.storage.store import Store, now

PROMPTS, SAMPLES = 25_000, 4
SCORERS = ("passed", "quality", "helpful", "words", "perplexity")
KINDS = ("arithmetic", "geometry", "words", "logic", "dates", "units")
STEPS = 500
EMPTY = "completions.filter.empty"


def measure() -> Iterator[Row]:
    """Yield the medians of 3 of making the report, its size, and how long Chromium takes to open and to draw it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder / "store")
        fill(store)
        html = folder / "report.html"
        (seconds,) = medians(lambda: wall(*GRISTMILL, "report", "--store", str(store.path), "-o", str(html)), times=3)
        size = f"{PROMPTS * SAMPLES:,} candidates"
        yield Row(f"report, {size}", seconds, "s", "10 s")
        yield Row(f"report, {size}: the file", html.stat().st_size / 1e6, "MB", "3 MB")
        opened, drawn = open_in_browser(html)
        yield Row(f"report, {size}: loaded in Chromium", opened, "s", "2 s")
        yield Row(f"report, {size}: its first charts drawn", drawn, "s", "2 s")


def open_in_browser(html: Path) -> tuple[float, float]:
    """Return the seconds until a report is loaded and until its first charts are drawn; the middle of 3 times."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        found = []
        for _ in range(4):  # the first fills the caches
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            started = time.perf_counter()
            page.goto(html.as_uri())
            opened = time.perf_counter() - started
            page.wait_for_selector(".chart[data-drawn=yes]")
            found.append((opened, time.perf_counter() - started))
            page.close()
        browser.close()
    opened, drawn = zip(*found[1:], strict=True)
    return sorted(opened)[1], sorted(drawn)[1]


def fill(store: Store, prompts: int = PROMPTS, samples: int = SAMPLES) -> None:
    """Write what a run, a training, an evaluation and a comparison of this size would."""
    draw = np.random.default_rng(0)
    rows, candidates = _prompts(draw, prompts), _candidates(draw, prompts, samples)
    stages = [
        _stage(store, "prompts.source.train", {"prompts": rows}),
        _stage(store, "prompts.dedup.minhash", {"decisions": _duplicates(draw, rows)}),
        _stage(store, "completions.generate.sample", {"completions": candidates}),
        *(_stage(store, f"completions.score.{name}", {"scores": _scores(draw, candidates, name)}) for name in SCORERS),
        _stage(store, EMPTY, {"decisions": _decisions(draw, candidates, EMPTY)}),
    ]  # fmt: skip
    datasets = _datasets(draw, rows, candidates)
    stages += [_stage(store, f"datasets.{name}", tables) for name, tables in datasets.items()]
    _save(store, "1", "run", stages)
    _save(store, "2", "train", [_stage(store, "train-sft", _trainings(draw, datasets["sft"]["sft"]))])
    _save(store, "3", "evaluate", [_stage(store, "evaluate", {"evaluations": _evaluations(draw)})])


def _prompts(draw: np.random.Generator, count: int) -> pl.DataFrame:
    texts = _texts(draw, count, 12)
    return pl.DataFrame({
        "prompt_id": [f"p_{at:020x}" for at in range(count)], "prompt": texts, "messages": _said("user", texts),
        "source": np.where(draw.random(count) < 0.7, "train.jsonl", "more.jsonl"),
        "metadata": [json.dumps({"kind": KINDS[at], "level": int(level)}) for at, level in
                     zip(draw.integers(0, len(KINDS), count), draw.integers(1, 6, count), strict=True)],
    })  # fmt: skip


def _candidates(draw: np.random.Generator, prompts: int, samples: int) -> pl.DataFrame:
    count = prompts * samples
    texts = _texts(draw, count, 60)
    return pl.DataFrame({
        "completion_id": [f"c_{value:020x}" for value in draw.permutation(count)],
        "prompt_id": [f"p_{at // samples:020x}" for at in range(count)], "sample_index": np.arange(count) % samples,
        "response": texts, "messages": _said("assistant", texts), "completion_tokens": draw.integers(10, 400, count),
        "model": np.where(np.arange(count) % samples < samples // 2, "student", "teacher"), "finish_reason": "stop",
    })  # fmt: skip


def _texts(draw: np.random.Generator, count: int, longest: int) -> list[str]:
    words = np.array(["".join(draw.choice(list("abcdefghijklmnop"), draw.integers(2, 9))) for _ in range(3000)])
    ends = draw.integers(3, longest, count).cumsum()
    drawn = words[draw.integers(0, len(words), ends[-1])]
    return [" ".join(part) for part in np.split(drawn, ends[:-1])]


def _said(role: str, texts: list[str]) -> list[str]:
    return [json.dumps([{"role": role, "content": text}]) for text in texts]


def _scores(draw: np.random.Generator, candidates: pl.DataFrame, name: str) -> pl.DataFrame:
    count = candidates.height
    values = {
        "passed": (draw.random(count) < 0.4).astype(float), "quality": draw.beta(4, 2, count),
        "helpful": draw.integers(1, 11, count).astype(float), "perplexity": np.exp(draw.normal(2, 0.6, count)),
        "words": candidates["response"].str.count_matches(" ").to_numpy() + 1.0,
    }[name]  # fmt: skip
    return pl.DataFrame({"row_id": candidates["completion_id"], "scorer": name, "value": values})


def _decisions(draw: np.random.Generator, candidates: pl.DataFrame, stage: str) -> pl.DataFrame:
    kept = pl.Series("kept", draw.random(candidates.height) > 0.1)
    return pl.DataFrame({"row_id": candidates["completion_id"], "stage": stage, "kept": kept}).with_columns(
        reason=pl.when("kept").then(None).otherwise(pl.lit("filter: empty"))
    )


def _duplicates(draw: np.random.Generator, rows: pl.DataFrame) -> pl.DataFrame:
    ids = rows["prompt_id"].to_list()
    drops = {int(at): int(of) for at, of in zip(draw.choice(len(ids), 900, replace=False), draw.integers(0, 300, 900),
             strict=True) if at > 300}  # fmt: skip
    return pl.DataFrame({
        "row_id": ids, "stage": "prompts.dedup.minhash", "kept": [at not in drops for at in range(len(ids))],
        "reason": ["near-duplicate" if at in drops else None for at in range(len(ids))],
        "evidence": [json.dumps({"of": ids[drops[at]], "similarity": 0.8}) if at in drops else None
                     for at in range(len(ids))],
    })  # fmt: skip


def _datasets(
    draw: np.random.Generator, rows: pl.DataFrame, candidates: pl.DataFrame
) -> dict[str, dict[str, pl.DataFrame]]:
    first, second = (candidates.filter(pl.col("sample_index") == at) for at in (0, 1))
    count = rows.height
    common = {"prompt_id": rows["prompt_id"], "prompt": rows["messages"], "split": "train"}
    ids = [f"r_{at:020x}" for at in range(count)]
    sft = pl.DataFrame({**common, "row_id": ids, "completion_id": first["completion_id"],
                        "completion": first["messages"], "score": draw.random(count), "dataset": "sft"})  # fmt: skip
    pairs = pl.DataFrame({
        **common, "row_id": ids, "chosen_id": first["completion_id"], "rejected_id": second["completion_id"],
        "chosen": first["messages"], "rejected": second["messages"], "chosen_score": 0.5 + draw.random(count) / 2,
        "rejected_score": draw.random(count) / 2, "dataset": "dpo",
    })  # fmt: skip
    names = {"sft": "datasets.sft.where", "dpo": "datasets.dpo.select"}
    decisions = {name: _decisions(draw, candidates, stage) for name, stage in names.items()}
    return {
        "sft": {"sft": sft, "decisions": decisions["sft"]},
        "dpo": {"preferences": pairs, "decisions": decisions["dpo"]},
    }


def _trainings(draw: np.random.Generator, sft: pl.DataFrame) -> dict[str, pl.DataFrame]:
    names = ["sft", "sft.seed1", "sft.seed2", "sft_random"]
    curves = [2 * np.exp(-np.arange(STEPS) / 200) + 0.6 + draw.normal(0, 0.15, STEPS) for _ in names]
    trainings = pl.DataFrame({
        "training_id": [f"t{at:011x}" for at in range(len(names))], "name": names, "trainer": "sft", "dataset": "sft",
        "model": "student", "base": "student", "rows": sft.height, "steps": STEPS, "seconds": 1234.5,
        "metrics": [json.dumps({"history": [{"step": at + 1, "loss": loss} for at, loss in enumerate(curve)]})
                    for curve in curves],
    })  # fmt: skip
    losses = pl.DataFrame({
        "training_id": "t00000000000", "step": np.arange(sft.height) % STEPS, "row_id": sft["row_id"],
        "phase": "train", "loss": draw.gamma(2, 0.5, sft.height), "tokens": 50,
    })  # fmt: skip
    return {"trainings": trainings, "row_losses": losses}


def _evaluations(draw: np.random.Generator, prompts: int = 500) -> pl.DataFrame:
    parts = []
    for at, (model, training, mean) in enumerate((("student", None, 0.3), ("sft", "t00000000000", 0.5))):
        texts = _texts(draw, prompts, 40)
        parts.append(pl.DataFrame({
            "evaluation_id": f"e_{at}", "model": model, "training_id": training, "dataset": "sft", "split": "test",
            "row_id": [f"r_t{row}" for row in range(prompts)], "prompt_id": [f"p_t{row}" for row in range(prompts)],
            "sample_index": 0, "prompt": texts, "response": _texts(draw, prompts, 40), "scorer": "passed",
            "value": (draw.random(prompts) < mean).astype(float),
        }, schema_overrides={"training_id": pl.String}))  # fmt: skip
    return pl.concat(parts)


def _stage(store: Store, label: str, tables: dict[str, pl.DataFrame]) -> Stage:
    with store.new_stage(f"{hash_of(label):012x}", label, what={}) as writer:
        for table, rows in tables.items():
            writer.write(table, rows)
    return writer.stage()


def hash_of(label: str) -> int:
    """Return a number of a label for an id, the same each time."""
    return int.from_bytes(label.encode()[-6:].rjust(6, b"x")) ^ (len(label) << 40)


def _save(store: Store, run: str, command: str, stages: list[Stage]) -> None:
    store.save_run({
        "run_id": f"2026010{run}-000000-000-bench", "recipe": "bench", "command": command, "status": "finished",
        "started_at": now(), "seconds": 1.0, "resolved": {"name": "bench"}, "version": "0.1.0",
        "stages": [stage_entry(stage, at, reused=False) for at, stage in enumerate(stages)],
    })  # fmt: skip
