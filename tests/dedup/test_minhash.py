"""Near-duplicates: every dropped row names a kept row that is as near as reported, and no near row is kept."""

import unicodedata
from collections import Counter
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.algorithms.near_duplicates.clusters import find_duplicates
from curate.algorithms.near_duplicates.near_pairs import near_pairs
from curate.algorithms.near_duplicates.pair_comparison import PairSearch, TextColumn
from curate.algorithms.near_duplicates.prefix_filter import prefix_buckets
from curate.algorithms.text.shingles import Grams, bands, jaccard, sketches
from curate.dedup.minhash import dedup, sketch
from schemas.errors import UserError

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

GRAMS = Grams(3, characters=False)


def minhash(texts, scores=None, known=None, sketches=None, **given):
    rows = len(texts)
    return dedup(
        pl.Series("text", texts, dtype=pl.String),
        pl.Series("sketch", [None] * rows) if sketches is None else sketches,
        pl.Series("score", scores or [None] * rows, dtype=pl.Float64),
        pl.Series("known", known or [False] * rows, dtype=pl.Boolean),
        **given,
    )


def copies(texts, *columns, **given):
    return minhash(texts, *columns, **given)["duplicate_of"].to_list()


def words_of(text, characters):
    """The words of a text, one character after another."""
    words, inside = [], False
    for letter in unicodedata.normalize("NFKC", text or "").lower():
        script = unicodedata.name(letter, "").split(" ")[0]
        if letter.isspace() or unicodedata.category(letter)[0] in "PCZ":
            inside = False
        elif characters or script in ("CJK", "HIRAGANA", "KATAKANA", "THAI"):
            words.append(letter)
            inside = False
        else:
            words[len(words) - inside :] = [(words[-1] if inside else "") + letter]
            inside = True
    return words


@cache
def grams(text, n, characters=False):
    """The n-grams of a text, each with how often it came before; of a short text the whole."""
    words, seen = words_of(text, characters), Counter()
    if len(words) < 2 * n:
        return {tuple(words_of(text, False))} if words else set()
    found = set()
    for gram in (tuple(words[i : i + n]) for i in range(len(words) - n + 1)):
        found.add((gram, seen[gram]))
        seen[gram] += 1
    return found


def alike(one, two, n, characters=False):
    other = words_of(one, False) != words_of(two, False)
    one, two = grams(one, n, characters), grams(two, n, characters)
    return len(one & two) / (len(one | two) + (other and one == two)) if one | two else 0.0


def all_alike(texts, n):
    """The result of ``alike`` for each two of the texts."""
    numbers = {gram: number for number, gram in enumerate({gram for text in texts for gram in grams(text, n)})}
    holds = np.zeros((len(texts), len(numbers)))
    for row, text in enumerate(texts):
        holds[row, [numbers[gram] for gram in grams(text, n)]] = 1
    shared, size = holds @ holds.T, holds.sum(axis=1)
    return shared / (size[:, None] + size - shared)


def text_of(*words):
    return " ".join(f"w{word}" for word in words)


def check_laws(texts, scores, known, threshold, ngram, **given):
    """Every law but that all near rows are found; returns the kept rows."""
    result = minhash(texts, scores, known, threshold=threshold, ngram=ngram, **given)
    characters = given.get("unit") == "characters"
    kept = [row for row, other in enumerate(result["duplicate_of"]) if other is None]
    for row, (other, similarity, via) in enumerate(result.iter_rows()):
        if other is None:
            assert similarity is None and via is None
            continue
        assert other in kept and not known[row]
        assert similarity == pytest.approx(alike(texts[row], texts[other], ngram, characters))
        assert alike(texts[row], texts[via], ngram, characters) >= threshold
        if given.get("cluster") == "connected":
            seen = [row]
            while seen[-1] != other:
                seen.append(result["via"][seen[-1]])
                assert len(seen) <= len(texts)
        else:
            assert similarity >= threshold and via == other
    columns = [[column[row] for row in kept] for column in (texts, scores, known)]
    assert copies(*columns, threshold=threshold, ngram=ngram, **given) == [None] * len(kept)
    return kept


word = st.sampled_from(["a", "b", "c", "D", "été.", "春", "天", "ไ"])
row = st.tuples(
    st.one_of(st.none(), st.lists(word, max_size=8).map(" ".join)),
    st.sampled_from([None, 0.0, 1.0]),
    st.sampled_from([False, False, False, True]),
)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(row, max_size=20),
    st.sampled_from([0.3, 0.5, 0.8, 1.0]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["first", "longest", "best"]),
    st.sampled_from(["keep_first", "connected"]),
    st.sampled_from(["auto", "characters"]),
    st.randoms(),
)
def test_laws(rows, threshold, ngram, keep, cluster, unit, random):
    texts, scores, known = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    given = dict(threshold=threshold, ngram=ngram, keep=keep, cluster=cluster, unit=unit, recall=1.0)
    kept = check_laws(texts, scores, known, **given)
    for one in kept:  # a recall of 1.0 is one permutation a band: at these sizes nothing near is missed
        for two in kept:
            assert (
                one == two
                or (known[one] and known[two])
                or (alike(texts[one], texts[two], ngram, unit == "characters") < threshold)
            )
    if keep != "first":
        mixed = random.sample(range(len(rows)), len(rows))
        other = copies(*([column[row] for row in mixed] for column in (texts, scores, known)), **given)
        stay = [texts[mixed[place]] for place, of in enumerate(other) if of is None]
        assert sorted(map(repr, stay)) == sorted(repr(texts[row]) for row in kept)


