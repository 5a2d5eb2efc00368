"""Runs: their list, the progress of one that goes on, its funnel and recipe, and two of them compared."""

import json

import pytest

from curate.storage.reply_log import ReplyLog, Spender
from schemas.requests import Reply, Spent
from tests.optional import needs
from tests.reporting.full_store import said
from tests.storage.asked import candidate, record, write
from tests.viewing.tiny_store import fill, running
from tests.viewing.visiting import text, visited

pytestmark = needs("starlette", "httpx2", "jinja2")


def test_runs_are_listed_with_what_they_spent(store):
    with visited(store) as client:
        page = text(client.get("/runs"))
        assert "20261130-000000-000-tiny run finished" in page and "every 3s" not in client.get("/runs").text


def test_a_run_that_goes_on_shows_what_it_has_made_so_far(store):
    stages = fill(store)
    running(store, "20261130-000001-000-tiny", *stages[:2])
    with visited(store, filled=False) as client:
        page = client.get("/runs/20261130-000001-000-tiny")
        assert (
            'hx-trigger="every 3s"' in page.text and "running" in text(page) and "2 stages made or reused" in text(page)
        )
        assert 'hx-trigger="every 3s"' in client.get("/runs").text
        spender = Spender("20261130-000001-000-tiny", "a", "student", "x")
        with ReplyLog(store) as log:
            log.append([Reply("ab" * 32, text="So.")], spender, Spent(1, 10, 20), 0.25, 1.0)
        running(store, "20261130-000001-000-tiny", *stages[:3])
        part = client.get("/runs/20261130-000001-000-tiny", headers={"HX-Request": "true"})
        assert "<html" not in part.text and "3 stages made or reused" in text(part)
        assert "1 reply" in text(part) and "20 tokens written, 10 read" in text(part) and "$0.25" in text(part)
        record(store, "20261130-000001-000-tiny", *stages)
        assert "every 3s" not in client.get("/runs/20261130-000001-000-tiny").text
        part = client.get("/runs/20261130-000001-000-tiny", headers={"HX-Request": "true"})
        assert part.headers["hx-refresh"] == "true"  # so that the funnel comes


def test_a_run_has_its_funnel_and_recipe(store):
    stages = fill(store)
    file = store.path / "runs" / "20261130-000000-000-tiny.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"resolved": {"name": "<script>"}}))
    assert stages
    with visited(store, filled=False) as client:
        page = client.get("/runs/20261130-000000-000-tiny")
        assert "filter: empty <b>" in text(page) and "&lt;script&gt;" in page.text and '<script>"' not in page.text
        assert client.get("/runs/nothing").status_code == 400


def test_two_runs_are_compared(store):
    stages = fill(store)
    more = write(store, "completions.generate.more", "h", completions=[candidate("c_99", "p_2", "New.", 9)])
    record(store, "20261130-000001-000-tiny", *stages, more)
    with visited(store, filled=False) as client:
        page = text(client.get("/changes?first=20261130-000000-000-tiny&second=20261130-000001-000-tiny"))
        assert "What changed" in page and "completions 6 7 1 0 0" in page
        assert text(client.get("/changes")) == page
        for wrong in ("first=x", "first=20261130-000001-000-tiny&second=20261130-000001-000-tiny"):
            assert client.get(f"/changes?{wrong}").status_code == 400


def test_rows_that_came_and_went_are_counted(store):
    stages = fill(store)
    row = {"prompt_id": "p_1", "completion_id": "c_11", "dataset": "sft", "split": "train", "score": 0.5,
           "prompt": said("user", "Name a river."), "completion": said("assistant", "The Danube")}  # fmt: skip
    other = write(store, "datasets.sft", "h", sft=[row | {"row_id": "r_3"}])
    record(
        store, "20261130-000001-000-tiny", *(one for one in stages if one.manifest["label"] != "datasets.sft"), other
    )
    with visited(store, filled=False) as client:
        page = client.get("/changes")
        assert page.status_code == 200 and "r_3" in page.text and "r_1" in page.text


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (None, None),
        ("odd", None),
        ({"stage": "<b>x", "done": 3, "total": None, "unit": "replies"}, "now <b>x"),
        ({"stage": "completions.sample", "done": 40, "total": 160, "unit": "replies"},
         "now completions.sample 40 of 160 replies"),
        ({"stage": "s", "done": "1", "total": "9"}, "now s"),
    ],
)  # fmt: skip
def test_a_run_that_goes_on_says_what_it_does_now(store, held, said):
    running(store, "20261130-000001-000-tiny", *fill(store)[:2])
    file = store.path / "runs" / "20261130-000001-000-tiny.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"doing": held}))
    with visited(store, filled=False) as client:
        page = client.get("/runs/20261130-000001-000-tiny")
        assert said in text(page) if said else "now" not in text(page)
        assert "<b>x" not in page.text and ('width="25.0"' in page.text) == ("160" in str(held))
