"""Find the texts that contain a benchmark row: equal after normalising, or sharing enough word n-grams.

``curate.algorithms.text.levels`` defines words, its units. Two rules of the literature are settings of ``make_index``:

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

from curate.algorithms.overlap.benchmark_index import BenchmarkIndex
from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.levels import cut_units, levelled_bytes

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
        is ``exact`` (all words are equal) or ``n-grams``. ``overlap`` is the share of words, in (0, 1]. ``shared`` is
        the longest run of the text's words whose n-grams are all in the matched row, as written in the text, cut to
        300 characters; for ``exact``, the beginning of the text.
    """
    if not len(text) or not index.rows:
        return pl.DataFrame({name: pl.Series([None] * len(text), dtype=kind) for name, kind in RESULT.items()})
    from curate.algorithms.overlap.overlap_loops import find_overlaps

    text = text.cast(pl.String)
    matched, share = np.empty(len(text), np.int64), np.empty(len(text))
    span = np.zeros((len(text), 2), np.int64)
    spare: list[tuple[np.ndarray, int]] = []  # the marks of threads that are done, for the next block

    def find_in_block(low: int, high: int) -> None:
        data, ends = levelled_bytes(text[low:high], index.level)
        marks, stamp = spare.pop() if spare else (np.zeros((3, max(len(index.grams), index.rows)), np.int64), 0)
        out = matched[low:high], share[low:high], span[low:high]
        stamp = find_overlaps(data, ends, index, marks, stamp, *out)
        spare.append((marks, stamp))

    in_blocks(len(text), BLOCK, find_in_block)
    hit = np.flatnonzero(matched >= 0)
    exact = share[hit] > 1
    nearly = hit[share[hit] == 1.0]
    share[nearly] -= ~all_shared(text.gather(nearly), matched[nearly], index) / index.words[matched[nearly]]
    shared = text.gather(hit).str.slice(0, HEAD).str.strip_chars()
    parts = hit[~exact]
    shared = shared.scatter(np.flatnonzero(~exact), cut_units(text.gather(parts), index.level, span[parts], HEAD))
    found = pl.DataFrame(
        {
            "row": hit,
            "matched": matched[hit],
            "how": np.where(exact, "exact", "n-grams"),
            "overlap": np.minimum(share[hit], 1.0),
            "shared": shared,
        },
        schema={"row": pl.Int64, **RESULT},
    )
    rows = pl.DataFrame({"row": np.arange(len(text))})
    return rows.join(found, on="row", how="left", maintain_order="left").drop("row")


def all_shared(text: pl.Series, matched: np.ndarray, index: BenchmarkIndex) -> np.ndarray:
    """Return for each text whether what it shares with a benchmark row is equal in its capitals too (Boolean).

    N-grams are compared in small letters, so that a question in capitals is found; a text with another letter of code
    (x for X) does not share all of it.
    """
    data, ends = levelled_bytes(text, index.level)
    equal = np.ones(len(text), bool)
    for at, row in enumerate(matched.tolist()):
        one = bytes(data[ends[at] : ends[at + 1]])
        other = bytes(index.texts[index.text_ends[row] : index.text_ends[row + 1]])
        if b" %b " % other in b" %b " % one or b" %b " % one in b" %b " % other:
            continue
        one, other = (_ngrams(held, index.n) for held in (one, other))
        low = {gram.lower() for gram in one} & {gram.lower() for gram in other}
        equal[at] = low == {gram.lower() for gram in one & other}
    return equal


def _ngrams(text: bytes, n: int) -> set[bytes]:
    words = text.split(b" ")
    return {b" ".join(words[at : at + n]) for at in range(len(words) - n + 1)}
