"""Which benchmark row a text matches, by which rule, how much of which is shared, and where it stands in the text."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.algorithms.overlap.benchmark_index import make_index
from curate.algorithms.overlap.benchmark_overlap import find_benchmark_overlaps
from schemas.errors import UserError

pytestmark = pytest.mark.slow  # seconds for the file

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join), max_size=8)
MATCHES = st.sampled_from([0.1, 0.34, 0.5, 1.0, "any"])
SHARES = st.sampled_from(["benchmark", "row", "either"])
CLEAN = (None, None, None, None)
EGGS = "How many eggs does Janet sell every day at the farmers' market near her home?"  # 15 words


def strings(texts):
    return pl.Series(texts, dtype=pl.String)


def overlaps_of(texts, against, **setting):
    return find_benchmark_overlaps(strings(texts), make_index(strings(against), **setting)).rows()


def test_a_question_is_found_in_however_long_a_text_it_is_quoted():
    long = "Here is one of the tasks I was set today. " + EGGS.upper() + " Think about it and then explain each step."
    assert overlaps_of([long], ["unrelated", EGGS, None]) == [(1, "n-grams", 1.0, EGGS.upper()[:-1])]
    assert overlaps_of([long], ["unrelated", EGGS, None], share_of="row") == [CLEAN]


def test_another_letter_of_code_is_not_wholly_shared():
    code = "Please say what the statement print(X) writes to the screen if X is three."
    ((_, how, overlap, _),) = overlaps_of([code.replace("(X)", "(x)")], [code])
    assert how == "n-grams" and overlap < 1.0
    assert overlaps_of([code.replace("Please", "please")], [code])[0][1:3] == ("exact", 1.0)
    ((_, how, overlap, _),) = overlaps_of(["So: " + code], [code])
    assert (how, overlap) == ("n-grams", 1.0)
    long = "What is the value of 12 - 7 in the decimal system of numbers that people use today?"
    assert overlaps_of([long.replace("-", "*")], [long])[0][2] < 1.0
    assert overlaps_of(["12 * 7", "C#", "x2"], ["12 - 7", "C", "x²"]) == [CLEAN] * 3


def test_a_piece_of_a_question_is_found_by_the_share_of_the_text():
    piece, long = "eggs does Janet sell every day at the farmers market", EGGS + " She has " + "many more " * 30
    assert overlaps_of([piece], [long]) == [CLEAN]
    assert overlaps_of([piece], [long], share_of="row") == [(0, "n-grams", 1.0, piece)]
    assert overlaps_of([piece], [long], share_of="either") == [(0, "n-grams", 1.0, piece)]


def test_the_share_of_words_in_shared_ngrams_must_reach_match():
    text, other = "a b c d e f g h i j", "a b c x e f g h i j"  # all of the other's words but x
    for share_of in ("benchmark", "row", "either"):
        setting = {"ngram": 3, "share_of": share_of}
        assert overlaps_of([text], [other], match=0.9, **setting) == [(0, "n-grams", 0.9, "e f g h i j")]
        assert overlaps_of([text], [other], match=0.91, **setting) == [CLEAN]


def test_any_one_shared_ngram_is_enough_for_the_rule_of_gpt_3():
    run = "one two three four five six seven eight nine ten eleven twelve thirteen"
    rest = " and so on" * 40
    assert overlaps_of([run + rest], ["x " * 90 + run], ngram=13, match="any") == [
        (0, "n-grams", pytest.approx(13 / 103), run)
    ]
    assert overlaps_of([run[:-9] + rest], ["x " * 90 + run], ngram=13, match="any") == [CLEAN]


def test_texts_shorter_than_an_ngram_match_only_equal_ones():
    index = make_index(strings(["Tell me now: who are you, and where do you come from?", "who are you", None, "?"]))
    assert index.short == 3
    texts = strings(["Who, ARE you?", "who are", "I ask you: who are you? Please do tell me that."])
    assert find_benchmark_overlaps(texts, index).rows() == [(1, "exact", 1.0, "Who, ARE you?"), CLEAN, CLEAN]


def test_equal_texts_match_the_first_of_equal_questions_as_exact():
    assert overlaps_of([EGGS.lower() + "..."], [EGGS + " Or?", EGGS, EGGS], match=1.0, ngram=13) == [
        (1, "exact", 1.0, EGGS.lower() + "...")
    ]


def test_the_matching_text_is_what_is_written_in_the_row():
    text = "Ｑ： “How many　EGGS does — Janet sell every day, at the farmers’ market?” Café…"
    ((_, how, overlap, shared),) = overlaps_of([text], [EGGS])
    assert (how, overlap) == ("n-grams", 12 / 15) and shared.strip("“”?") in text
    assert shared.startswith("How many　EGGS does — Janet") and shared.endswith("farmers’ market")


def test_chinese_is_compared_by_characters():
    question = "题目：小明有三个苹果，他又买了五个。一共几个？"
    assert overlaps_of(
        ["请问：小明有三个苹果，他又买了五个。然后呢？", "小红有三个梨，他又买了两个。"], [question]
    ) == [
        (0, "n-grams", pytest.approx(13 / 19), "小明有三个苹果，他又买了五个"),
        CLEAN,
    ]


def test_blank_texts_and_an_empty_benchmark_are_clean():
    assert overlaps_of([None, "", "?"], ["", None, "?"]) == [CLEAN] * 3
    assert overlaps_of(["a b c"], []) == [CLEAN]
    assert overlaps_of([], ["a"]) == []
    assert overlaps_of(["a b c"], [None]) == [CLEAN]


def covered(words, other, ngram):
    """The places of the words that are in an n-gram which the other has too."""
    grams = {tuple(other[i : i + ngram]) for i in range(len(other) - ngram + 1)}
    starts = [i for i in range(len(words) - ngram + 1) if tuple(words[i : i + ngram]) in grams]
    return starts, {place for start in starts for place in range(start, start + ngram)}


def one_by_one(text, against, ngram, match, share_of):
    """The expected result for one text: the rows it may match, the rule, the overlap."""
    words = text.split()
    equal = [row for row, other in enumerate(against) if words and other.split() == words]
    if equal:
        return equal[:1], "exact", 1.0
    shares = []
    for other in against:
        other, found = other.split(), []
        for mine, theirs, wanted in ((other, words, "benchmark"), (words, other, "row")):
            if mine and share_of in (wanted, "either"):
                found.append(len(covered(mine, theirs, ngram)[1]) / len(mine))
        top = max(found, default=0.0)
        shares.append(top if top >= (0.0 if match == "any" else match - 1e-9) else 0.0)
    top = max(shares, default=0.0)
    return ([shares.index(top)], "n-grams", top) if top else ([None], None, None)


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(2, 3), MATCHES, SHARES)
def test_agrees_with_counting_one_by_one(texts, against, ngram, match, share_of):
    found = overlaps_of(texts, against, ngram=ngram, match=match, share_of=share_of)
    for text, (matched, how, overlap, shared) in zip(texts, found, strict=True):
        rows, rule, share = one_by_one(text, against, ngram, match, share_of)
        assert (matched, how) == (rows[0], rule) and overlap == (share if share is None else pytest.approx(share))
        if how == "n-grams":
            starts, _ = covered(text.split(), against[matched].split(), ngram)
            runs = np.split(starts, np.flatnonzero(np.diff(starts) != 1) + 1)
            first = next(run for run in runs if len(run) == max(len(r) for r in runs))
            assert shared.split() == text.split()[first[0] : first[-1] + ngram]


@settings(deadline=None, max_examples=40)
@given(TEXTS, TEXTS, TEXTS, MATCHES, SHARES, st.randoms(use_true_random=False))
def test_laws(texts, against, more, match, share_of, chance):
    setting = {"ngram": 2, "match": match, "share_of": share_of}
    found = overlaps_of(texts, against, **setting)
    order = chance.sample(range(len(texts)), len(texts))
    shuffled = overlaps_of([texts[i] for i in order], against, **setting)
    assert shuffled == [found[i] for i in order]  # rows know no others
    cut = len(texts) // 2
    assert overlaps_of(texts[:cut], against, **setting) + overlaps_of(texts[cut:], against, **setting) == found
    turned = overlaps_of(texts, against[::-1], **setting)  # the benchmark's order decides between equals only
    assert [row[1:3] for row in turned] == [row[1:3] for row in found]
    wider = overlaps_of(texts, [*more, *against], **setting)  # a larger benchmark frees nothing
    assert all(new[1] and (new[2] or 0) >= old[2] for old, new in zip(found, wider, strict=True) if old[1])
    assert [row[:3] for row in overlaps_of(against, against, **setting) if row[1] != "exact"] == [
        CLEAN[:3] for text in against if not text
    ]


def template(rng, count, words):
    """Questions with one instruction of 14 words and so many words of their own."""
    orders = "please solve this problem step by step and give the final answer in a box"
    return [f"{' '.join(f'w{n}' for n in rng.integers(0, 5000, words))} {orders}" for _ in range(count)]


@pytest.mark.parametrize("share_of", ["benchmark", "row", "either"])
def test_instructions_in_every_benchmark_row_match_nothing(share_of):
    rng = np.random.default_rng(0)
    questions = template(rng, 3000, 30)
    texts = [*template(rng, 3000, 30), "Task: " + questions[7] + " Thanks."]
    found = overlaps_of(texts, questions, share_of=share_of)
    assert {row[0] for row in found[:-1]} == {None} and found[-1][:2] == (7, "n-grams")


@pytest.mark.parametrize("share_of", ["benchmark", "row", "either"])
def test_rows_of_mostly_instructions_match_and_name_the_nearest(share_of):
    rng = np.random.default_rng(1)
    questions = template(rng, 2600, 6)  # more than are looked at before the first that holds all is taken
    texts = [*template(rng, 100, 4), "So: " + questions[2500] + " Thanks."] * 2
    found = overlaps_of(texts, questions, share_of=share_of)
    assert {row[1] for row in found} == {"n-grams"} and found[100][0] == found[201][0] == 2500
    alone = overlaps_of(texts[:1], questions, share_of=share_of)
    assert alone[0][1:] == found[0][1:]


def test_long_texts_and_many_copies():
    rng = np.random.default_rng(2)
    long = " ".join(f"w{n}" for n in rng.integers(0, 3000, 200_000))  # 1 MB
    texts = [long + " " + EGGS, "a " * 300_000, *[EGGS + " Well?"] * 20_000]
    found = overlaps_of(texts, [EGGS, "a " * 5000, *template(rng, 500, 20)])
    assert found[0][:3] == (0, "n-grams", 1.0) and EGGS.startswith(found[0][3])
    assert found[1][:3] == (1, "n-grams", 1.0) and len(found[1][3]) <= 300
    assert set(found[2:]) == {(0, "n-grams", 1.0, EGGS[:-1])}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"match": 0.0}, "match must be above 0"),
        ({"match": 1.1}, "at most 1"),
        ({"match": "all"}, "or 'any', found 'a"),
        ({"match": True}, "match: expected a number"),
        ({"ngram": 1}, "ngram must be 2 to 100 words .8 to 13 are usual."),
        ({"ngram": 101}, "found 101"),
        ({"ngram": 8.5}, "ngram: expected a number"),
        ({"ngram": "any"}, "found 'any'"),
        ({"share_of": "rwo"}, "no share_of 'rwo'; did you mean 'row'"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(setting, words):
    with pytest.raises(UserError, match=words):
        overlaps_of(["a"], ["a"], **setting)
