"""Speed of ``decontaminate`` against 50,000 benchmark rows, and the share of planted rows that each rule finds.

Speed is measured on made-up rows: 20 to 60 words from a Zipf-like vocabulary, two in a hundred with a benchmark row in
them. The peer is the set look-up of open-r1's script, in plain Python.

The planted rows are GSM8K's test questions (from ``../shared/data``, or the folder in ``GRISTMILL_DATA``; left out if
there is none), copied, quoted, or edited by rule: other numbers, other names, a sentence added, the order changed. Rows
that should stay are GSM8K's training questions and Alpaca's instructions. ``python -m benchmarks.decontaminate`` prints
the results of all rules on all edits, and with ``--semantic`` those of embeddings too, which takes minutes.
"""

import argparse
import os
import re
import string
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import ROOT, Row, medians
from curate.algorithms.overlap.benchmark_index import BenchmarkIndex, make_index
from curate.algorithms.overlap.benchmark_overlap import find_benchmark_overlaps
from curate.pipeline.overlap_rule import nearest_rows, semantic_rule

DATA = Path(os.environ.get("GRISTMILL_DATA", ROOT.parent / "shared" / "data"))
ROWS, BENCH, PEER_ROWS = 1_000_000, 50_000, 20_000
WORDS, PART = 50_000, 50_000  # in the vocabulary; rows made at a time
RULES: dict[str, Callable[[pl.Series], BenchmarkIndex]] = {
    "8-grams, half of the benchmark row (Tulu 3)": make_index,
    "8-grams, half of the row": partial(make_index, share_of="row"),
    "8-grams, half of either": partial(make_index, share_of="either"),
    "13-grams, half of the benchmark row": partial(make_index, ngram=13),
    "one 8-gram (s1)": partial(make_index, match="any"),
    "one 13-gram (GPT-3)": partial(make_index, ngram=13, match="any"),
    "5-grams, half of the benchmark row": partial(make_index, ngram=5),
    "8-grams, a quarter of it": partial(make_index, match=0.25),
}
COSINES = (0.8, 0.85, 0.9, 0.95)
NAMES = ("Aziza", "Bogdan", "Chiara", "Dmitri", "Eilidh", "Farouk", "Greta", "Hamza", "Ingrid", "Jorge")
QUESTIONS, STAY = 100, 500  # test questions planted, and rows that should stay, in the trial of embeddings


def measure(count: int = ROWS) -> list[Row]:
    """Return the speed (medians of 3) and the shares found (of one seed)."""
    bench, rows = texts(BENCH, 0), texts(count, 1)
    index, few = make_index(bench), rows[:PEER_ROWS]
    indexing = _timed(lambda: make_index(bench))
    table = _grams(bench)
    peer = _timed(lambda: [row for row in few if not table.isdisjoint(_ngrams(row))])
    ours, made, theirs = medians(_timed(lambda: find_benchmark_overlaps(rows, index)), indexing, peer, times=3)
    found = [
        Row(
            f"decontaminate {count:,} rows against {BENCH:,}",
            count / ours / 1000,
            "krows/s",
            "200",
            "python sets",
            PEER_ROWS / theirs / 1000,
        ),
        Row(f"  taking in {BENCH:,} benchmark rows", made, "s"),
    ]
    return found + _trial_rows()


def _trial_rows() -> list[Row]:
    if not (DATA / "gsm8k").is_dir():
        return []
    planted, stay, test = plants(), others(), questions("test")
    index = make_index(test)
    found = [Row(f"  planted GSM8K, {name}: found", 100 * _share(rows, index), "%") for name, rows in planted.items()]
    return found + [
        Row(f"  {name}: taken for GSM8K's test", 100 * _share(rows, index), "%") for name, rows in stay.items()
    ]


