"""Speed of the scorers used as filters beside plain Polars or a Python loop, and of SQL conditions beside Polars.

``python -m benchmarks.filters 1000000`` takes as many made-up answers of 5 to 40 words. All figures are of this process
on all cores. Slow peers get fewer rows.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import reduce
from operator import add

import numpy as np
import polars as pl

import curate.score.boilerplate as boilerplate
import curate.score.lines as lines
import curate.score.pii as pii
import curate.score.refusal as refusal
import curate.score.repeated_lines as repeated_lines
import curate.score.repeated_ngrams as repeated_ngrams
import curate.score.secrets as secrets
import curate.score.sentences as sentences
import curate.score.share as share
import curate.score.top_ngram as top_ngram
import curate.score.unfinished as unfinished
import curate.score.urls as urls
import curate.score.words as words
from benchmarks.measure import Row, medians
from benchmarks.scorers import responses
from curate.algorithms.text.personal_items import LIKELY
from curate.algorithms.text.secret_items import MARKS
from curate.generate import mask
from curate.steps.sql_conditions import holds

ROWS, SQL_ROWS, TIMES = 200_000, 1_000_000, 3
RESPONSE = pl.col("response")
CONDITIONS = {
    "a score": ("symbols > 0.3", pl.col("symbols") > 0.3),
    "four scores": (
        "symbols > 0.3 or capitals > 0.5 or short_lines > 0.67 and words >= 50",
        (pl.col("symbols") > 0.3)
        | (pl.col("capitals") > 0.5)
        | ((pl.col("short_lines") > 0.67) & (pl.col("words") >= 50)),
    ),
    "the text": (
        "contains(response, '{') or response ilike '%lorem ipsum%'",
        pl.col("response").str.contains("{", literal=True)
        | pl.col("response").str.contains_any(["lorem ipsum"], ascii_case_insensitive=True),
    ),
}


def measure(rows: int = ROWS, sql_rows: int = SQL_ROWS) -> list[Row]:
    """Return medians of 3, in turns. A peer is the nearest thing in one line; some are simpler than the filter."""
    texts = answers(rows)
    made, seconds = [], 0.0
    for name, (ours, peer, loop) in runs().items():
        some = texts.head(2_000).to_list() if loop else texts
        pair = medians(
            lambda run=ours: _rate(lambda: run(texts), rows),
            lambda run=peer, some=some: _rate(lambda: run(some), len(some)),
            times=TIMES,
        )
        made.append(
            Row(
                f"{name}, {rows:,} answers of 5-40 words",
                pair[0],
                "rows/s",
                "1,000,000",
                "Python loop" if loop else "Polars",
                pair[1],
            )
        )
        seconds += rows / pair[0]
    made.append(Row(f"these {len(runs())} together", rows / seconds, "rows/s"))
    return [*made, *_sql(sql_rows)]


def answers(count: int) -> pl.Series:
    """Return made-up answers of 5 to 40 words that end with a full stop."""
    long = responses(count)
    size = np.random.default_rng(0).integers(5, 41, count)
    return (
        pl.DataFrame({"text": long, "size": size * 6})
        .select(pl.col("text").str.slice(0, pl.col("size")).str.strip_chars_end(" ,:;*-") + ".")
        .to_series()
    )


def runs() -> dict[str, tuple[Callable, Callable, bool]]:
    """Return for each filter: ours, its peer, and whether the peer is a loop, which takes a list of texts."""
    return _counting_runs() | _searching_runs()


def _counting_runs() -> dict[str, tuple[Callable, Callable, bool]]:
    """Filters by the characters, words and lines of a text."""
    seen = RESPONSE.str.count_matches(r"\S")
    return {
        "share of symbols": (
            lambda t: share.score(t, of="symbols"),
            _polars(RESPONSE.str.count_matches(r"[^\s\p{L}\p{M}\p{Nd}]") / seen),
            False,
        ),
        "share of capitals": (
            lambda t: share.score(t, of="uppercase"),
            _polars(RESPONSE.str.count_matches(r"\p{Lu}") / RESPONSE.str.count_matches(r"\p{L}")),
            False,
        ),
        "mean word length": (
            lambda t: words.score(t),
            _polars(RESPONSE.str.extract_all(r"\S+").list.eval(pl.element().str.len_chars()).list.mean()),
            False,
        ),
        "stop words": (
            lambda t: words.score(t, measure="stop_words"),
            _polars(
                reduce(add, (RESPONSE.str.contains(rf"(?i)\b{word}\b").cast(pl.Int64) for word in words.STOP_WORDS))
            ),
            False,
        ),
        "ended lines": (
            lambda t: lines.score(t, measure="punctuated"),
            _polars(
                RESPONSE.str.count_matches(r"(?m)[.!?。！？][\"')\]]*\s*$")
                / RESPONSE.str.count_matches(r"(?m)^.*\S.*$")
            ),
            False,
        ),
        "sentences, C4's": (
            lambda t: sentences.score(t, of="c4"),
            _polars(
                RESPONSE.str.extract_all(r"(?m)^\s*\S+\s+\S+\s+\S.*[.!?\"']\s*$")
                .list.join(" ")
                .str.count_matches(r"[.!?]+[\"')\]]*(?:\s|$)")
            ),
            False,
        ),
    }


def _searching_runs() -> dict[str, tuple[Callable, Callable, bool]]:
    """Filters by repetitions, and by what is found in a text."""
    return {
        "repeated lines": (
            lambda t: repeated_lines.score(t),
            _polars(1 - RESPONSE.str.split("\n").list.n_unique() / RESPONSE.str.split("\n").list.len()),
            False,
        ),
        "top 2-gram": (lambda t: top_ngram.score(t, n=2), lambda some: [_top(text, 2) for text in some], True),
        "repeated 5-grams": (
            lambda t: repeated_ngrams.score(t, n=5),
            lambda some: [_repeated(text, 5) for text in some],
            True,
        ),
        "web addresses": (lambda t: urls.score(t), _polars(RESPONSE.str.count_matches(r"https?://\S+")), False),
        "boilerplate": (
            lambda t: boilerplate.score(t),
            _polars(RESPONSE.str.to_lowercase().str.count_matches("|".join(boilerplate.FORMS.values()))),
            False,
        ),
        "refusal": (
            lambda t: refusal.score(t),
            _polars(RESPONSE.str.to_lowercase().str.contains(refusal.REFUSALS)),
            False,
        ),
        "unfinished": (
            lambda t: unfinished.score(t, *3 * [pl.Series([None], dtype=pl.String).new_from_index(0, len(t))]),
            _polars(~RESPONSE.str.contains(r"[.!?。！？]\s*\z")),
            False,
        ),
        "pii": (lambda t: pii.score(t), _polars(RESPONSE.str.contains("|".join(LIKELY.values()))), False),
        "secrets": (lambda t: secrets.score(t), _polars(RESPONSE.str.contains("|".join(map(re.escape, MARKS)))), False),
        "mask": (lambda t: mask.write(t), _polars(RESPONSE.str.replace_all(r"\S+@\S+\.\w+", "<EMAIL>")), False),
    }


def _polars(value: pl.Expr) -> Callable[[pl.Series], object]:
    return lambda texts: pl.DataFrame({"response": texts}).lazy().select(value).collect()


def _sql(rows: int) -> list[Row]:
    """The speed of SQL conditions over rows in memory, beside the same expressions in Polars."""
    draw = np.random.default_rng(1)
    frame = pl.DataFrame({name: draw.random(rows) for name in ("symbols", "capitals", "short_lines")}).with_columns(
        words=pl.Series(draw.integers(1, 200, rows)), response=answers(20_000).gather(np.arange(rows) % 20_000)
    )
    made = []
    for name, (sql, expression) in CONDITIONS.items():
        some = frame if "response" in sql else frame.drop("response")
        pair = medians(
            lambda some=some, sql=sql: _rate(lambda: holds(some, sql, "filter"), rows),
            lambda some=some, e=expression: _rate(lambda: some.select(e), rows),
            times=TIMES,
        )
        made.append(Row(f"filter by {name}, {rows:,} rows", pair[0], "rows/s", "1,000,000", "Polars", pair[1]))
    return made


def _rate(run: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    run()
    return count / (time.perf_counter() - started)


def _grams(text: str, n: int) -> list[tuple[str, ...]]:
    found = re.findall(r"\w+|[^\w\s]", text)
    return [tuple(found[place : place + n]) for place in range(len(found) - n + 1)]


def _top(text: str, n: int) -> float:
    grams = Counter(_grams(text, n)).most_common(1)
    return len(" ".join(grams[0][0])) * grams[0][1] / len(text) if grams else 0.0


def _repeated(text: str, n: int) -> float:
    grams, seen, covered, place = _grams(text, n), set(), 0, 0
    while place < len(grams):
        if grams[place] in seen:
            covered, place = covered + sum(map(len, grams[place])), place + n
        else:
            seen.add(grams[place])
            place += 1
    return covered / max(len(text), 1)


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        peer = f", {row.peer} {row.peer_figure:,.0f}: {row.ratio:.2f} times" if row.peer else ""
        print(f"{row.name}: {row.figure:,.0f} {row.unit}{peer}", flush=True)
