"""Labels by hand from the page: they are in the file, in the tables at once, can be taken back, and are exported."""

import json

import pytest

from curate.storage.hand_labels import labels_path, read_labels
from tests.optional import needs
from tests.viewing.visiting import HERE, give, text, visited

pytestmark = needs("starlette", "httpx2", "jinja2")


def given(store):
    return [(one.row_id, one.label, one.over, one.text) for one in read_labels(labels_path(store))]


@pytest.mark.parametrize("row_id", ["c_10", "p_1"])
def test_keep_and_drop_show_at_once(store, row_id):
    table = "/candidates" if row_id == "c_10" else "/prompts"
    with visited(store) as client:
        assert "keep" in text(give(client, row_id=row_id, label="keep"))
        assert f'data-label-id="{row_id}"' in client.get(f"{table}?by_hand=keep").text
        assert text(give(client, row_id=row_id, label="drop", **{"from": "table"})) == "drop"
        assert given(store) == [(row_id, "drop", None, None)]
        assert f'data-label-id="{row_id}"' not in client.get(f"{table}?by_hand=keep").text
        give(client, row_id=row_id, label="clear")
        assert given(store) == [] and "no label yet" in text(client.get(f"{table}/{row_id}"))


def test_an_edited_answer_and_a_note_are_texts(store):
    odd = "<b>The Rhine</b>\r\n & é 漢 \u202e"
    with visited(store) as client:
        give(client, row_id="c_10", label="edit", text=odd)
        page = give(client, row_id="c_10", label="note", text="why <i>not</i>").text
        assert "&lt;i&gt;" in page and "<i>" not in page and "U+202E" in page
        assert given(store) == [("c_10", "edit", None, odd), ("c_10", "note", None, "why <i>not</i>")]
        assert "&lt;b&gt;The Rhine" in client.get("/candidates/c_10").text.split("<textarea")[1]


def test_a_preference_is_of_the_pair(store):
    with visited(store) as client:
        give(client, row_id="c_12", over="c_10", label="prefer")
        assert given(store) == [("c_12", "prefer", "c_10", None)]
        assert "rejected is better" in text(client.get("/pairs?by_hand=any"))
        page = client.get("/pairs/r_2").text
        assert 'class="primary" data-prefer="right"' in page and 'class="primary" data-prefer="left"' not in page
        give(client, row_id="c_10", over="c_12", label="prefer")
        assert given(store) == [("c_10", "prefer", "c_12", None)] and "chosen is better" in text(client.get("/pairs"))
        give(client, row_id="c_10", label="clear", **{"from": "pair"})
        assert given(store) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"row_id": "c_10", "label": "other"},
        {"row_id": "c_10"},
        {"row_id": "c_99", "label": "keep"},
        {"row_id": "r_1", "label": "keep"},
        {"row_id": "", "label": "keep"},
        {"row_id": "c_99", "label": "clear"},
        {"row_id": "c_10", "label": "edit", "text": "  "},
        {"row_id": "p_1", "label": "edit", "text": "another prompt"},
        {"row_id": "c_10", "label": "prefer", "over": "p_1"},
        {"row_id": "c_10", "label": "note"},
        {"row_id": "c_10", "label": "prefer"},
        {"row_id": "c_10", "label": "prefer", "over": "c_10"},
        {"row_id": "c_10", "label": "prefer", "over": "c_99"},
        {"row_id": "c_10", "label": "note", "text": "x" * 1_000_001},
    ],
)
def test_what_is_no_label_is_refused_in_a_line(client, fields):
    answer = give(client, **fields)
    assert answer.status_code in (400, 404) and given(client.app.state.viewer.store) == [] and len(answer.text) < 1000


def test_all_labels_are_listed_and_exported(store):
    with visited(store) as client:
        give(client, row_id="c_10", label="keep")
        give(client, row_id="c_12", label="note", text="<b>")
        page = client.get("/labels")
        assert "by_hand: true" in text(page) and "by_hand: labels.jsonl" in text(page) and "The Rhine." in text(page)
        answer = client.get("/labels.jsonl")
        assert answer.headers["content-disposition"] == 'attachment; filename="labels.jsonl"'
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert [(row["row_id"], row["label"]) for row in rows] == [("c_10", "keep"), ("c_12", "note")]
        file = store.path.parent / "labels.jsonl"
        file.write_text(answer.text)
        assert [one.row_id for one in read_labels(file, own=False)] == ["c_10", "c_12"]


def test_a_label_that_cannot_be_written_is_a_line(store):
    with visited(store) as client:
        labels_path(store).mkdir()
        answer = client.post("/label", data={"row_id": "c_10", "label": "keep"}, headers={"Origin": HERE})
        assert answer.status_code == 400 and "no plain file" in text(answer)
