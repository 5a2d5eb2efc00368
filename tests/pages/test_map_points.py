"""The points of a map: texts joined to their stored embeddings, what became of them, and samples that are said."""

import numpy as np
import polars as pl
import pytest

from cli.pages.map_points import MOST_VALUES, OTHERS, category, clusters, map_points
from curate.storage.sql_views import connect
from tests.pages.embedded import embed, filled, many, vector


def points(store, most=100, **more):
    with connect(store) as con:
        return map_points(con, most, **more)


def values(found, name):
    """The value of each point, by its id."""
    column = next(one for one in found.categories if one.name == name)
    return {row: column.values[code] for row, code in zip(found.ids, column.codes, strict=True)}


def test_a_point_is_a_text_with_an_embedding(store):
    embed(filled(store), "How?", "Why?", "So.", "Because.")
    found = points(store)
    assert sorted(found.ids) == ["c_1", "c_2", "p_1", "p_2"] and found.total == 4
    texts = dict(zip(found.ids, found.texts, strict=True))
    assert texts == {"c_1": "So.", "c_2": "Because.", "p_1": "How?", "p_2": "Why?"}
    unit = {text: vector(text) / np.linalg.norm(vector(text)) for text in texts.values()}
    assert np.allclose(found.vectors, [unit[text] for text in found.texts], atol=1e-6)


def test_what_became_of_a_point_is_told(store):
    embed(filled(store), "How?", "Why?", "So.", "Because.")
    found = points(store)
    assert values(found, "fate") == {"c_1": "kept", "c_2": "dropped", "p_1": "kept", "p_2": "kept"}
    assert values(found, "reason")["c_2"] == "completions.filter: filter: short"
    assert values(found, "dataset") == {"c_1": "d", "p_1": "d", "c_2": "(in none)", "p_2": "(in none)"}
    assert values(found, "source") == {"c_1": "s", "c_2": "s", "p_1": "s", "p_2": "t"}
    assert values(found, "kind") == {"c_1": "candidate", "c_2": "candidate", "p_1": "prompt", "p_2": "prompt"}
    assert {row for row, held in zip(found.ids, found.sets["d"], strict=True) if held} == {"c_1", "p_1"}
    (one,) = found.scores
    numbers = dict(zip(found.ids, one.numbers, strict=True))
    assert (one.name, numbers["c_1"], numbers["c_2"]) == ("x", 1.0, 0.25) and np.isnan(numbers["p_1"])


def test_a_candidate_is_found_by_its_whole_row_too(store):
    """What ``on: row`` embeds is the prompt and the response."""
    embed(filled(store), "Why?\nNever.")
    found = points(store)
    assert (found.ids, found.texts) == (["c_3"], ["Never."])
    embed(store, "Never.")
    assert np.allclose(points(store).vectors[0], vector("Never.") / np.linalg.norm(vector("Never.")), atol=1e-6)


def test_a_sample_is_said_and_always_the_same(store):
    many(store, 60)
    some, more = points(store, 20), points(store, 40)
    assert some.ids == more.ids[:20] == points(store, 60).ids[:20] and some.ids != sorted(some.ids)
    assert some.total == 60 and some.notes[1] == "They are 20 of 60, drawn at random."
    assert len(points(store, 60).notes) == 1
    assert some.notes[0] == "20 prompts whose text has an embedding by mini."


def test_other_models_and_vectors_of_zero_are_said(store, monkeypatch):
    embed(filled(store), "How?", "Why?", "So.")
    embed(store, "How?", model="other")
    monkeypatch.setattr("tests.pages.embedded.vector", lambda text: np.zeros(4, np.float32))
    embed(store, "Because.")
    found = points(store)
    assert found.model == "mini" and sorted(found.ids) == ["c_1", "p_1", "p_2"]
    assert found.notes[1:] == (
        "1 have an embedding without a direction, and are left out.",
        "Embeddings by other are not shown.",
    )


def test_a_store_without_embeddings_has_no_map(store):
    assert points(filled(store)) is None
    embed(store, "a text that no row has")
    assert points(store) is None


def test_texts_are_cut(store):
    embed(filled(store), "Because.")
    assert points(store, longest=3).texts == ["Bec"]


def test_rare_values_of_a_column_are_one_value():
    names = [f"n{number:03d}" for number in range(100)] + ["n000", None]
    column = category("a", "A", names)
    assert len(column.values) == MOST_VALUES and column.values[0] == "n000" and column.values[-1] == OTHERS
    assert column.values[column.codes[0]] == "n000" and column.values[column.codes[99]] == OTHERS
    assert category("a", "A", [None, "b"], "(none)").values == ("(none)", "b")


def test_clusters_are_named_by_words_of_their_own():
    vectors = np.repeat(np.eye(4, dtype=np.float32)[:2], [6, 4], axis=0)
    texts = ["boil the pasta slowly"] * 6 + ["solve the equation slowly"] * 4
    column = clusters(vectors, texts)
    by_row = pl.Series([column.values[code] for code in column.codes])
    assert by_row[0] != by_row[6] and by_row[:6].n_unique() == by_row[6:].n_unique() == 1
    assert "pasta" in by_row[0] and "equation" in by_row[6] and "slowly" not in by_row[0]


@pytest.mark.parametrize("count", [1, 2])
def test_one_point_is_a_map_too(store, count):
    embed(filled(store), *["How?", "Why?"][:count])
    assert len(points(store).ids) == count
