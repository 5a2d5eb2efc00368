"""Which texts contain a benchmark's: equal after normalising, or by shared word n-grams, with the row that matched.

How words are cut is said in ``curate.algorithms.text.ngrams``. Two rules of the field are settings:

Tulu 3 (open-instruct, ``decontamination/search.py``): a text is out if more than half of the *benchmark row's* words
are in 8-grams that stand in that one text too. That is the default (``ngram=8, match=0.5, share_of="benchmark"``; at
half itself we drop, Tulu 3 does not): a question is found in however long a text it is quoted. ``share_of="row"`` asks
for the share of the text's own words, which a question in a long text never reaches but a text that is a piece of one
does; ``either`` takes the larger share.

GPT-3 (Brown et al. 2020, appendix C): any one shared 13-gram (``ngram=13, match="any"``). Where GPT-3 let 13-grams pass
that more than ten documents have, nothing passes here: what becomes of a text hangs on no other text. And where it took
shorter n-grams for benchmarks of short rows (down to 8), ``ngram`` is to be set.

A benchmark row of fewer words than ``ngram`` has no n-grams: only a text that equals it matches. (Its words may well
stand in any text: "What is the answer?".) ``Index.short`` says how many there are.
"""

from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.level import level
from curate.algorithms.text.ngrams import normalise
from curate.algorithms.text.word_bytes import LEVEL
from schemas.errors import UserError, unknown

BLOCK = 4096  # texts a thread works on at a time
HEAD = 300  # characters of a matching text that are shown
SHARES = ("benchmark", "row", "either")
NGRAMS = (2, 100)
RESULT = {"matched": pl.Int64, "how": pl.String, "overlap": pl.Float64, "shared": pl.String}


class Index(NamedTuple):
    """A benchmark as the compiled loops look it up.

    Every distinct n-gram has a number: its place among their sorted hashes ``grams``. ``number`` and ``ends`` are the
    rows' n-grams in their order, ``words`` their numbers of words, ``holder`` the rows that have an n-gram. Of these,
    ``reach`` are those to be looked at for the sake of the benchmark row's share, of which ``needed`` words are needed.
    """

    n: int
    match: float
    of_row: bool
    of_benchmark: bool
    rows: int
    short: int
    grams: np.ndarray
    gram_starts: np.ndarray
    gram_shift: np.uint64
    seen: np.ndarray
    mask: np.uint64
    wholes: np.ndarray
    whole_starts: np.ndarray
    whole_shift: np.uint64
    whole_row: np.ndarray
    number: np.ndarray
    ends: np.ndarray
    words: np.ndarray
    needed: np.ndarray
    holder: np.ndarray
    holder_ends: np.ndarray
    reach: np.ndarray
    reach_ends: np.ndarray


def decontaminate(text: pl.Series, index: Index) -> pl.DataFrame:
    """Return, a row per text: ``matched``, ``how``, ``overlap``, ``shared``; all null for a clean text.

    ``matched`` is the number of a benchmark row, ``how`` is ``exact`` (all words are equal) or ``n-grams``. ``overlap``
    is the share of words, in (0, 1]; the match is the row with the largest, of equals the first (but where over 2,048
    rows have to be looked at: then one that no other exceeds). ``shared`` is the longest run of the text's words all
    of whose n-grams stand in the matched row, as written in the text, cut to 300 characters; of an equal text, its
    head. Null and wordless texts are clean. What is found of a text does not depend on the other texts.
    """
    if not len(text) or not index.rows:
        return pl.DataFrame({name: pl.Series([None] * len(text), dtype=kind) for name, kind in RESULT.items()})
    from curate.algorithms.overlap.overlap_loops import find_overlaps

    text = text.cast(pl.String)
    table = np.frombuffer(LEVEL, np.uint8)
    matched, share = np.empty(len(text), np.int64), np.empty(len(text))
    span = np.zeros((len(text), 4), np.int64)
    spare: list[tuple[np.ndarray, int]] = []  # a thread's marks, for the next block

    def work(low: int, high: int) -> None:
        data, ends = level(text[low:high])
        marks, stamp = spare.pop() if spare else (np.zeros((3, max(len(index.grams), index.rows)), np.int64), 0)
        stamp = find_overlaps(
            data, ends, table, index, marks, stamp, matched[low:high], share[low:high], span[low:high]
        )
        spare.append((marks, stamp))

    in_blocks(len(text), BLOCK, work)
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


