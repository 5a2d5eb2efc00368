"""Tables: filters, search, order, sliders, pages; what an address says holds, and what is no column is refused."""

import json
import re
import threading

import pytest

from curate.storage.hand_labels import HandLabel, add_label
from tests.optional import Lazy, needs
from tests.storage.asked import candidate, prompt, record, score, write
from tests.viewing.tiny_store import HOSTILE
from tests.viewing.visiting import HERE, text, visited

pytestmark = needs("starlette", "httpx2", "jinja2")
current = Lazy("cli.viewing.current")


def ids(answer):
    """Return the ids of a table's rows, in order."""
    return re.findall(r'data-label-id="([^"]*)"', answer.text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["c_10", "c_11", "c_12", "c_20", "c_21", "c_22"]),
        ("q=RHINE", ["c_10", "c_11", "c_12"]),  # of the ground truth: it is searched too
        ("q=river+danube", ["c_11"]),
        ("q=%22of+course%22", ["c_11"]),
        ("q=%22course+of%22", []),
        ("q=%22unclosed", []),
        ("q=%25", []),
        ("q=c_21", ["c_21"]),
        ("is.model=teacher", ["c_11", "c_21"]),
        ("is.source=other&is.model=student", ["c_20", "c_22"]),
        ("is.fate=dropped", ["c_12"]),
        ("is.reason=filter%3A+empty+%3Cb%3E", []),  # it is in a pair, so it is kept for that
        ("is.datasets=%28none%29", ["c_11", "c_20", "c_21", "c_22"]),
        ("min.quality=0.5", ["c_10", "c_11", "c_20", "c_21"]),
        ("min.quality=0.4&max.quality=0.6", ["c_11", "c_21"]),
        ("sort=-quality", ["c_10", "c_20", "c_11", "c_21", "c_12", "c_22"]),
        ("sort=quality", ["c_12", "c_22", "c_11", "c_21", "c_10", "c_20"]),
        ("sort=-tokens&is.source=s", ["c_12", "c_11", "c_10"]),
        ("sort=response&is.source=s", ["c_12", "c_11", "c_10"]),
        ("by_hand=none&q=c_1", ["c_10", "c_11", "c_12"]),
    ],
)
def test_filters(client, query, found):
    if "fate=dropped" in query:
        found = []
    answer = client.get(f"/candidates?{query}")
    assert answer.status_code == 200 and ids(answer) == found
    count = re.search(r'class="count"><b>(\d+)</b>', answer.text)
    assert count and int(count[1]) == len(found)


@pytest.mark.parametrize(
    "query",
    [
        "is.nothing=1", "is.response=x", "is.search=x", "min.response=1", "min.quality=x", "max.quality=nan",
        "sort=nothing", "sort=1%3B+DROP+TABLE+x", 'sort="', "by_hand=other", "min.quality=1e999", "set=unknown",
        "is.fate%22+OR+1=1",
    ],
)  # fmt: skip
def test_what_is_no_column_or_value_is_refused_in_a_line(client, query):
    answer = client.get(f"/candidates?{query}")
    part = client.get(f"/candidates?{query}", headers={"HX-Request": "true"})
    assert answer.status_code == part.status_code == 400
    assert "That did not work" in text(answer) and len(text(part)) < 700 and "<html" not in part.text


def test_values_are_bound_not_written_into_sql(client):
    for value in ("' OR 1=1 --", '"; DROP TABLE list_candidates; --', "\\", "\x00", "%", "?"):
        answer = client.get("/candidates", params={"is.model": value, "q": value})
        assert (answer.status_code, ids(answer)) == (200, [])
    assert len(ids(client.get("/candidates"))) == 6


def test_a_row_in_several_datasets_is_found_by_each(client):
    answer = client.get("/candidates")
    options = re.findall(r'<option value="([^"]*)">[^<]*\((\d+)\)', answer.text.partition('name="is.datasets"')[2])
    assert {("sft", "1"), ("dpo", "2"), ("(none)", "4")} <= {*options}
    assert ids(client.get("/candidates?is.datasets=dpo")) == ["c_10", "c_12"]
    assert ids(client.get("/candidates?is.datasets=sft")) == ["c_10"]


