"""Near-duplicates: every dropped row names a kept row that really is as near as said, and nothing else is dropped."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup.minhash import band_keys, bands, dedup, keep_first
from curate.ngrams import ngram_sets, normalise
from schemas.errors import UserError


def grams(text, n):
    words = text.split()
    return {tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))}


def jaccard(one, two, n):
    return len(grams(one, n) & grams(two, n)) / len(grams(one, n) | grams(two, n))


def text_of(*words):
    return " ".join(f"w{word}" for word in words)


def check_laws(texts, threshold, ngram):
    result = dedup(pl.Series("text", texts, dtype=pl.String), threshold=threshold, ngram=ngram)
    kept = []
    for row, (other, similarity) in enumerate(result.iter_rows()):
        if other is None:
            assert similarity is None
            kept.append(row)
        else:
            assert other in kept
            assert similarity == pytest.approx(jaccard(texts[row], texts[other], ngram))
            assert similarity >= threshold
    again = dedup(pl.Series("text", [texts[row] for row in kept], dtype=pl.String), threshold=threshold, ngram=ngram)
    assert again["duplicate_of"].null_count() == len(kept)
    return kept


texts = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=8).map(" ".join), max_size=25
)


@settings(deadline=None, max_examples=60)
@given(texts, st.sampled_from([0.3, 0.5, 0.8, 1.0]), st.sampled_from([1, 2, 3]))
def test_laws(some, threshold, ngram):
    check_laws(some, threshold, ngram)


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
    all_texts = [text_of(*words) for words in originals] + near + far
    result = dedup(pl.Series(all_texts))["duplicate_of"].to_list()
    assert result[:400] == [None] * 400
    assert result[400:800] == list(range(400))
    assert result[800:] == [None] * 400


def test_a_row_near_only_to_a_dropped_row_stays():
    chain = [text_of(*range(start, start + 40)) for start in range(0, 12, 4)]
    assert jaccard(chain[0], chain[1], 3) >= 0.8 > jaccard(chain[0], chain[2], 3)
    assert dedup(pl.Series(chain))["duplicate_of"].to_list() == [None, 0, None]


def test_copies_of_a_dropped_row_name_the_kept_one():
    base, near = text_of(*range(40)), text_of(*range(39), 99)
    result = dedup(pl.Series([base, near, near.upper() + "!"]))
    assert result["duplicate_of"].to_list() == [None, 0, 0]
    assert result["similarity"][2] == result["similarity"][1] == pytest.approx(jaccard(base, near, 3))


def test_chinese_is_compared_by_characters():
    one = "请写一首关于春天的短诗并且在结尾处说明你为什么喜欢这个季节以及它给你带来的感受"
    result = dedup(pl.Series([one, one.replace("春天", "春日"), "请把下面的句子翻译成英文"]), threshold=0.7)
    assert result["duplicate_of"].to_list() == [None, 0, None]


def test_blank_and_wordless_texts_are_kept_and_short_ones_match_only_when_equal():
    result = dedup(pl.Series([None, "", "  ", "!!!", "!!!", "hi", "hi you", "Hi", None]))
    assert result["duplicate_of"].to_list() == [None] * 7 + [5, None]


def test_a_great_many_copies_cost_no_more_than_reading_them():
    result = dedup(pl.Series(["the same row over and over"]).new_from_index(0, 200_000))
    assert result["duplicate_of"].null_count() == 1 and result["similarity"].drop_nulls().unique().to_list() == [1.0]


@pytest.mark.parametrize(("crowded", "pairs"), [(4, 8_000_000), (10_000, 10), (4, 10)])
def test_crowded_buckets_and_big_clusters_give_what_the_plain_way_gives(crowded, pairs):
    rng = np.random.default_rng(5)
    boilerplate = text_of(*range(60))
    some = [f"{boilerplate} {text_of(*rng.integers(100, 400, rng.integers(2, 20)))}" for _ in range(300)]
    kept = check_laws(some, 0.8, 3)
    assert 20 < len(kept) < 280
    grams, ends, _ = ngram_sets(normalise(pl.Series(some)), 3)
    keys = band_keys(grams, ends, 21, 6, seed=0)
    kept_for, similarity = keep_first(grams, ends, keys, 0.8, crowded=crowded, pairs=pairs)
    assert np.flatnonzero(kept_for < 0).tolist() == kept
    assert (similarity[kept_for >= 0] >= 0.8).all()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_reach_the_recall_asked_for(threshold):
    count, size = bands(threshold, 128, 0.99)
    assert count * size <= 128
    assert 1 - (1 - threshold**size) ** count >= 0.99


@pytest.mark.parametrize("setting", [{"threshold": 0.0}, {"threshold": 1.5}, {"ngram": 0}, {"permutations": 0}])
def test_settings_out_of_range_are_refused_by_name(setting):
    with pytest.raises(UserError, match=next(iter(setting))):
        dedup(pl.Series(["a"]), **setting)
