"""Find the texts that contain a benchmark row: equal after normalising, or sharing enough word n-grams.

``curate.algorithms.text.ngrams`` defines words. Two rules of the literature are settings of ``make_index``:

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
from curate.algorithms.text.ngrams import normalise
from curate.algorithms.text.normalised_bytes import normalised_bytes
from curate.algorithms.text.word_bytes import BYTE_FORMS

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
    forms = np.frombuffer(BYTE_FORMS, np.uint8)
    matched, share = np.empty(len(text), np.int64), np.empty(len(text))
    span = np.zeros((len(text), 4), np.int64)
    spare: list[tuple[np.ndarray, int]] = []  # the marks of threads that are done, for the next block

    def find_in_block(low: int, high: int) -> None:
        data, ends = normalised_bytes(text[low:high])
        marks, stamp = spare.pop() if spare else (np.zeros((3, max(len(index.grams), index.rows)), np.int64), 0)
        out = matched[low:high], share[low:high], span[low:high]
        stamp = find_overlaps(data, ends, forms, index, marks, stamp, *out)
        spare.append((marks, stamp))

    in_blocks(len(text), BLOCK, find_in_block)
    hit = np.flatnonzero(matched >= 0)
    exact = share[hit] > 1
    found = pl.DataFrame(
        {
            "row": hit,
            "matched": matched[hit],
            "how": np.where(exact, "exact", "n-grams"),
            "overlap": np.minimum(share[hit], 1.0),
            "shared": _as_written(text.gather(hit), span[hit], exact),
        },
        schema={"row": pl.Int64, **RESULT},
    )
    rows = pl.DataFrame({"row": np.arange(len(text))})
    return rows.join(found, on="row", how="left", maintain_order="left").drop("row")


def _as_written(text: pl.Series, span: np.ndarray, exact: np.ndarray) -> pl.Series:
    """Cut the shared runs out of the texts: by bytes in ASCII, else by words, as normalising changes the bytes."""
    begin, end = span[:, 2], span[:, 3]
    begin[exact], end[exact] = 0, HEAD
    other = np.flatnonzero((text.str.len_bytes() != text.str.len_chars()).to_numpy() & ~exact)
    if len(other):
        begin[other] = _characters_before(text.gather(other), span[other, 0])
        end[other] = _characters_before(text.gather(other), span[other, 1])
    cut = pl.DataFrame({"text": text, "begin": begin, "length": np.minimum(end - begin, HEAD)})
    return cut.select(pl.col("text").str.slice("begin", "length").str.strip_chars()).to_series()


def _characters_before(text: pl.Series, words: np.ndarray) -> np.ndarray:
    """Return how many characters come before the word of this number, by bisection of all texts at once."""
    low, high = np.zeros(len(text), np.int64), text.str.len_chars().to_numpy().astype(np.int64)
    while (low < high).any():
        middle = (low + high + 1) // 2
        head = pl.DataFrame({"text": text, "length": middle}).select(pl.col("text").str.slice(0, "length")).to_series()
        head = normalise(head)
        count = np.where((head == "").to_numpy(), 0, head.str.count_matches(" ", literal=True).to_numpy() + 1)
        low, high = np.where(count <= words, middle, low), np.where(count <= words, high, middle - 1)
    return low