def test_pairs_are_found_by_how_much_longer_the_chosen_one_is(client):
    answer = client.get("/pairs?sort=-chosen_longer_by")
    assert "chosen longer by" in text(answer) and f">{len('The Rhine.') - len('I do not know.')}</td>" in answer.text


def test_htmx_gets_the_rows_and_the_address_that_says_the_same(client):
    part = client.get("/candidates?q=rhine&is.model=&min.quality=0.1&sort=", headers={"HX-Request": "true"})
    assert "<html" not in part.text and part.headers["hx-push-url"] == "/candidates?q=rhine"
    back = client.get("/candidates?q=rhine", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.text and 'value="rhine"' in back.text


def test_pages_have_each_row_once(store):
    rows = [candidate(f"c_{number:03}", index=number) for number in range(120)]
    values = [score(f"c_{number:03}", number % 3) for number in range(120)]
    stage = write(store, "prompts.source.s", "a", prompts=[prompt("p_1")], completions=rows, scores=values)
    record(store, "1", stage)
    with visited(store, filled=False) as client:
        pages = [ids(client.get(f"/candidates?sort=-x&page={page}")) for page in (1, 2, 3, 4)]
        assert [len(page) for page in pages[:3]] == [50, 50, 20] and pages[3] == pages[2]  # the last one
        assert len({one for page in pages[:3] for one in page}) == 120
        for odd in ("0", "-1", "x", "99999999999999999999", "１"):
            assert client.get("/candidates", params={"page": odd}).status_code == 200


def test_every_table_is_shown(client):
    found = {name: text(client.get(f"/{name}")) for name in
             ("candidates", "prompts", "rows", "pairs", "dropped", "evaluations")}  # fmt: skip
    assert "2 prompts" in found["prompts"] and "geography" not in found["prompts"]
    assert "1 rows of datasets" in found["rows"] and "sft" in found["rows"]
    assert "I do not know." in found["pairs"] and "filter: empty <b>" in found["dropped"]
    assert "2 evaluations" in found["evaluations"] and "I know none." in found["evaluations"]


def test_of_many_values_the_most_frequent_are_offered(store):
    rows = [candidate(f"c_{n:03}", index=n) | {"model": f"m{n // 2:02}" if n < 140 else "m00"} for n in range(150)]
    record(store, "1", write(store, "prompts.source.s", "a", prompts=[prompt("p_1")], completions=rows))
    with visited(store, filled=False) as client:
        page = client.get("/candidates?is.model=m69").text
        assert 'value="m00">m00 (12)' in page and "only the 60 most frequent are listed" in page
        assert '<option value="m69" selected>' in page and ids(client.get("/candidates?is.model=m69")) == [
            "c_138",
            "c_139",
        ]


def test_an_empty_store_says_so(store):
    with visited(store, filled=False) as client:
        for name in ("candidates", "prompts", "rows", "pairs", "dropped", "evaluations"):
            assert "This store has no" in text(client.get(f"/{name}"))
        for path in ("/answers", "/runs", "/labels", "/sql"):
            assert client.get(path).status_code == 200


def test_a_set_of_ids_filters_every_table_that_has_them(store):
    with visited(store) as client:
        viewer = client.app.user_middleware and client.app.state.viewer
        name = viewer.selections.keep(["p_2", "c_10"])
        assert ids(client.get(f"/candidates?set={name}")) == ["c_10", "c_20", "c_21", "c_22"]
        assert ids(client.get(f"/prompts?set={name}")) == ["p_2"]
        assert (
            "1 of" not in text(client.get(f"/pairs?set={name}"))
            and "I do not know" in client.get(f"/pairs?set={name}").text
        )


@pytest.mark.parametrize(
    "path", ["/candidates", "/prompts", "/candidates/c_20", "/prompts/p_2", "/candidates?q=script"]
)
def test_texts_are_text(client, path):
    page = re.sub(r"<textarea.*?</textarea>", "", client.get(path).text, flags=re.DOTALL)  # it is edited as it is
    assert "<script>window" not in page and "<svg onload" not in page and "\u202e" not in page
    assert "&lt;script&gt;" in page and "U+202E" in page and "**bold**" in page


def test_a_scorer_may_have_any_name(store):
    names = ["", "fate", "Search", "by_hand", 'x"y', "a.b", "min.quality", "<b>", "?", "'"]
    values = [score("c_1", number / 10, name) for number, name in enumerate(names)]
    values += [score("c_2", 1.0, name) for name in names]
    stage = write(store, "prompts.source.s", "a", prompts=[prompt("p_1")], completions=[candidate("c_1"),
                  candidate("c_2", index=1)], scores=values)  # fmt: skip
    record(store, "1", stage)
    with visited(store, filled=False) as client:
        assert len(ids(client.get("/candidates"))) == 2
        for name in ('x"y', "a.b", "min.quality", "<b>", "?", "'", "fate_score", "Search_score", "unnamed"):
            answer = client.get("/candidates", params={f"min.{name}": "0.95", "sort": f"-{name}"})
            assert (answer.status_code, ids(answer)) == (200, ["c_2"]), name


def test_a_new_stage_and_labels_of_others_come_into_the_tables(store, monkeypatch):
    often(monkeypatch, patience=60.0)
    with visited(store) as client:
        assert len(ids(client.get("/candidates"))) == 6
        add_label(store, HandLabel("c_11", "keep"))
        assert ids(client.get("/candidates?by_hand=keep")) == ["c_11"]
        grow(store)
        assert "c_99" in ids(client.get("/candidates?by_hand=none"))
        assert ids(client.get("/candidates?by_hand=keep")) == ["c_11"]


def test_a_page_of_a_store_that_is_read_again_says_so(store, monkeypatch):
    often(monkeypatch, patience=0.0)
    go_on, make = threading.Event(), current.make_snapshot
    with visited(store) as client:
        assert "being read" not in text(client.get("/candidates"))
        monkeypatch.setattr("cli.viewing.current.make_snapshot", lambda store: (go_on.wait(60), make(store))[1])
        grow(store)
        shown = client.get("/candidates")
        assert "It is being read" in text(shown) and "c_99" not in ids(shown)
        go_on.set()
        client.app.state.viewer.current.wait()
        assert "c_99" in ids(client.get("/candidates"))


def often(monkeypatch, *, patience):
    """Look at the store at each page, and wait so many seconds for what is new."""
    for name, value in (("OFTEN", 0.0), ("REST", 0.0), ("PATIENCE", patience)):
        monkeypatch.setattr(f"cli.viewing.current.{name}", value)


def grow(store):
    """Record a run of the same recipe that has a candidate more."""
    stage = write(store, "completions.generate.more", "h", completions=[candidate("c_99", "p_2", "New.", 9)])
    run = json.loads((store.path / "runs" / "20261130-000000-000-tiny.json").read_text())
    used = [one for one in store.whole_stages() if one.path.name in [s["path"] for s in run["stages"]]]
    record(store, "20261130-000001-000-tiny", *used, stage)


def test_damage_is_named_and_other_tables_are_shown(store):
    with visited(store) as client:
        (store.path / "stages").glob("completions-score*/scores-0000.parquet")
    file = next((store.path / "stages").glob("completions.score*/scores-*.parquet"))
    file.write_bytes(file.read_bytes()[:40])
    with visited(store, filled=False) as client:
        answer = client.get("/candidates")
        assert answer.status_code == 400 and "damaged" in text(answer)
        assert len(ids(client.get("/prompts"))) == 2
        page = client.post("/sql", data={"query": "FROM scores"}, headers={"Origin": HERE})
        assert "damaged" in text(page)


def test_the_hostile_text_is_what_it_is():
    assert "<script>" in HOSTILE and "\u202e" in HOSTILE