def make_index(
    against: pl.Series, *, ngram: int = 8, match: float | Literal["any"] = 0.5, share_of: str = "benchmark"
) -> Index:
    """Take in a benchmark's texts.

    ``ngram`` is in words, 2 to 100 (the field takes 8 to 13), ``match`` a share in (0, 1] or ``any`` for one n-gram,
    ``share_of`` is ``benchmark``, ``row`` or ``either``. Raises ``UserError`` for a setting out of its range.
    """
    check(ngram, match, share_of)
    gram, words, wholes = _hashes(against.cast(pl.String), ngram)
    counts = np.maximum(words - ngram + 1, 0)
    row = np.repeat(np.arange(len(against)), counts)
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    order = np.argsort(gram, kind="stable")
    gram, row = gram[order], row[order]
    new = np.append(True, gram[1:] != gram[:-1])[: len(gram)]
    grams, place = gram[new], np.cumsum(new) - 1
    number = np.empty(len(gram), np.int64)
    number[order] = place
    distinct = new | np.append(True, row[1:] != row[:-1])[: len(gram)]
    holder, held = row[distinct], place[distinct]
    holder_ends = _ends(held, len(grams))
    share = 0.0 if match == "any" else match
    needed = np.maximum(np.ceil(share * words - 1e-9), 1).astype(np.int64)
    if share_of == "row":
        reach, reach_ends = np.zeros(0, np.int64), np.zeros(len(grams) + 1, np.int64)
    else:
        spread = np.diff(holder_ends)
        kept = spread[held] <= _rarer(spread[number], starts, needed, ngram)[holder]
        reach, reach_ends = holder[kept], _ends(held[kept], len(grams))
    some = np.flatnonzero(words > 0)
    texts, first = np.unique(wholes[some], return_index=True)
    seen = np.zeros(1 << max(10, int(16 * len(grams)).bit_length()), bool)
    seen[grams & np.uint64(len(seen) - 1)] = True
    return Index(
        ngram,
        float(share),
        share_of != "benchmark",
        share_of != "row",
        len(against),
        int((counts == 0).sum()),
        grams,
        *_by_first_bits(grams),
        np.packbits(seen, bitorder="little"),
        np.uint64(len(seen) - 1),
        texts,
        *_by_first_bits(texts),
        some[first],
        number,
        starts,
        words,
        needed,
        holder,
        holder_ends,
        reach,
        reach_ends,
    )


