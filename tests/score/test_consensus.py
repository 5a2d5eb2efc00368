"""``consensus``: the mean similarity of a candidate to its prompt's others, by n-grams or by embeddings."""

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.score.consensus import ALONE, score
from curate.steps.model_calls import Embed
from schemas.errors import UserError
from tests.score.drive_scorer import embedded, scored

TEXT = st.text(alphabet="ab 日é-5", max_size=12)
ROWS = st.lists(st.tuples(st.sampled_from("pqr"), st.none() | TEXT), max_size=12)


def values(rows, **given):
    """Return the values and the errors of candidates, (prompt, text) each."""
    columns = [pl.Series([row[at] for row in rows], dtype=pl.String) for at in (0, 1)]
    found, calls = scored(score(*columns, **given))
    assert found["value"].is_null().equals(found["error"].is_not_null())
    return found["value"].to_list(), found["error"].to_list(), calls


def answers(*texts, **given):
    return values([("p", text) for text in texts], **given)[0]


def by_definition(rows, ngram):
    """The mean over the others of |A and B| / sqrt(|A| |B|), pair by pair."""
    texts = [None if text is None else " ".join(text.split()) for _, text in rows]
    sets = [{t[i : i + ngram] for i in range(max(len(t) - ngram + 1, 1))} if t else None for t in texts]
    made = []
    for at, own in enumerate(sets):
        others = [s for i, s in enumerate(sets) if s and i != at and rows[i][0] == rows[at][0]]
        cosines = [len(own & s) / math.sqrt(len(own) * len(s)) for s in others] if own else []
        made.append(sum(cosines) / len(cosines) if cosines else None)
    return made


@given(ROWS, st.integers(1, 5))
@settings(deadline=None)
def test_it_is_the_mean_cosine_pair_by_pair(rows, ngram):
    assert values(rows, ngram=ngram)[0] == pytest.approx(by_definition(rows, ngram), abs=1e-8)


@given(ROWS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_rows_does_not_matter(rows, random):
    order = random.sample(range(len(rows)), len(rows))
    found = values([rows[at] for at in order])[0]
    assert found == [values(rows)[0][at] for at in order]


@given(TEXT.filter(str.strip), st.integers(2, 6))
@settings(deadline=None)
def test_equal_answers_agree_in_full(text, count):
    assert answers(*[text] * count) == [1.0] * count


def test_the_answer_that_most_resemble_wins():
    found = answers("The river is the Rhine.", "It is the Rhine.", "The river is the Rhine!", "Bananas, I think")
    assert max(found) in (found[0], found[2]) and min(found) == found[3]


def test_signs_digits_and_case_count_and_white_space_does_not():
    assert answers("x = 5", "x = -5")[0] < 1
    assert answers("Paris", "paris")[0] < 1
    assert answers("a  b\n c", " a b c") == [1.0, 1.0]


def test_without_another_candidate_there_is_no_value():
    found, errors, _ = values([("a", "one"), ("b", "one"), ("b", None), ("c", " "), ("c", "x"), ("c", "x")])
    assert found == [None, None, None, None, 1.0, 1.0]
    assert errors == [ALONE, ALONE, "no response", "the response is empty", None, None]


def test_embeddings_are_asked_of_texts_only_and_averaged():
    rows = [("a", "one"), ("a", "two"), ("a", "three"), ("a", None), ("b", "one")]
    found, errors, (call,) = values(rows, similarity="embeddings", model="m")
    assert (
        isinstance(call, Embed) and call.model == "m" and call.texts.to_list() == ["one", "two", "three", None, "one"]
    )
    assert errors == [None, None, None, "no response", ALONE]
    units = embedded(["one", "two", "three"]).to_numpy()
    for at in range(3):
        others = [float(units[at] @ units[other]) for other in range(3) if other != at]
        assert found[at] == pytest.approx(sum(others) / 2, abs=1e-6)


def test_by_ngrams_no_model_is_asked():
    assert values([("a", "one"), ("a", "two")])[2] == []


@pytest.mark.parametrize("ngram", [0, -1, 65])
def test_an_ngram_out_of_range_is_refused(ngram):
    with pytest.raises(UserError, match=f"ngram is {ngram}; expected 1 to 64"):
        answers("a", "b", ngram=ngram)


def test_no_rows_give_no_rows():
    assert values([])[0] == [] and values([], similarity="embeddings")[0] == []
