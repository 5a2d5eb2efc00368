"""A row's page: the conversation, scores, decisions, relations, datasets, trainings; the way to the next row."""

import re

import pytest

from curate.storage.hand_labels import HandLabel, add_label
from tests.optional import needs
from tests.storage.asked import decision, record, write
from tests.viewing.tiny_store import fill
from tests.viewing.visiting import text, visited

pytestmark = needs("starlette", "httpx2", "jinja2")


def test_a_candidate_has_all_that_is_known_of_it(client):
    page = text(client.get("/candidates/c_10"))
    for known in ("Name a river of Europe.", "The Rhine.", "ground truth Rhine", 'it\'s "odd" <b> 1', "<i>so</i>",
                  "quality 0.9", "kept completions.filter", "sft train · row",
                  "dpo train · chosen of a pair",
                  "The Danube, of course.", "student", "I know none."):  # fmt: skip
        assert known in page, known


def test_candidates_of_a_prompt_come_best_first(client):
    page = client.get("/prompts/p_1?by=quality").text
    assert re.findall(r'href="/candidates/(c_1\d)">', page) == ["c_10", "c_11", "c_12"]
    assert "best first by" in page and "<option selected>quality" in page


def test_what_a_training_learns_is_marked_in_sft_rows_only(client):
    assert 'class="turn assistant learnt"' in client.get("/rows/r_1").text
    assert 'class="turn assistant learnt"' not in client.get("/candidates/c_10").text


def test_models_and_losses_of_a_row_are_shown(store):
    stages = fill(store)
    training = {"training_id": "t_1", "name": "sft", "trainer": "sft", "dataset": "sft", "model": "student"}
    losses = [
        {"training_id": "t_1", "step": step, "row_id": "r_1", "phase": "train", "loss": 2.0 / step} for step in (1, 2)
    ]
    rows = [{"training_id": "t_1", "row_id": "r_1", "fate": "trained", "cut_tokens": 4}]
    stages.append(write(store, "train-sft", "t", trainings=[training], training_rows=rows, row_losses=losses))
    record(store, "20261130-000000-000-tiny", *stages)
    with visited(store, filled=False) as client:
        for path in ("/rows/r_1", "/candidates/c_10", "/prompts/p_1"):
            assert "sft sft 2 1 trained, 4 tokens cut" in text(client.get(path)), path


def test_parents_and_children_lead_to_each_other(store):
    stages = fill(store)
    made = {"prompt_id": "p_3", "prompt": "Name a lake.", "source": "made", "parent_ids": ["p_1"]}
    better = {"completion_id": "c_13", "prompt_id": "p_1", "response": "The Rhine, sir.", "parent_id": "c_10"}
    stages.append(write(store, "prompts.generate.made", "m", prompts=[made], completions=[better]))
    record(store, "20261130-000000-000-tiny", *stages)
    with visited(store, filled=False) as client:
        assert "Made from Name a river of Europe." in text(client.get("/prompts/p_3"))
        assert "Made from it Name a lake." in text(client.get("/prompts/p_1"))
        assert "Made from The Rhine." in text(client.get("/candidates/c_13"))
        assert "Made from it The Rhine, sir." in text(client.get("/candidates/c_10"))


def test_next_and_before_go_through_the_filtered_list(client):
    page = client.get("/candidates/c_11?q=rhine&sort=-quality&at=1").text
    assert 'data-before href="/candidates/c_10?q=rhine&amp;sort=-quality&at=0"' in page.replace("&amp;at", "&at")
    assert 'data-after href="/candidates/c_12?' in page and "2 of 3 filtered" in text(client.get(
        "/candidates/c_11?q=rhine&sort=-quality&at=1"))  # fmt: skip
    assert "data-after" not in client.get("/candidates/c_12?q=rhine&sort=-quality&at=2").text
    assert "data-before" not in client.get("/candidates/c_10?q=rhine&sort=-quality&at=0").text


def test_a_row_that_its_label_took_out_has_a_next_one(store):
    with visited(store) as client:
        add_label(store, HandLabel("c_10", "keep"))
        page = client.get("/candidates/c_10?by_hand=none&at=0").text
        assert 'data-after href="/candidates/c_11?by_hand=none&at=0"' in page.replace("&amp;", "&")


@pytest.mark.parametrize("key", ["c_99", "p_", "r_99", "<b>", "%00", "' OR 1=1", "a/b/1", "a/b/x"])
def test_an_unknown_row_is_a_line(client, key):
    for name in ("candidates", "prompts", "rows", "pairs", "dropped", "evaluations"):
        answer = client.get(f"/{name}/{key}")
        assert answer.status_code == 400 and "no " in text(answer) and "<b>" not in answer.text.replace("<b></b>", "")


def test_a_part_that_is_cut_says_so(store):
    stages = fill(store)
    more = [{"completion_id": f"c_9{n:03}", "prompt_id": "p_2", "response": "x", "sample_index": n} for n in range(250)]
    record(store, "20261130-000000-000-tiny", *stages, write(store, "completions.generate.more", "h", completions=more))
    with visited(store, filled=False) as client:
        assert "Only the first 200 rows are shown of: candidates." in text(client.get("/prompts/p_2"))
        assert "Only the first" not in text(client.get("/prompts/p_1"))


def test_an_id_alone_leads_to_its_page(client):
    found = [client.get(f"/row/{one}").headers["location"].split(":8000")[1] for one in ("c_10", "p_1", "r_1", "r_2")]
    assert found == ["/candidates/c_10", "/prompts/p_1", "/rows/r_1", "/pairs/r_2"]


def test_a_row_of_which_only_decisions_are_held(store):
    stages = fill(store)
    gone = decision("s.jsonl:4", "prompts.source.s", "line 4: no JSON", "{<b>")
    stages.append(write(store, "prompts.source.t", "z", decisions=[gone]))
    record(store, "20261130-000000-000-tiny", *stages)
    with visited(store, filled=False) as client:
        page = text(client.get("/dropped/s.jsonl:4"))
        assert "line 4: no JSON" in page and "{<b>" in page and "no text of this row" in page and "Keep" not in page


def test_a_pair_marks_what_differs(client):
    page = client.get("/pairs/r_2").text
    assert "<ins>" in page and "<del>" in page and 'data-pair="c_10" data-over="c_12"' in page
    assert text(client.get("/pairs/r_2")).index("chosen c_10") < text(client.get("/pairs/r_2")).index("rejected c_12")


def test_an_answer_of_an_evaluation_is_beside_the_others(client):
    page = text(client.get("/evaluations/e_sft/r_9/0"))
    assert "The Rhine." in page and "I know none." in page and "quality 1" in page


def test_before_and_after_are_side_by_side(client):
    page = client.get("/answers").text
    assert "<del>" in page and "<ins>" in page and "1 prompt gained" in text(client.get("/answers"))
    assert client.get("/answers?before=nobody").status_code == 400
    assert "No prompt was answered" in text(client.get("/answers?q=zzz"))
    assert client.get("/answers?split=x&scorer=y&page=zz&order=worse").status_code == 200
