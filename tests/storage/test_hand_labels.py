"""Labels by hand: appended to one file, safe from a cut and from two writers, and the same in SQL as in Python."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.storage.hand_labels import HandLabel, add_label, labels_path, read_labels
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.errors import UserError

ROWS = st.sampled_from(["a", "b", "c"])
TEXT = st.text(min_size=1, max_size=5).filter(lambda text: text.strip() and text.isprintable())
LABELS = st.one_of(
    st.builds(HandLabel, ROWS, st.sampled_from(["keep", "drop", "clear"])),
    st.builds(HandLabel, ROWS, st.sampled_from(["edit", "note"]), text=TEXT),
    st.tuples(ROWS, ROWS).filter(lambda two: two[0] != two[1]).map(lambda two: HandLabel(two[0], "prefer", two[1])),
)


def in_sql(store: Store) -> list[tuple]:
    return connect(store).execute('SELECT row_id, label, over_id, "text" FROM by_hand').fetchall()


@given(given_labels=st.lists(LABELS, max_size=12))
def test_sql_has_the_labels_in_force(tmp_path_factory, given_labels):
    store = Store(tmp_path_factory.mktemp("labels") / "store", durable=False)
    for label in given_labels:
        add_label(store, label)
    in_force = read_labels(labels_path(store))
    assert in_sql(store) == [(one.row_id, one.label, one.over, one.text) for one in in_force]
    fates = {one.row_id: one.label for one in given_labels if one.label in ("keep", "drop", "clear")}
    assert {one.row_id: one.label for one in in_force if one.label in ("keep", "drop")} == {
        row: label for row, label in fates.items() if label != "clear"
    }


def test_a_store_without_labels_has_none(tmp_path):
    store = Store(tmp_path / "store")
    assert read_labels(labels_path(store)) == [] and in_sql(store) == []


def test_a_torn_line_is_no_label_and_tears_no_other(tmp_path):
    store = Store(tmp_path / "store")
    add_label(store, HandLabel("a", "keep"))
    with open(labels_path(store), "a") as file:
        file.write('{"row_id": "b", "la')
    assert [one.row_id for one in read_labels(labels_path(store))] == ["a"]
    add_label(store, HandLabel("c", "drop"))
    assert [one.row_id for one in read_labels(labels_path(store))] == ["a", "c"]
    assert [row[0] for row in in_sql(store)] == ["a", "c"]


def test_text_of_any_kind_comes_back(tmp_path):
    store, text = Store(tmp_path / "store"), 'two\nlines "quoted" \u202e \u4f60\u597d \U0001f600 \\ \x00'
    add_label(store, HandLabel("a", "edit", text=text))
    [read] = read_labels(labels_path(store))
    assert read.text == text == in_sql(store)[0][3] and len(labels_path(store).read_text().splitlines()) == 1


def test_two_writers_lose_nothing(tmp_path):
    store = Store(tmp_path / "store")
    program = (
        "import sys\nfrom curate.storage.store import Store\n"
        "from curate.storage.hand_labels import HandLabel, add_label\n"
        "store = Store(sys.argv[1])\nfor n in range(50): add_label(store, HandLabel(f'{sys.argv[2]}{n}', 'keep'))"
    )
    root = Path(__file__).parent.parent.parent
    writers = [subprocess.Popen([sys.executable, "-c", program, store.path, name], cwd=root) for name in "xy"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert {one.row_id for one in read_labels(labels_path(store))} == {f"{name}{n}" for name in "xy" for n in range(50)}


@pytest.mark.parametrize(
    "label",
    [
        HandLabel("", "keep"),
        HandLabel("a", "maybe"),
        HandLabel("a", "prefer"),
        HandLabel("a", "prefer", over="a"),
        HandLabel("a", "keep", over="b"),
        HandLabel("a", "edit", text=" "),
        HandLabel("a" * 201, "keep"),
        HandLabel("a", "note", text="x" * 1_000_001),
    ],
    ids=lambda label: f"{label.label}-{label.over}",
)
def test_what_is_no_label_is_not_written(tmp_path, label):
    store = Store(tmp_path / "store")
    with pytest.raises(UserError):
        add_label(store, label)
    assert not labels_path(store).exists()


def test_a_link_is_neither_read_nor_written(tmp_path):
    store, target = Store(tmp_path / "store"), tmp_path / "elsewhere"
    target.write_text(json.dumps({"row_id": "a", "label": "keep"}) + "\n")
    labels_path(store).symlink_to(target)
    for act in (lambda: add_label(store, HandLabel("b", "keep")), lambda: read_labels(labels_path(store))):
        with pytest.raises(UserError, match="no plain file"):
            act()
    assert len(target.read_text().splitlines()) == 1


def test_a_line_that_is_no_text_is_named(tmp_path):
    for line, said in (
        (b'{"row_id": "c_\\ud800", "label": "keep"}', "1: 'row_id' holds .*half of a surrogate pair"),
        (b'{"row_id": "c_1", "label": "note", "text": "\\udc00"}', "1: 'text' holds"),
        (b'{"row_id": "\xff", "label": "keep"}', "1: this line is not UTF-8"),
        (b"\0" * 16_000_001, "1: this line has over 16,000,000 bytes"),
    ):
        (tmp_path / "labels.jsonl").write_bytes(line + b"\n")
        with pytest.raises(UserError, match=rf"labels\.jsonl:{said}"):
            read_labels(tmp_path / "labels.jsonl", own=False)


def test_many_labels_taken_back_leave_the_others(tmp_path):
    given = [{"row_id": f"c_{at}", "label": "keep"} for at in range(30_000)]
    given += [one | {"label": "clear"} for one in given[1:]]  # each a look at all others would take minutes
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(one) + "\n" for one in given))
    assert [one.row_id for one in read_labels(tmp_path / "labels.jsonl", own=False)] == ["c_0"]