def test_planted_near_duplicates_are_found_and_no_others():
    rng = np.random.default_rng(3)
    originals = [rng.integers(0, 100_000, 60) for _ in range(400)]
    near, far = [], []
    for words in originals:
        one, many = words.copy(), words.copy()
        one[30] = 100_001  # 55 of 61 n-grams: 0.90
        many[::8] = 100_002  # nearly all of them broken
        near.append(text_of(*one))
        far.append(text_of(*many))
    result = copies([text_of(*words) for words in originals] + near + far)
    assert result == [None] * 400 + list(range(400)) + [None] * 400


def test_pairs_at_the_threshold_are_found_at_the_asked_recall():
    rng = np.random.default_rng(4)
    ones = rng.integers(0, 1 << 40, (3000, 92))
    twos = ones.copy()
    twos[:, 82:] = rng.integers(1 << 40, 1 << 41, (3000, 10))  # 80 of 100 three-word n-grams are in both
    texts = [text_of(*words) for words in np.concatenate((ones, twos))]
    assert alike(texts[0], texts[3000], 3) == 0.8
    for recall in (0.9, 0.99):
        found = 6000 - minhash(texts, recall=recall)["duplicate_of"].null_count()
        assert recall - 0.02 < found / 3000 < recall + 0.07


def test_a_row_near_only_to_a_dropped_one_stays_unless_connected():
    chain = [text_of(*range(start, start + 40)) for start in range(0, 12, 4)]
    assert alike(chain[0], chain[1], 3) >= 0.8 > alike(chain[0], chain[2], 3)
    assert copies(chain) == [None, 0, None]
    result = minhash(chain, cluster="connected")
    assert result["duplicate_of"].to_list() == [None, 0, 0] and result["via"].to_list() == [None, 0, 1]
    assert result["similarity"][2] == pytest.approx(alike(chain[0], chain[2], 3))


def test_copies_of_a_dropped_row_name_the_kept_one():
    base, near = text_of(*range(40)), text_of(*range(39), 99)
    result = minhash([base, near, f" {near}."])
    assert result["duplicate_of"].to_list() == [None, 0, 0]
    assert result["similarity"][2] == result["similarity"][1] == pytest.approx(alike(base, near, 3))


def test_known_rows_stay_and_what_is_near_to_one_goes():
    base, near = text_of(*range(40)), text_of(*range(39), 99)
    assert copies([near, base, base, near], known=[False, True, True, True]) == [3, None, None, None]
    assert copies([near, base], known=[False, True], scores=[1.0, 0.0], keep="best") == [1, None]


@pytest.mark.parametrize(
    ("one", "two", "far"),
    [
        (
            "请写一首关于春天的短诗并且在结尾处说明你为什么喜欢这个季节以及它给你带来的感受",
            "请写一首关于春日的短诗并且在结尾处说明你为什么喜欢这个季节以及它给你带来的感受",
            "请把下面的句子翻译成英文",
        ),
        (
            "春について短い詩を書いてください。最後にその季節が好きな理由も説明してください。",
            "秋について短い詩を書いてください。最後にその季節が好きな理由も説明してください。",
            "英語に訳してください",
        ),
        (
            "ช่วยเขียนกลอนสั้นๆเกี่ยวกับฤดูใบไม้ผลิและบอกเหตุผลที่คุณชอบฤดูกาลนี้",
            "ช่วยเขียนกลอนสั้นๆเกี่ยวกับฤดูใบไม้ผลิและบอกเหตุผลที่คุณชอบฤดูกาลนั้น",
            "แปลประโยคนี้เป็นภาษาอังกฤษ",
        ),
    ],
)
def test_scripts_without_spaces_are_compared_by_characters(one, two, far):
    result = minhash([one, two, far], threshold=0.7)
    assert result["duplicate_of"].to_list() == [None, 0, None]
    assert result["similarity"][1] == pytest.approx(alike(one, two, 3))


def test_characters_find_what_words_do_not():
    texts = [
        "unbelievably straightforward extraordinary counterexamples",
        "unbelievable straightforward extraordinary counterexample",
    ]
    assert copies(texts, threshold=0.7) == [None, None]
    assert copies(texts, threshold=0.7, unit="characters", ngram=4) == [None, 0]


def test_blank_texts_are_kept_and_short_ones_match_only_equals():
    assert copies([None, "", "  ", "!!!", "!!!", "hi", "hi you", "Hi", None]) == [None] * 7 + [5, None]
    assert copies([]) == [] and copies(["one row"]) == [None] and copies([None]) == [None]


