"""Find the texts that contain a benchmark row: equal after normalising, or sharing enough word n-grams.

Equal texts are those that are the same after levelling (``curate.algorithms.text.levels``), n-grams are of bare words
in small letters (``bare_words``): texts are looked up by their bytes, and only those that may match are levelled. Two
rules of the literature are settings of ``make_index``:

Tulu 3 (open-instruct, ``decontamination/search.py``): a text matches if more than half of the *benchmark row's* words
are in 8-grams that are in that one text too. This is the default (``ngram=8, match=0.5, share_of="benchmark"``; at
exactly half, we drop and Tulu 3 does not): a question is found in however long a text it is quoted. With
``share_of="row"`` the share is of the text's own words: a question in a long text never reaches it, but a text that is
a part of a question does. ``either`` takes the larger share.

GPT-3 (Brown et al. 2020, appendix C): any one shared 13-gram (``ngram=13, match="any"``). There are two differences.
GPT-3 ignores 13-grams that occur in more than ten documents; nothing is ignored here, as the result for a text does not
depend on other texts. And for benchmarks with short rows GPT-3 takes shorter n-grams (down to 8); here ``ngram`` must
be set.
"""

import numpy as np
import polars as pl

from curate.algorithms.overlap.bare_words import cut_words, word_bytes
from curate.algorithms.overlap.benchmark_index import BenchmarkIndex, small_letters
from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.levels import levelled

BLOCK = 4096  # texts in a thread's block
HEAD = 300  # characters of a matching text that are shown
RESULT = {"matched": pl.Int64, "how": pl.String, "overlap": pl.Float64, "shared": pl.String}


def find_benchmark_overlaps(text: pl.Series, index: BenchmarkIndex) -> pl.DataFrame:
    """Return, for each text, the benchmark row that it matches.

    Null and wordless texts match nothing. The result for a text does not depend on the other texts.

    Args:
        text: The texts to look up.
        index: The benchmark (``make_index``).

    Returns:
        A row a text, all null where nothing matches. ``matched`` is the number of the benchmark row: the one with the
        largest share, of equals the first (but of more than 2,048 rows to compare, one that no other exceeds). ``how``
        is ``exact`` (the levelled texts are equal) or ``n-grams``. ``overlap`` is the share of words, in (0, 1]; it is
        1.0 only where these parts of the levelled texts are equal too, in capitals and signs. ``shared`` is the longest
        run of the text's words whose n-grams are all in the matched row, as written in the text, cut to 300 characters;
        for ``exact`` and short texts, the beginning of the text.
    """
    if not len(text) or not index.rows:
        return pl.DataFrame({name: pl.Series([None] * len(text), dtype=kind) for name, kind in RESULT.items()})
    text = text.cast(pl.String)
    known, matched, share, span = look_up_words(text, index)
    hit = np.flatnonzero(known | (matched >= 0))
    known, matched, share, span, some = known[hit], matched[hit], share[hit], span[hit], text.gather(hit)
    held = levelled(some, index.level)
    equal = _row_of(held, index.first)
    near = _row_of(small_letters(held, index.level), index.first_short)
    exact, short = equal >= 0, (equal < 0) & (matched < 0) & (near >= 0) & known
    nearly = np.flatnonzero((share == 1.0) & ~exact)
    share[nearly] -= ~all_shared(held.gather(nearly), matched[nearly], index) / index.grams.words[matched[nearly]]
    matched = np.where(exact, equal, np.where(short, near, matched))
    share[short] = 1 - 1 / (index.grams.words[matched[short]] + 1)
    parts = np.flatnonzero(~exact & ~short & (matched >= 0))
    shared = some.str.slice(0, HEAD).str.strip_chars()
    found = pl.DataFrame(
        {
            "row": hit,
            "matched": matched,
            "how": np.where(exact, "exact", "n-grams"),
            "overlap": np.where(exact, 1.0, share),
            "shared": shared.scatter(parts, cut_words(some.gather(parts), span[parts], HEAD)),
        },
        schema={"row": pl.Int64, **RESULT},
    ).filter(pl.col("matched") >= 0)
    rows = pl.DataFrame({"row": np.arange(len(text))})
    return rows.join(found, on="row", how="left", maintain_order="left").drop("row")


def look_up_words(text: pl.Series, index: BenchmarkIndex) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return of each text what ``find_overlaps`` finds: ``known``, ``matched``, ``share`` and ``span``."""
    from curate.algorithms.overlap.overlap_loops import find_overlaps

    known, matched, share = np.empty(len(text), bool), np.empty(len(text), np.int64), np.empty(len(text))
    span = np.zeros((len(text), 4), np.int64)
    spare: list[tuple[np.ndarray, int]] = []  # the marks of threads that are done, for the next block

    def find_in_block(low: int, high: int) -> None:
        data, ends = word_bytes(text[low:high])
        marks, stamp = spare.pop() if spare else (np.zeros((3, max(len(index.grams.grams), index.rows)), np.int64), 0)
        out = known[low:high], matched[low:high], share[low:high], span[low:high]
        stamp = find_overlaps(data, ends, index.grams, marks, stamp, *out)
        spare.append((marks, stamp))

    in_blocks(len(text), BLOCK, find_in_block)
    return known, matched, share, span


def _row_of(text: pl.Series, first: pl.DataFrame) -> np.ndarray:
    """Return the number of the row that ``first_rows`` has for each text; -1 where there is none."""
    rows = pl.DataFrame({"text": text}).join(first, on="text", how="left", maintain_order="left")
    return rows["row"].fill_null(-1).to_numpy()


def all_shared(text: pl.Series, matched: np.ndarray, index: BenchmarkIndex) -> np.ndarray:
    """Return for each levelled text whether all words that it shares with a row are equal in signs and capitals too.

    N-grams are of bare words, so that a question is found however it is written; a text with another letter of code
    (x for X) or another operator does not share all of it.
    """
    of_row, of_benchmark = index.grams.of_row, index.grams.of_benchmark
    pairs = zip(text, index.texts.gather(matched), strict=True)
    return np.array(
        [
            (of_benchmark and _covers(one, other, index.n)) or (of_row and _covers(other, one, index.n))
            for one, other in pairs
        ],
        bool,
    )


def _covers(one: str, other: str, n: int) -> bool:
    """Whether every unit of the levelled text ``other`` is in an n-gram of units that ``one`` has too, or all of it."""
    if f" {other} " in f" {one} ":
        return True
    have, units = one.split(" "), other.split(" ")
    grams = {tuple(have[at : at + n]) for at in range(len(have) - n + 1)}
    until = 0
    for at in range(len(units) - n + 1):
        if at <= until and tuple(units[at : at + n]) in grams:
            until = at + n
    return until == len(units)
