"""Rows per second of the row-wise scorers, compared with a plain Python loop or the plain library on the same rows.

``python -m benchmarks.scorers 1000000`` scores a million generated responses of 30 to 200 words with the four
scorers that are meant for a million rows. Slow peers get fewer rows; both figures are rows per second.
"""

import json
import multiprocessing
import os
import random
import re
import sys
import time
from collections.abc import Callable

import polars as pl

import curate.score.constraints as constraints
import curate.score.length as length
import curate.score.math as math
import curate.score.refusal as refusal
import curate.score.repetition as repetition
from benchmarks.measure import ROOT, Row, medians
from curate.algorithms.text.language import detect
from curate.verifiers.math.equal import compare
from tests.score.test_constraint_columns import PLAIN

ROWS, TIMES = 20_000, 3
SHARED = ROOT.parent / "shared" / "data" / "gsm8k" / "example_model_solutions.jsonl"
FOUR = ("length", "repetition", "constraints", "refusal")
ANSWERS = [
    (r"\frac{{{a}}}{{{b}}}", r"{a}/{b}"),
    (r"x^2+{a}x+{b}", r"{b}+{a}x+x^2"),
    (r"\{{{a}, {b}\}}", r"\{{{b}, {a}\}}"),
    (r"({a}, {b}]", r"({a},{b}]"),
    (r"{a}\sqrt{{{b}}}", r"\sqrt{{{b}}}\cdot {a}"),
    (r"\frac{{{a}\pi}}{{{b}}}", r"\frac{{{b}}}{{{a}}}"),
    (r"(x+{a})(x-{b})", r"x^2+({a}-{b})x-{a}\cdot {b}"),
    (r"[{a}, \infty)", r"[{b}, \infty)"),
]


def measure(rows: int = ROWS) -> list[Row]:
    """Return medians of 3 runs, alternating between scorer and peer."""
    texts, truths = responses(rows), ground_truths(rows)
    tokens = pl.Series([None] * rows, dtype=pl.Int64)
    runs = {
        "length": (lambda: length.score(texts, tokens), lambda some: [len(text.split()) for text in some]),
        "repetition": (lambda: repetition.score(texts), lambda some: [_repeated(text) for text in some]),
        "constraints": (lambda: constraints.score(texts, truths), lambda some: _row_by_row(some, truths)),
        "refusal": (lambda: refusal.score(texts), _refusals),
    }
    made, seconds = [], 0.0
    for name in FOUR:
        scorer, loop = runs[name]
        some = texts.head(2_000).to_list()
        pair = medians(
            lambda run=scorer: _rate(run, rows),
            lambda run=loop, some=some: _rate(lambda: run(some), len(some)),
            times=TIMES,
        )
        made.append(Row(f"{name}, {rows:,} responses of 30-200 words", pair[0], "rows/s", "", "Python loop", pair[1]))
        seconds += rows / pair[0]
    made.append(Row("length, repetition, constraints, refusal together", rows / seconds, "rows/s", "200,000"))
    return [*made, *_language(texts.head(4_000)), *_math()]


def responses(count: int) -> pl.Series:
    """Return generated answers with punctuation, lines, lists and a few letters beyond ASCII."""
    draw = random.Random(0)
    letters = "eeeeetttaaaooiinnsshhrrddlluucmwfgypbvk"
    words = ["".join(draw.choices(letters, k=draw.randint(1, 9))) for _ in range(4_000)]
    words += ["é", "naïve", "“so”", "–", "USA"]
    ends = [" "] * 60 + [", "] * 6 + [". "] * 7 + ["! ", "? ", ".\n", ".\n\n", ":\n- ", "\n1. ", " *so* ", "'s "]
    flat = [word + end for word, end in zip(draw.choices(words, k=400_000), draw.choices(ends, k=400_000), strict=True)]
    low = [draw.randrange(len(flat) - 200) for _ in range(count)]
    return pl.Series(["".join(flat[start : start + draw.randint(30, 200)]).strip().capitalize() for start in low])