def _hashes(text: pl.Series, ngram: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The n-grams of all texts, one after another; of each text its number of words, and what all of them hash to."""
    words, wholes = np.zeros(len(text), np.int64), np.zeros(len(text), np.uint64)
    if not len(text):  # as in a plan: nothing is compiled
        return np.zeros(0, np.uint64), words, wholes
    from curate.algorithms.overlap.overlap_loops import hash_texts

    data, ends = level(text)
    gram = np.empty(len(data) // 2 + len(text) + 1, np.uint64)
    return gram[: hash_texts(data, ends, np.frombuffer(LEVEL, np.uint8), ngram, gram, words, wholes)], words, wholes


def check(ngram: int, match: float | str, share_of: str) -> None:
    """Raise ``UserError`` for a setting out of its range."""
    for name, value, kinds in (("ngram", ngram, int), ("match", match, int | float)):
        if match == "any" and name == "match":
            continue
        if isinstance(value, bool) or not isinstance(value, kinds):
            also = ", or 'any'" if name == "match" else ""
            raise UserError(f"decontaminate: {name}: expected a number{also}, found {value!r}")
    if not NGRAMS[0] <= ngram <= NGRAMS[1]:
        raise UserError(
            f"decontaminate: ngram must be {NGRAMS[0]} to {NGRAMS[1]} words (8 to 13 are usual), found {ngram}"
        )
    if match != "any" and not 0 < match <= 1:
        raise UserError(f"decontaminate: match must be above 0 and at most 1, or 'any', found {match}")
    if share_of not in SHARES:
        raise unknown("share_of", share_of, SHARES, "decontaminate")


def _ends(sorted_numbers: np.ndarray, count: int) -> np.ndarray:
    """Where each of the numbers 0 to ``count`` - 1 begins among sorted ones, and the end."""
    return np.searchsorted(sorted_numbers, np.arange(count + 1)).astype(np.int64)


def _by_first_bits(keys: np.ndarray) -> tuple[np.ndarray, np.uint64]:
    """Where sorted hashes with the same first bits begin, as many bits as tell most apart; and 64 less these bits."""
    bits = max(1, len(keys).bit_length())
    shift = np.uint64(64 - bits)
    bounds = np.arange(1 << bits, dtype=np.uint64) << shift
    return np.append(np.searchsorted(keys, bounds), len(keys)).astype(np.int64), shift


def _rarer(spread: np.ndarray, starts: np.ndarray, needed: np.ndarray, n: int) -> np.ndarray:
    """In how many rows an n-gram of each benchmark row may stand to be looked up (see ``overlap_loops.rarer``)."""
    row, limit = np.repeat(np.arange(len(needed)), np.diff(starts)), np.full(len(needed), 64)
    while True:
        enough = _covered(spread > limit[row], starts, n) >= needed
        if not enough.any():
            return limit
        limit[enough] *= 8


def _covered(chosen: np.ndarray, starts: np.ndarray, n: int) -> np.ndarray:
    """How many words of each row are in its ``chosen`` n-grams."""
    at = np.flatnonzero(chosen)
    row = np.searchsorted(starts, at, side="right") - 1
    step = np.minimum(np.append(at[1:] - at[:-1], n)[: len(at)], n)  # its words up to the next one, or all of them
    step[np.append(row[1:] != row[:-1], True)[: len(at)]] = n
    return np.bincount(row, step, minlength=len(starts) - 1).astype(np.int64)


def _as_written(text: pl.Series, span: np.ndarray, exact: np.ndarray) -> pl.Series:
    """Cut the shared runs out of the texts: bytes of ASCII ones, words of others, whose bytes are not these."""
    begin, end = span[:, 2], span[:, 3]
    begin[exact], end[exact] = 0, HEAD
    other = np.flatnonzero((text.str.len_bytes() != text.str.len_chars()).to_numpy() & ~exact)
    if len(other):
        begin[other] = _before(text.gather(other), span[other, 0])
        end[other] = _before(text.gather(other), span[other, 1])
    cut = pl.DataFrame({"text": text, "begin": begin, "length": np.minimum(end - begin, HEAD)})
    return cut.select(pl.col("text").str.slice("begin", "length").str.strip_chars()).to_series()


def _before(text: pl.Series, words: np.ndarray) -> np.ndarray:
    """How many characters there are before the word of this number begins: by halving, for all texts at once."""
    low, high = np.zeros(len(text), np.int64), text.str.len_chars().to_numpy().astype(np.int64)
    while (low < high).any():
        middle = (low + high + 1) // 2
        head = pl.DataFrame({"text": text, "length": middle}).select(pl.col("text").str.slice(0, "length")).to_series()
        cut = normalise(head)
        found = np.where((cut == "").to_numpy(), 0, cut.str.count_matches(" ", literal=True).to_numpy() + 1)
        low, high = np.where(found <= words, middle, low), np.where(found <= words, high, middle - 1)
    return low
