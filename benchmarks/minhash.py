"""Speed, recall, precision and memory of ``dedup: minhash`` beside rensa.

``python -m benchmarks.minhash --rows 100000 --seed 2`` measures one size, ``--ten-million`` 10M rows from a file. Texts
have planted copies (``benchmarks.planted``); n-grams are of five words. A planted pair of Jaccard similarity 0.8 or
more is found if one of the two is dropped; a dropped row is right if a kept row has a similarity of 0.7 or more to it.
The peer is rensa's ``RMinHashDeduplicator(0.75, 128, True, 32)``, in turns with ours, given the words of each text
(``split``) and, as a second figure, its five-word n-grams, which take it longer. The time to compile the loops is
measured by itself.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

import curate.dedup.exact as exact
import curate.dedup.minhash as minhash
from benchmarks.measure import ROOT, Row, medians
from benchmarks.planted import NGRAM, parts, planted
from curate.algorithms.text.shingles import Grams, jaccard

SIZES, SEED = (100_000, 500_000, 1_000_000), 2
LIKE, RIGHT = 0.8, 0.7  # least similarity of planted pairs that count; of a dropped row that is right
DATA = Path("/work/shared/data")


def measure() -> list[Row]:
    """Measure minhash beside rensa (speed, recall, precision, memory), compiling, real data, and ``dedup: exact``."""
    rows = [Row(f"minhash, first call, loops {state}", _fresh("warm", folder), "s") for state, folder in _caches()]
    seconds = {}
    for size in SIZES:
        found = compared(size, SEED, times=3 if size == min(SIZES) else 1, beside=size < max(SIZES))  # rensa: minutes
        seconds[size] = found["ours"]
        peer = ("rensa (words)", found["words"]) if "words" in found else ()
        rows.append(Row(f"minhash {size:,} documents", found["ours"], "s", "0.20" if size < 1_000_000 else "", *peer))
        if "grams" in found:
            rows.append(Row("  beside rensa given n-grams", found["ours"], "s", "", "rensa (n-grams)", found["grams"]))
        rows += [
            Row("  recall of planted pairs >= 0.8", found["recall"], "", ">= 0.995"),
            Row("  precision at 0.7", found["precision"], "", ">= 0.999"),
            Row("  peak memory beyond the texts", _fresh(f"memory {size}"), "B/row", "< 1,000"),
        ]
        if "rensa_recall" in found:
            rows.append(Row("  rensa's own recall (words)", found["rensa_recall"], ""))
    rows.append(Row("minhash 1M in the time of 100k", seconds[max(SIZES)] / seconds[min(SIZES)], "x", "near 10"))
    rows += [Row(f"minhash {name}, {size:,} rows, rows/s", rate, "rows/s") for name, size, rate in _real()]
    text = planted(1_000_000, SEED).text.str.slice(0, 120)  # short texts
    rate = medians(lambda: len(text) / _seconds(lambda: exact.dedup(text, *_none(text))), times=3)[0]
    return [*rows, Row("exact, 1M texts of 120 characters", rate, "rows/s", "1e6")]


def compared(rows: int, seed: int, times: int, beside: bool = True) -> dict[str, float]:
    """Return the median seconds of ours and, if ``beside``, of rensa, in turns; and recall and precision."""
    made = planted(rows, seed)
    run(made.text[:2000])
    runs, kept = [lambda: _seconds(lambda: run(made.text))], []
    if beside and find_spec("rensa"):
        texts = made.text.to_list()
        runs += [
            lambda: _seconds(lambda: kept.append(_rensa(texts, str.split))),
            lambda: _seconds(lambda: _rensa(texts, _ngrams)),
        ]
    figures = dict(zip(("ours", "words", "grams"), medians(*runs, times=times, warm=False), strict=False))
    out = run(made.text)["duplicate_of"]
    by = np.argsort(made.original, kind="stable")
    one, other = made.original[by], made.copy[by]
    like = jaccard(made.text, one, other, Grams(NGRAM, False)) >= LIKE
    dropped = np.flatnonzero(out.is_not_null().to_numpy())
    named = out.drop_nulls().to_numpy()
    order = np.argsort(named, kind="stable")
    near = jaccard(made.text, named[order], dropped[order], Grams(NGRAM, False)) >= RIGHT
    figures |= {
        "recall": _recall(out.is_not_null().to_numpy(), one[like], other[like]),
        "planted": int(like.sum()),
        "dropped": len(dropped),
        "precision": float((near & out.is_null().to_numpy()[named[order]]).mean()),
    }
    if kept:
        figures["rensa_recall"] = _recall(~kept[-1], one[like], other[like])
    return figures


def run(text: pl.Series) -> pl.DataFrame:
    """Run our step on texts, without scores and other data."""
    score, known = _none(text)
    sketch = pl.Series("sketch", [None]).new_from_index(0, len(text))
    return minhash.dedup(text, sketch, score, known, ngram=NGRAM)


def ten_million(rows: int, seed: int, folder: Path) -> dict[str, float]:
    """Write rows as an Arrow file, map it into memory and deduplicate it; return seconds and peak memory in bytes."""
    file = folder / f"planted-{rows}-{seed}.arrow"
    schema = pa.schema([("text", pa.large_string())])
    if not file.exists():
        with pa.ipc.new_file(part := file.with_suffix(".part"), schema) as writer:
            for texts in parts(rows, seed):
                writer.write_batch(pa.record_batch([texts], schema=schema))
        part.rename(file)
    with pa.memory_map(str(file)) as source:
        text = pl.Series("text", pa.ipc.open_file(source).read_all()["text"])
    run(text[:2000])
    with _Watch() as watch:
        seconds = _seconds(lambda: print("dropped", rows - run(text)["duplicate_of"].null_count()))  # noqa: T201
    return {"rows": rows, "seconds": seconds, "rss_anon": watch.anon, "rss": watch.rss, "anon_before": watch.before}


class _Watch:
    """Measures the peak memory of this process every 20 ms: its own (``anon``), and with mapped files (``rss``)."""

    def __enter__(self) -> "_Watch":
        import threading

        self.anon = self.rss = 0
        self.before, _ = _memory()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.done.wait(0.02):
            anon, rss = _memory()
            self.anon, self.rss = max(self.anon, anon), max(self.rss, rss)


def _memory() -> tuple[int, int]:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024, int(lines["VmRSS"].split()[0]) * 1024


def _real() -> list[tuple[str, int, float]]:
    """Rows a second on real data sets: (name, rows, rate)."""
    found = []
    for name, file, key in (
        ("alpaca", "llamafactory/alpaca_en_demo.json", "output"),
        ("gsm8k train", "gsm8k/train.jsonl", "question"),
    ):
        if (path := DATA / file).exists():
            lines = path.read_text(encoding="utf-8")
            read = json.loads(lines) if path.suffix == ".json" else [json.loads(line) for line in lines.splitlines()]
            text = pl.Series([row[key] for row in read])
            run(text)
            found.append((name, len(text), medians(lambda t=text: len(t) / _seconds(lambda: run(t)), times=3)[0]))
    return found


def _recall(dropped: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    return float((dropped[one] | dropped[other]).mean())


def _none(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    return pl.Series("score", [None], dtype=pl.Float64).new_from_index(0, len(text)), pl.Series(
        "known", [False]
    ).new_from_index(0, len(text))


def _rensa(texts: list[str], tokens: Callable[[str], list[str]]) -> np.ndarray:
    from rensa import RMinHashDeduplicator

    return np.array(
        RMinHashDeduplicator(0.75, 128, True, 32).add_pairs(
            [(str(row), tokens(text)) for row, text in enumerate(texts)]
        )
    )


def _ngrams(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[place : place + NGRAM]) for place in range(max(1, len(words) - NGRAM + 1))]


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _caches() -> list[tuple[str, str]]:
    folder = tempfile.mkdtemp()
    return [("compiled", folder), ("from the cache", folder)]


def _fresh(what: str, cache: str = "") -> float:
    """A figure measured in a new process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    command = (sys.executable, "-m", "benchmarks.minhash", "--child", what)
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def _child(what: str) -> float:
    if what == "warm":
        text = planted(200, SEED).text
        return _seconds(lambda: run(text))
    rows = int(what.split()[1])
    text = planted(rows, SEED).text
    run(text[:2000])
    with _Watch() as watch:
        run(text)
    return (watch.anon - watch.before) / rows


def main() -> None:
    """Measure one size, or ten million rows; print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="without rensa")
    parser.add_argument("--ten-million", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the 10M rows are put")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(_child(given.child))  # noqa: T201
    elif given.ten_million:
        print(json.dumps(ten_million(given.rows or 10_000_000, given.seed, given.folder)))  # noqa: T201
    else:
        print(json.dumps(compared(given.rows or min(SIZES), given.seed, given.times, not given.alone)))  # noqa: T201


if __name__ == "__main__":
    main()