def ground_truths(count: int) -> pl.Series:
    """Return ground truths of one to three constraints of the shipped recipe, the same for eight candidates."""
    draw = random.Random(1)
    seeds = (ROOT / "cli" / "recipes" / "seeds.jsonl").read_text(encoding="utf-8").splitlines()
    known = [constraint for line in seeds for constraint in json.loads(line)["ground_truth"]]
    for constraint in known:
        if "n" in constraint and draw.random() < 0.5:
            constraint["n"] += draw.randint(0, 9)
    distinct = [json.dumps(draw.sample(known, draw.randint(1, 3))) for _ in range(-(-count // 8))]
    return pl.Series([distinct[row // 8] for row in range(count)])


def _rate(run: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    run()
    return count / (time.perf_counter() - started)


def _repeated(text: str) -> float:
    words = re.sub(r"[^\w\s]", " ", text.lower()).split()
    grams = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _refusals(texts: list[str]) -> list[bool]:
    refused, plate = re.compile(refusal.REFUSALS), re.compile(refusal.BOILERPLATE)
    low = (text.lower().replace("’", "'") for text in texts)
    return [bool(refused.search(text[:250]) or plate.search(text)) for text in low]


def _row_by_row(texts: list[str], truths: pl.Series) -> None:
    """Check constraints in a plain loop, which knows about half of the kinds: the faster ones."""
    for text, truth in zip(texts, truths, strict=False):
        for constraint in json.loads(truth):
            if constraint["kind"] in PLAIN:
                PLAIN[constraint["kind"]](text)


def _language(texts: pl.Series) -> list[Row]:
    from py3langid import classify

    some = texts.head(400).to_list()
    ours, peer = medians(
        lambda: _rate(lambda: detect(texts), len(texts)),
        lambda: _rate(lambda: [classify(text) for text in some], len(some)),
        times=TIMES,
    )
    return [Row(f"language, {len(texts):,} of them", ours, "rows/s", "", "py3langid", peer)]


def _math() -> list[Row]:
    """Compare with math-verify on every core: LaTeX, and numbers in recorded solutions of GSM8K if they are here."""
    draw = random.Random(2)
    latex = []
    for _ in range(1_000):
        gold, answer = draw.choice(ANSWERS)
        numbers = {"a": draw.randint(2, 60), "b": draw.randint(2, 60)}
        latex.append((rf"So it is \boxed{{{answer.format(**numbers)}}}.", rf"\boxed{{{gold.format(**numbers)}}}"))
    sets = {"LaTeX": latex}
    if SHARED.exists():
        rows = [json.loads(line) for line in SHARED.read_text(encoding="utf-8").splitlines()]
        sets["GSM8K"] = [
            (row[name]["solution"], row["ground_truth"])
            for row in rows
            for name in row
            if "_" in name and isinstance(row[name], dict)
        ]
    made = []
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for name, pairs in sets.items():
            answers, golds = (pl.Series(column) for column in zip(*pairs, strict=True))
            some = pairs[:1_000]
            pool.map(
                _verify, [("1", "x+1")] * 64, 1
            )  # so that both sides have started their processes and imported sympy
            compare([(f"{n}+x", "1") for n in range(200)])
            ours, peer = medians(
                lambda a=answers, g=golds: _rate(lambda: math.score(a, g), len(a)),
                lambda p=some: _rate(lambda: pool.map(_verify, p, 8), len(p)),
                times=1,
                warm=False,
            )
            made.append(Row(f"math, {name}, {len(pairs):,} rows", ours, "rows/s", "1x", "math-verify pool", peer))
    return made


def _verify(pair: tuple[str, str]) -> bool:
    from math_verify import parse, verify

    return verify(parse(pair[1]), parse(pair[0]))


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        peer = f", {row.peer} {row.peer_figure:,.0f}: {row.ratio:.2f} times" if row.peer else ""
        print(f"{row.name}: {row.figure:,.0f} {row.unit}{peer}", flush=True)
