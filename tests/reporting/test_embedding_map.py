"""The map in a report: a sample that is said, beside the random control where there is one; none without embeddings."""

import json

import pytest

from cli.reporting.sections.embedding_map import MOST_POINTS, embedding_map
from curate.storage.sql_views import connect
from tests.optional import needs
from tests.pages.chromium import browser, needs_chromium, page
from tests.pages.embedded import embed, filled, many
from tests.storage.asked import record, write

pytestmark = needs("altair", "jinja2")


def section(store):
    with connect(store) as con:
        return embedding_map(con)


def test_a_store_without_embeddings_has_no_map(store):
    assert section(filled(store)) is None


def test_the_map_says_what_was_dropped(store):
    embed(filled(store), "How?", "Why?", "So.", "Because.")
    made = section(store)
    assert (made.name, made.title) == ("map", "4 texts by meaning: 1 of them were dropped")
    held = json.loads(made.values["drawn"])
    assert dict(zip(held["ids"], held["texts"], strict=True))["c_2"] == "Because." and made.values["beside"] == ""


def test_a_dataset_stands_beside_its_random_control(store):
    embed(filled(store), "How?", "So.", "Because.")
    row = {"row_id": "r_2", "dataset": "d_random", "split": "train", "prompt_id": "p_1", "completion_id": "c_2"}
    control = write(store, "datasets.d_random", "f", sft=[row])
    record(store, "2", control, *(store.stage(one) for one in "abcde"))
    assert section(store).values["beside"] == "set:d:d_random"


@pytest.mark.slow
@needs_chromium
def test_the_map_of_a_report_draws_and_runs_no_text(store, tmp_path):
    from cli.reporting.make import write_report

    file = tmp_path / "report.html"
    assert write_report(many(store, MOST_POINTS + 100), file) == []
    with browser() as opened, page(opened, file.as_uri()) as shown:
        shown.locator("#map").scroll_into_view_if_needed()
        shown.wait_for_selector(".map[data-drawn]")
        assert "They are 2,000 of 2,100, drawn at random." in shown.inner_text(".map-status")
        assert "<script>" in file.read_text(encoding="utf-8") and shown.locator(".map script").count() == 0