def texts(count: int, seed: int) -> pl.Series:
    """Return rows of 20 to 60 made-up words; with a seed other than 0, one row in 50 quotes a row of seed 0."""
    words = np.random.default_rng(9)
    letters = np.array(list(string.ascii_lowercase))
    vocabulary = pl.Series(["".join(letters[words.integers(0, 26, size)]) for size in words.integers(2, 10, WORDS)])
    rows = pl.concat([_texts(vocabulary, min(PART, count - low), (seed, low)) for low in range(0, count, PART)])
    if not seed:
        return rows
    at = np.arange(0, count, 50)
    return rows.scatter(at, "Please: " + texts(BENCH, 0).gather(at // 50 % BENCH) + " Thanks.")


def _texts(vocabulary: pl.Series, count: int, seed: tuple[int, int]) -> pl.Series:
    draw = np.random.default_rng(seed)
    sizes = draw.integers(20, 61, count)
    chosen = draw.zipf(1.2, sizes.sum()) % WORDS
    rows = pl.DataFrame({"row": np.repeat(np.arange(count), sizes), "word": vocabulary.gather(chosen)})
    return rows.group_by("row", maintain_order=True).agg(pl.col("word").str.join(" "))["word"]


def _ngrams(text: str, n: int = 8) -> set[str]:
    words = re.sub(r"[^\w\s]", " ", text.lower()).split()
    return {" ".join(words[at : at + n]) for at in range(len(words) - n + 1)}


def _grams(bench: pl.Series) -> set[str]:
    return set().union(*map(_ngrams, bench))


def _timed(call: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return run


def _share(rows: pl.Series, index: BenchmarkIndex) -> float:
    return float(find_benchmark_overlaps(rows, index)["matched"].is_not_null().to_numpy().mean())


def questions(split: str) -> pl.Series:
    """Return GSM8K's questions."""
    return pl.read_ndjson(DATA / "gsm8k" / f"{split}.jsonl")["question"]


def others() -> dict[str, pl.Series]:
    """Return the rows that should stay, by the name of their data set."""
    kept = {"GSM8K's training set": questions("train")}
    for name in ("alpaca_en_demo", "alpaca_zh_demo"):
        kept[name] = pl.read_json(DATA / "llamafactory" / f"{name}.json")["instruction"]
    return kept


def plants(count: int | None = None) -> dict[str, pl.Series]:
    """Return the questions of the test set after each edit, by the name of the edit."""
    draw, test, train = np.random.default_rng(4), questions("test").to_list(), questions("train").to_list()
    test = test if count is None else [test[at] for at in draw.permutation(len(test))[:count]]
    shots = [train[at] for at in draw.integers(0, len(train), len(test))]
    added = [_sentences(train[at])[0] for at in draw.integers(0, len(train), len(test))]
    number = lambda text: re.sub(r"\d+", lambda found: str(draw.integers(2, 10 ** max(len(found[0]), 1) + 3)), text)  # noqa: E731
    return {
        k: pl.Series(v)
        for k, v in {
            "copied, in capitals": [text.upper() for text in test],
            "quoted in a long prompt": [
                f"Example: {shot} Now solve: {text} Think step by step." for text, shot in zip(test, shots, strict=True)
            ],
            "other numbers": [number(text) for text in test],
            "other names": [_rename(text, draw) for text in test],
            "a sentence added": [_insert(text, more) for text, more in zip(test, added, strict=True)],
            "another order": [_reverse(text) for text in test],
            "other names and numbers": [number(_rename(text, draw)) for text in test],
            "names, numbers, order, a sentence": [
                number(_insert(_reverse(_rename(text, draw)), more)) for text, more in zip(test, added, strict=True)
            ],
        }.items()
    }


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+", text.strip())


def _insert(text: str, more: str) -> str:
    parts = _sentences(text)
    return " ".join([*parts[: len(parts) // 2], more, *parts[len(parts) // 2 :]])


def _reverse(text: str) -> str:
    """All sentences but the question in reverse order."""
    parts = _sentences(text)
    return " ".join([*parts[:-1][::-1], parts[-1]])


def _rename(text: str, draw: np.random.Generator) -> str:
    """Another name for every capitalised word within a sentence."""
    names = dict.fromkeys(re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", text))
    for name, other in zip(names, draw.permutation(NAMES), strict=False):
        text = re.sub(rf"\b{name}\b", str(other), text)
    first = re.match(r"[A-Z][a-z]+(?= [a-z]+s |'s | and )", text)
    return text if first is None or first[0] in NAMES else text.replace(first[0], str(draw.choice(NAMES)))


def main() -> None:
    """Print the share of planted rows that every rule finds, and how many it drops of those that should stay."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--semantic", action="store_true", help="embeddings too, of 100 questions: minutes")
    parser.add_argument("--store", default=None, help="where embeddings are kept (else nowhere)")
    given = parser.parse_args()
    test, planted, stay = questions("test"), plants(), others()
    print(f"planted: {len(test):,} each; to stay: {', '.join(f'{len(t):,} of {name}' for name, t in stay.items())}")
    for rule, index_of in RULES.items():
        index = index_of(test)
        found = {name: f"{100 * _share(rows, index):.1f} %" for name, rows in planted.items()}
        taken = {name: int(find_benchmark_overlaps(rows, index)["matched"].count()) for name, rows in stay.items()}
        print(f"{rule}: {found} taken: {taken}", flush=True)
    if given.semantic:
        with tempfile.TemporaryDirectory() as folder:
            _semantic(Path(given.store or folder), test)


def _semantic(folder: Path, test: pl.Series) -> None:
    from curate.models.embeddings import embed
    from curate.models.engine_settings import resolve_model
    from curate.storage.store import Store
    from schemas.progress import Progress
    from schemas.recipe import Model

    store, model = Store(folder), resolve_model("minilm", Model(model="minilm"))
    rule = semantic_rule(test, min(COSINES), lambda rows: embed(rows, model, store, Progress()))
    stay = {name: rows[:STAY] for name, rows in others().items()}
    for name, rows in {**plants(QUESTIONS), **stay}.items():
        hit, _, cosine = nearest_rows(rule, rule.embed(rows))
        index = make_index(test)
        words = find_benchmark_overlaps(rows, index)["matched"].is_not_null().to_numpy()
        found = {at: f"{100 * (cosine >= at).sum() / len(rows):.1f} %" for at in COSINES}
        both = {at: f"{100 * len({*np.flatnonzero(words)} | {*hit[cosine >= at]}) / len(rows):.1f} %" for at in COSINES}
        print(f"{name}: {len(rows):,}; cosine {found}; with 8-grams {both}", flush=True)


if __name__ == "__main__":
    main()
