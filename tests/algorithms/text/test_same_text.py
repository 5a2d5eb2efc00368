"""Texts are the same apart from white space; random draws depend on the id, the seed and the purpose alone."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.algorithms.random_order import id_draws, uniform
from curate.algorithms.text import same_text
from curate.datasets.trl_rows import row_ids
from schemas.ids import content_id


def alike(left, right):
    one, other = pl.Series([left], dtype=pl.String), pl.Series([right], dtype=pl.String)
    return bool(same_text.text_hashes(one)[0] == same_text.text_hashes(other)[0])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Paris.", "  Paris. \n"),
        ("a  b\n\nc", "a b c"),
        (None, ""),
        ("\t", ""),
    ],
)
def test_white_space_makes_no_other_text(left, right):
    assert alike(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("-5", "5"),
        ("1.5", "15"),
        ("f(x)", "f[x]"),
        ("I am Qwen", "I am Deep Qwen"),
        ("together", "to gether"),
        ("yes", "yes no"),
        ("Paris", "paris"),
        ("Yes, it is.", "Yes it is."),
    ],
)
def test_case_and_punctuation_do(left, right):
    assert not alike(left, right)


TEXT = st.text(alphabet="aB5 .-*,\nÄ…", max_size=8).flatmap(lambda t: st.integers(1, 40).map(lambda n: t * n))


@settings(deadline=None, max_examples=200)
@given(st.lists(TEXT, min_size=2, max_size=6), st.sampled_from(["", " ", "\t", "\n" * 150]))
def test_texts_that_say_the_same_end_the_same(texts, more):
    pairs = pl.Series([*texts, *(t.replace(" ", "  ") + more for t in texts)], dtype=pl.String)
    ends, wholes = same_text.end_hashes(pairs), same_text.text_hashes(pairs)
    assert all(ends[a] == ends[b] for a in range(len(pairs)) for b in range(a) if wholes[a] == wholes[b])


def test_similarity_is_that_of_word_pairs():
    left = pl.Series(["a b c d", "one two", "Same text!", "", None])
    right = pl.Series(["a b c x", "three four", "same text", "", "x"])
    assert same_text.similarity(left, right).tolist() == [pytest.approx(2 / 4), 0.0, 1.0, 0.0, 0.0]


def test_random_draws_depend_on_the_id_the_seed_and_the_purpose():
    ours = pl.Series([f"c_{n:020x}" for n in range(0, 10**19, 10**16)])
    mixed = pl.concat([pl.Series(["foreign", None]), ours])
    assert id_draws(mixed, 3)[2:].equals(id_draws(ours, 3)) and id_draws(ours.reverse(), 3).equals(
        id_draws(ours, 3).reverse()
    )
    assert id_draws(ours, 3).n_unique() == len(ours)
    others = [id_draws(ours, 4), id_draws(ours, 3, "control"), id_draws(ours, -3)]
    assert all((other == id_draws(ours, 3)).sum() == 0 for other in others)
    assert id_draws(ours[:1], 7).item() == 11720006112960835960, "a draw must not change with versions"
    drawn = uniform(id_draws(ours, 0))
    assert 0 < drawn.min() < 0.01 < 0.45 < drawn.mean() < 0.55 < 0.99 < drawn.max() < 1


def test_ids_of_rows_are_those_of_content_id():
    ours, foreign = pl.Series(["c_" + "0a" * 10, "c_" + "1b" * 10]), pl.Series(['a"b', "é"])
    for left, right in ((ours, ours.reverse()), (foreign, ours)):
        expected = [content_id("r", "preference", a, b) for a, b in zip(left, right, strict=True)]
        assert row_ids("preference", left, right).to_list() == expected


def test_turns_as_text_are_prose_and_lose_nothing():
    turns = [
        '[{"role": "user", "content": "Hi, \\"Bo\\"\\n"}, {"role": "assistant", "content": "Yes."}]',
        None,
        '[{"role": "assistant", "content": null, "tool_calls": [{"id": "c1"}]}, {"role": "tool", "content": "3"}]',
    ]
    assert same_text.as_text(pl.Series(turns)).to_list() == [
        'user: Hi, "Bo"\n\n\nassistant: Yes.',
        None,
        'assistant: \n{"tool_calls": [{"id": "c1"}]}\n\ntool: 3',
    ]
    assert same_text.as_text(pl.Series([None], dtype=pl.String)).to_list() == [None]


def test_row_ids_of_a_column_whose_first_chunk_is_empty():
    ids = pl.Series("prompt_id", ["p_" + "0" * 20, "p_" + "1" * 20])
    both = pl.concat([pl.Series("prompt_id", ["p"]), ids], rechunk=False)
    split = both.filter(both != "p")
    assert split.chunk_lengths() == [0, 2] and row_ids("prompt", split).to_list() == row_ids("prompt", ids).to_list()