def test_a_great_many_copies_cost_no_more_than_reading_them():
    result = minhash(pl.Series(["the same row over and over"]).new_from_index(0, 200_000).to_list())
    assert result["duplicate_of"].null_count() == 1 and result["similarity"].drop_nulls().unique().to_list() == [1.0]


def test_texts_of_a_megabyte():
    words = np.random.default_rng(0).integers(0, 1000, 200_000)
    texts = [text_of(*words), text_of(*words, 1), "x" * 1_000_000, "x" * 999_999, "春" * 300_000]
    result = minhash(texts)
    assert result["duplicate_of"].to_list() == [None, 0, None, None, None]
    assert minhash(texts, unit="characters")["duplicate_of"].to_list() == [None, 0, None, 2, None]


def crowds():
    """Rows with a long beginning in common: some near to one another, some not."""
    rng = np.random.default_rng(5)
    tails = [text_of(*rng.integers(100, 400, rng.integers(2, 20))) for _ in range(300)]
    return [f"{text_of(*range(60))} {tail}" for tail in tails]


@pytest.mark.parametrize("cluster", ["keep_first", "connected"])
@pytest.mark.parametrize("known", [0, 40])
def test_crowded_buckets_give_what_comparing_all_gives(cluster, known):
    texts, held = crowds(), [row < known for row in range(300)]
    kept = check_laws(texts, [None] * 300, held, 0.8, 3, cluster=cluster)
    assert 20 < len(kept) < 280
    line = np.arange(300)
    search = PairSearch(TextColumn(pl.Series(texts)), line, known, GRAMS, 0.8, cluster == "connected")
    keys = sketches(pl.Series(texts), search.grams, bands(0.8, 128, 0.995), 0)
    for crowded, most in ((4, 1 << 30), (4, 100), (1000, 1), (1, 3000)):
        left, right, value = near_pairs(search, keys, crowded, most)
        assert value == pytest.approx(
            search.text.jaccard(*sorted_by_first(left, right), search.grams)[undo(left, right)]
        )
        stays, _, _ = find_duplicates(left, right, value, 300, known, cluster)
        assert np.flatnonzero(stays < 0).tolist() == kept


def sorted_by_first(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    by = np.lexsort((right, left))
    return left[by], right[by]


def undo(left, right):
    return np.argsort(np.lexsort((right, left)))


def test_the_prefix_filter_loses_no_near_pair():
    texts = crowds()
    search = PairSearch(TextColumn(pl.Series(texts)), np.arange(300), 0, GRAMS, 0.8, False)
    buckets = prefix_buckets(search, np.arange(300))
    together = {
        (one, two)
        for bucket in np.unique(buckets.bucket)
        for one in buckets.row[buckets.bucket == bucket].tolist()
        for two in buckets.row[buckets.bucket == bucket].tolist()
    }
    near = set(zip(*(rows.tolist() for rows in np.nonzero(np.tril(all_alike(texts, 3), -1) >= 0.8)), strict=True))
    assert len(near) > 3000 and near <= together


def test_blocks_make_no_difference():
    text = pl.Series(crowds() + ["春天" * 20, None, "!"])
    how, left, right = bands(0.8, 128, 0.995), np.repeat(np.arange(100), 3), np.tile([300, 150, 299], 100)
    for size in (1, 2000, 10_000):
        assert (sketches(text, GRAMS, how, 0, size) == sketches(text, GRAMS, how, 0)).all()
        assert (jaccard(text, left, right, GRAMS, 0.2, size) == jaccard(text, left, right, GRAMS, 0.2)).all()


def test_sketches_made_before_give_the_same():
    texts = crowds()[:50] + [None, "", "春天来了"]
    series = pl.Series("text", texts, dtype=pl.String)
    made = sketch(series, threshold=0.7)
    assert isinstance(made.dtype, pl.Array) and made.dtype.inner == pl.UInt32
    assert made.is_null().to_list() == series.is_null().to_list()
    parts = pl.concat([sketch(series[:10], threshold=0.7), sketch(series[10:], threshold=0.7)])
    assert parts.equals(made, null_equal=True)
    for given_ in (made, parts):
        assert minhash(texts, sketches=given_, threshold=0.7).equals(minhash(texts, threshold=0.7), null_equal=True)
    with pytest.raises(UserError, match="sketches"):
        minhash(texts, sketches=made, threshold=0.3)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_reach_the_recall_asked_for(threshold):
    count, size = bands(threshold, 128, 0.99)
    assert count * size <= 128
    assert 1 - (1 - threshold**size) ** count >= 0.99


@pytest.mark.parametrize("setting", [{"threshold": 0.0}, {"threshold": 1.5}, {"ngram": 0}, {"permutations": 0}])
def test_settings_out_of_range_are_refused_by_name(setting):
    with pytest.raises(UserError, match=next(iter(setting))):
        minhash(["a"], **setting)
