"""A run says which shares came out, and a check warns of what its splits leak."""

import json

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.errors import UserError
from tests.choosing import recipe

pytestmark = pytest.mark.slow  # whole runs

SFT = "sft: {type: sft}"


def row(prompt, answer="Yes.", **more):
    return {"prompt": prompt, "completion": answer, **more}


def warned(folder, rows, split, datasets=SFT):
    """Return what a plan warns of, which a run after it says too."""
    job = recipe(folder, rows, datasets, f"split: {split}\n")
    found = [str(one) for one in plan(job).warnings]
    assert [str(one) for one in run(job, Store(folder / "store")).warnings] == found
    return found


def test_what_was_asked_and_what_came_out_is_said(tmp_path):
    rows = [row(f"question {n // 3}" + " " * (n % 3)) for n in range(60)]
    job = recipe(tmp_path, rows, SFT, "split: {test: 0.1, dev: 0.2}\n")
    store = Store(tmp_path / "store")
    made = run(job, store)
    line = made.stages["sft"].manifest["result"]
    assert "of 60 prompts test 0.1 asked, 0.1 came out, dev 0.2 asked, 0.2 came out" in line, line
    assert made.warnings == []


def test_a_condition_that_parts_copies_is_warned_of(tmp_path):
    rows = [row(f"Which river flows through town {n}?", part="a") for n in range(6)]
    rows += [row(f"which river flows  through town {n}?", part="b") for n in range(4, 8)]
    (found,) = warned(tmp_path, rows, "{test: \"metadata ->> 'part' = 'b'\"}")
    assert found.startswith("split: prompts that are near-copies, of one conversation or made from one another")
    assert "2 of 4 in test ('Which river flows through town 4?' (train) and 'which river" in found, found


def test_shares_leak_nothing(tmp_path):
    rows = [row(f"Which river flows through town {n // 3}?" + " " * (n % 3)) for n in range(30)]
    assert warned(tmp_path, rows, "{test: 0.2}") == []


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("{test: 0.2, by: metadata.talk}", "by: metadata.talk has one value for all 20 prompts"),
        ("{test: 0.2, by: metadata.half}", "by: metadata.half is null for 10 of 20 prompts"),
        (
            "{test: 0.2, by: metadata.tak}",
            "by: no prompt has a value for 'metadata.tak'; did you mean 'metadata.talk'?",
        ),
        ("{test: 0.05, by: metadata.four}", "test: 0.05 asked, 0.25 came out, as families stay together: 4 of 20"),
    ],
)
def test_a_column_that_is_no_help_is_warned_of(tmp_path, split, words):
    rows = [row(f"question {n}", talk="x", half=n if n < 10 else None, four=f"f{n % 4}") for n in range(20)]
    found = warned(tmp_path, rows, split)
    assert any(one.startswith(f"split: {words}") for one in found), found


def test_openings_and_templates_are_said(tmp_path):
    turns = [("user", "Hi"), ("assistant", "Hello."), ("user", None), ("assistant", "Yes.")]
    rows = [{"messages": [{"role": r, "content": t or f"question {n}"} for r, t in turns]} for n in range(20)]
    (found,) = warned(tmp_path, rows, "{test: 0.2}")
    assert found.startswith("split: 20 prompts begin with one of few openings"), found
    long = "Read the text of the student with care, think about each step before you answer, and say: what is {}?"
    rows = [row(long.format(n)) for n in range(20)]
    (found,) = warned(tmp_path, rows, "{test: 0.2}")
    assert found.startswith("split: 20 prompts are near-duplicates of very many others"), found
    assert warned(tmp_path, rows, "{test: 0.2, near_duplicates: 0}") == []


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("{test: 0.1, by: 0.1}", "split.by: expected the column whose equal values stay in one split"),
        ("{test: 0.1, by: \"source = 'a'\"}", "no split can be called by"),
        ("{test: 0.1, near_duplicates: 2}", "split.near_duplicates: expected a similarity from 0 to 1"),
        ("{test: 0.1, by: talk}", "split.by: no column 'talk'; a key of the sources' rows is metadata.talk (there"),
        ("{test: 0.1, by: source.x}", "split.by: 'source' has no keys"),
        ("{by: source}", "split: expected a split beside by, such as test: 0.1"),
    ],
)
def test_a_setting_that_is_wrong_is_refused(tmp_path, split, words):
    with pytest.raises(UserError) as error:
        plan(recipe(tmp_path, [row("q", talk=1)], SFT, f"split: {split}\n"))
    assert words in str(error.value), error.value


def test_settings_of_the_split_remake_a_dataset(tmp_path):
    rows = [row(f"question {n}", talk=n % 5) for n in range(20)]
    store = Store(tmp_path / "store")
    kept = set()
    for split in ("{test: 0.2}", "{test: 0.2, by: metadata.talk}", "{test: 0.2, near_duplicates: 0.5}"):
        job = recipe(tmp_path, rows, SFT, f"split: {split}\n")
        kept.add(run(job, store).stages["sft"].stage_id)
        assert all(stage.cached for stage in plan(job, store).stages)
    assert len(kept) == 3


def test_by_keeps_groups_on_one_side_in_every_dataset(tmp_path):
    rows = [row(f"question {n}", talk={"id": n // 4}) for n in range(40)]
    job = recipe(tmp_path, rows, f"{SFT}\nrl: {{type: prompt}}", "split: {test: 0.2, by: metadata.talk.id}\n")
    made = run(job, Store(tmp_path / "store"))
    sides = {}
    for prompt, split in made.datasets["rl"].select("prompt", "split").iter_rows():
        number = int(json.dumps(prompt).split("question ")[1].split('"')[0].rstrip("\\"))
        assert sides.setdefault(number // 4, split) == split
    assert sorted(sides.values()) == ["test"] * 2 + ["train"] * 8
    assert made.datasets["sft"]["split"].value_counts().sort("split")["count"].to_list() == [8, 32]


def test_tasks_that_go_to_one_side_whole_are_said(tmp_path):
    tasks = ["Translate the next English sentence into German word by word", "Write a short haiku about the next topic"]
    letters = [a + b for a in "abcdefgh" for b in "klmnop"]
    rows = [row(f"{task} and keep its tone as it is: w{word}rd") for task in tasks for word in letters]
    said = warned(
        tmp_path, [*rows, *(row(f"What is {n} and {word}?") for n, word in enumerate(letters))], {"test": 0.1}
    )
    assert any("2 families of near-duplicates hold 96 of 144 prompts (the largest 48" in text for text in said), said
