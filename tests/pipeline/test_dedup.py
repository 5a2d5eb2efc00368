"""Deduplicating and choosing in a recipe: other data, scores that decide who stays, evidence, and what is refused."""

import json
from pathlib import Path

import polars as pl
import pytest

from curate.api.run import run
from curate.models.model_ref import ModelRef
from curate.pipeline.row_rule import RowRule
from curate.steps.find_step import find_step
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from tests.choosing import built, picks, recorded
from tests.jobs import query

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

LONG = "Write one short poem about the cold rain that falls on the old stone roofs of my quiet home town in late autumn"
ROWS = [LONG + ".", "Name three rivers.", LONG + "!", LONG + " please.", "name three  RIVERS.", "What is 3 + 4?"]


def write(folder: Path, name: str, prompts: list[str]) -> None:
    lines = [json.dumps({"prompt": p}) for p in prompts]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def recipe(folder: Path, prompts: str, datasets: str = "rl: {type: prompt}"):
    (folder / "r.yaml").write_text(f"name: r\nprompts:\n  - source: new.jsonl\n{prompts}\ndatasets:\n  {datasets}\n")
    return load_recipe(folder / "r.yaml")


def dropped(store: Store) -> dict[str, dict]:
    """Each dropped prompt with its reason and evidence."""
    sql = "SELECT prompt, reason, evidence FROM decisions JOIN prompts ON row_id = prompt_id WHERE NOT kept"
    rows = query(store, sql)
    return {prompt: {"reason": reason} | json.loads(told) for prompt, reason, told in rows.iter_rows()}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "new.jsonl", ROWS)
    return tmp_path


def test_exact_names_the_row_that_is_kept(folder):
    store = Store(folder / "s")
    run(recipe(folder, "  - dedup: exact"), store)
    kept = query(store, "SELECT prompt_id FROM prompts WHERE prompt = 'Name three rivers.'").item()
    assert dropped(store) == {"name three  RIVERS.": {"reason": "duplicate (exact)", "of": kept, "similarity": 1.0}}


def test_minhash_keeps_the_longest_where_told_to(folder):
    store = Store(folder / "s")
    run(recipe(folder, "  - dedup: {use: minhash, threshold: 0.7, keep: longest}"), store)
    assert set(dropped(store)) == {LONG + ".", LONG + "!", "name three  RIVERS."} or set(dropped(store)) == {
        LONG + ".",
        LONG + "!",
        "Name three rivers.",
    }
    assert all(
        told["reason"] == "near-duplicate (minhash)" and told["similarity"] >= 0.7 for told in dropped(store).values()
    )


@pytest.mark.parametrize("use", ["exact", "minhash"])
def test_rows_of_other_data_are_said_with_file_and_line(folder, use):
    write(folder, "old.jsonl", ["Something else.", "NAME three rivers."])
    store = Store(folder / "s")
    run(recipe(folder, f"  - dedup: {{use: {use}, against: old.jsonl}}"), store)
    told = dropped(store)
    assert {"Name three rivers.", "name three  RIVERS."} <= set(told)
    for prompt in ("Name three rivers.", "name three  RIVERS."):
        evidence = told[prompt]
        assert (evidence["file"], evidence["line"], evidence["text"]) == ("old.jsonl", 2, "NAME three rivers.")
        assert evidence["similarity"] == 1.0
    assert "Something else." not in told, "other data's own rows are nobody's business"
    stage = next(s for s in store.runs()[-1]["stages"] if "dedup" in s["stage"])
    assert stage["rows_in"] == len(ROWS)


def test_a_set_that_grows_is_sketched_once(folder):
    write(folder, "old.jsonl", [f"An old question number {i} of many." for i in range(30)])
    store = Store(folder / "s")
    steps = "  - dedup: {use: minhash, against: old.jsonl}"
    run(recipe(folder, steps), store)
    first = {file.name for file in (store.path / "sketches").rglob("*.parquet")}
    write(folder, "new.jsonl", [*ROWS, "One more question, about bees."])
    run(recipe(folder, steps), store)
    more = [f for f in (store.path / "sketches").rglob("*.parquet") if f.name not in first]
    assert sum(pl.read_parquet(file).height for file in more) == 1


def test_an_earlier_store_is_other_data(folder):
    old = folder / "old"
    old.mkdir()
    write(old, "new.jsonl", ["Name three rivers.", "Name three rivers!"])
    run(recipe(old, "  - dedup: {use: exact, ignore_punctuation: true}"), Store(old / "store"))
    store = Store(folder / "s")
    run(recipe(folder, "  - dedup: {use: exact, against: old/store}"), store)
    told = dropped(store)
    assert set(told) == {"Name three rivers.", "name three  RIVERS."}
    assert {t["file"] for t in told.values()} == {"old/store"}


@pytest.mark.parametrize(
    ("against", "said"),
    [
        ("old.jsonk", r"r.yaml:4: against: there is no file, store or hub data set 'old.jsonk'"),
        ("[]", r"r.yaml:4: against: expected a file, a data set or a store, or a list of them, found \[\]"),
        ("{fields: {prompt: q}}", r"r.yaml:4: against: expected a file, a data set or a store, found"),
        ("{path: old.jsonl, lines: 3}", r"r.yaml:4: no key of against called 'lines'"),
        ("s", r"r.yaml:4: against: s is the store of this run; name another, or a file"),
    ],
)
def test_missing_other_data_is_reported_before_anything_is_done(folder, against, said):
    write(folder, "old.jsonl", ["x"])
    store = Store(folder / "s")
    with pytest.raises(UserError, match=said):
        run(recipe(folder, f"  - dedup: {{use: exact, against: {against}}}"), store)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            "dedup: {use: minhash, keep: best}",
            "r.yaml:4: dedup 'minhash': keep: best needs a score; name it with 'by'",
        ),
        (
            "dedup: {use: minhash, keep: best, by: nothing}",
            r"r.yaml:4: no number \(to keep the best by\) called 'nothing'",
        ),
        ("dedup: {use: minhash, keep: newest}", "r.yaml:4: dedup 'minhash': keep: expected"),
        ("dedup: {use: minhash, on: line}", r"r.yaml:4: no column \(to deduplicate on\) 'line'"),
        ("select: {use: random, keep: 2, seed: -3}", "r.yaml:4: select .random.: seed: expected a number from 0 up"),
        (
            "select: {use: random, keep: 2, against: old.jsonl}",
            "r.yaml:4: no setting of select 'random' called 'against'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(folder, step, said):
    with pytest.raises(UserError, match=said):
        run(recipe(folder, f"  - {step}"), Store(folder / "s"))


def test_rows_that_are_not_meant_are_not_compared_and_stay(folder):
    store = Store(folder / "s")
    run(recipe(folder, "  - dedup: {use: exact, where: \"prompt not like 'Name%'\"}"), store)
    assert dropped(store) == {}
    assert query(store, "SELECT count(*) FROM decisions WHERE kept").item() == len(ROWS)
    with pytest.raises(UserError, match="r.yaml:4: dedup.where: .*no_such"):
        run(recipe(folder, "  - dedup: {use: exact, where: no_such = 1}"), store)


ANSWERS = [
    recorded("Name a river.", ("The Rhine.", 0.2), ("the  RHINE.", 0.9), ("The Po.", 0.5)),
    recorded("Name another.", ("The rhine.", 0.4), ("The Elbe.", None)),
]


def test_the_best_of_near_candidates_stays(tmp_path):
    more = "completions:\n  - dedup: {use: exact, keep: best, by: quality}\n"
    store, said = built(tmp_path, ANSWERS, "all: {type: sft}", more)
    assert [text for _, text in picks(store, "all")] == ["The Po.", "the  RHINE.", "The Elbe."]
    assert said["all"].startswith("3 rows")


def test_the_best_of_near_dataset_rows_stays_by_its_score(tmp_path):
    view = "all: {type: sft, by: quality, dedup: {use: exact, on: response, keep: best}}"
    store, said = built(tmp_path, ANSWERS, view)
    assert [text for _, text in picks(store, "all")] == ["The Po.", "the  RHINE.", "The Elbe."]
    assert said["all"] == "3 rows (3 train); 2 left out by dedup"
    left = query(store, "SELECT stage, reason, evidence ->> 'of' AS of FROM decisions WHERE NOT kept")
    kept = query(store, "SELECT completion_id FROM completions WHERE response = 'the  RHINE.'").item()
    assert left.unique().rows() == [("datasets.all.dedup", "duplicate (exact)", kept)]


def test_dataset_rows_are_compared_with_other_data(tmp_path):
    rows = [json.dumps({"prompt": "x", "completions": ["the rhine."]})]
    (tmp_path / "old.jsonl").write_text("\n".join(rows))
    store, said = built(tmp_path, ANSWERS, "all: {type: sft, dedup: {use: exact, on: response, against: old.jsonl}}")
    assert said["all"] == "2 rows (2 train); 3 left out by dedup; 3 near other data (1 rows)"
    told = query(store, "SELECT evidence ->> 'file' AS f, evidence ->> 'line' AS l FROM decisions WHERE NOT kept")
    assert told.unique().rows() == [("old.jsonl", "1")]


CHAT = [
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Name a river."},
    {"role": "assistant", "content": "The Rhine."},
]


@pytest.mark.parametrize(
    ("view", "left"),
    [
        ("all: {type: sft, dedup: {use: exact, against: old.jsonl}}", 1),
        ("all: {type: sft, dedup: {use: exact, on: response, against: old.jsonl}}", 1),
        ("all: {type: prompt, dedup: {use: exact, against: old.jsonl}}", 1),
        ("all: {type: prompt, dedup: {use: exact, on: prompt, against: old.jsonl}}", 1),  # all turns, too
    ],
)
def test_other_rows_are_joined_as_the_rows_of_the_dataset_are(tmp_path, view, left):
    (tmp_path / "old.jsonl").write_text(json.dumps({"messages": CHAT}))
    rows = [{"messages": CHAT}, recorded("Name a river.", ("The Po.", None))]
    store, said = built(tmp_path, rows, view)
    assert said["all"].startswith(f"{left} "), said
    (tmp_path / "other").mkdir()
    built(tmp_path / "other", [{"messages": CHAT}], "all: {type: sft}")
    store, said = built(tmp_path, rows, view.replace("old.jsonl", "other/store"))
    assert said["all"].startswith(f"{left} "), said


def conversation(*turns: str, system: str = "") -> dict:
    """A row of alternating turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[index % 2], "content": text} for index, text in enumerate(turns)]
    return {"messages": [{"role": "system", "content": system}, *messages] if system else messages}


CONVERSATIONS = [
    conversation("Plan a trip to Rome for me.", "In May.", "Thanks!", "Welcome."),
    conversation("Write me a poem on rivers.", "The Po is long.", "Thanks!", "Any time."),
    conversation("Plan a trip to Rome for me.", "In May.", "Thanks!", "Bye."),
    conversation("Name a river.", "The Po."),
    conversation("Name a river.", "The Rhine.", system="Be brief."),
]


@pytest.mark.parametrize(
    ("steps", "dataset", "kept"),
    [
        ("  - dedup: exact", "{type: sft}", 3),  # a conversation that is there twice, and a question under two systems
        ("  - dedup: {use: minhash, threshold: 0.8}", "{type: sft}", 3),
        ("", "{type: sft, dedup: {use: exact, on: prompt}}", 3),
        ("completions:\n  - dedup: {use: exact, on: prompt}", "{type: sft}", 3),
        ("  - dedup: {use: exact, against: old.jsonl}", "{type: sft}", 2),
    ],
)
def test_conversations_that_end_alike_are_no_duplicates(folder, steps, dataset, kept):
    for name, rows in (("new", CONVERSATIONS), ("old", CONVERSATIONS[:1])):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    store = Store(folder / "s")
    run(recipe(folder, steps, f"all: {dataset}"), store)
    firsts = query(store, "SELECT prompt FROM sft")["prompt"]
    assert sum("poem" in text for text in firsts) == 1 and sum("river" in text for text in firsts) == 2
    assert query(store, "SELECT count(DISTINCT prompt_id) FROM sft").item() == kept


def test_trajectories_that_end_alike_are_no_duplicates(folder):
    call = {"type": "function", "function": {"name": "f", "arguments": {"of": 1}}}
    turns = [{"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "content": "2"}]
    done = {"role": "assistant", "content": "Done."}
    rows = [
        {"prompt": "Q1?", "completion": [*turns, done]},
        *({"prompt": f"Q{n}?", "completion": [done]} for n in "23"),
    ]
    (folder / "new.jsonl").write_text("\n".join(map(json.dumps, rows)))
    store = Store(folder / "s")
    run(recipe(folder, "completions:\n  - dedup: exact", "all: {type: sft}"), store)
    assert query(store, "SELECT count(*), count(*) FILTER (completion LIKE '%tool_calls%') FROM sft").rows() == [(2, 1)]


def test_a_pair_is_not_compared_as_a_whole_with_other_data(tmp_path):
    (tmp_path / "old.jsonl").write_text(json.dumps({"prompt": "x", "completions": ["y"]}))
    with pytest.raises(UserError, match="r.yaml:6: datasets.all.dedup: against: no other data has a pair's row"):
        built(tmp_path, ANSWERS, "all: {type: preference, by: quality, dedup: {use: exact, against: old.jsonl}}")


def test_answers_to_prompts_that_a_store_dropped_are_left_out(folder):
    old = folder / "old"
    old.mkdir()
    rows = [{"prompt": "Bad one.", "completions": ["The Rhine."]}, {"prompt": "Good one.", "completions": ["The Po."]}]
    (old / "new.jsonl").write_text("\n".join(map(json.dumps, rows)))
    steps = "  - filter: {bad: \"prompt like 'Bad%'\"}"
    run(recipe(old, steps, "all: {type: sft}"), Store(old / "store"))
    rows = [{"prompt": "Q?", "completions": ["The Rhine.", "The Po."]}]
    (folder / "new.jsonl").write_text("\n".join(map(json.dumps, rows)))
    store = Store(folder / "s")
    steps = "completions:\n  - dedup: {use: exact, against: old/store}"
    run(recipe(folder, steps, "all: {type: sft}"), store)
    left = query(store, "SELECT response FROM decisions JOIN completions ON row_id = completion_id WHERE NOT kept")
    assert left["response"].to_list() == ["The Po."]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("dedup: {use: exact, by: [x]}", r"r.yaml:4: no number \(to keep the best by\) called"),
        ("dedup: {use: exact, by: line}", "r.yaml:4: dedup 'exact': 'by' is for keep: best; found keep: first"),
        ("dedup: {use: minhash, model: minilm}", "r.yaml:4: no setting of dedup 'minhash' called 'model'"),
        ("dedup: {use: semantic, model: [minilm]}", "r.yaml:4: dedup 'semantic': model: expected a name, found"),
        ("dedup: {use: exact, against: {path: new.jsonl, hub: 3}}", "r.yaml:4: against: hub: expected a mapping"),
        ("dedup: {use: exact, against: {path: new.jsonl, fields: 3}}", "r.yaml:4: against: fields: expected a mapping"),
        (
            "dedup: {use: exact, on: family, against: new.jsonl}",
            "r.yaml:4: against: new.jsonl has no row with a 'family'",
        ),
        ("dedup: {use: minhash, permutations: 1000000000}", "r.yaml:4: dedup minhash: permutations must be .* at most"),
        ("select: {use: random, keep: 1, on: [x]}", "r.yaml:4: no column to select by"),
        (
            "select: {use: k_center, keep: 1, by: [x]}",
            r"r.yaml:4: select 'k_center': by: expected a name, found \['x'\]",
        ),
    ],
)
def test_slips_are_said_in_one_line(folder, step, said):
    with pytest.raises(UserError, match=said):
        run(recipe(folder, f"  - {step}"), Store(folder / "s"))


def test_answers_are_compared_by_all_their_turns_with_other_data(tmp_path):
    (tmp_path / "old.jsonl").write_text(json.dumps({"prompt": "x", "completions": ["an ox"]}))
    more = "completions:\n  - dedup: {use: exact, on: completion, against: old.jsonl}\n"
    store, said = built(tmp_path, [{"prompt": "y", "completions": ["An ox", "b"]}], "all: {type: sft}", more)
    assert [text for _, text in picks(store, "all")] == ["b"]


def test_other_data_by_another_name_is_named_by_it(folder):
    write(folder, "old.jsonl", ["NAME three rivers."])
    store = Store(folder / "s")
    run(recipe(folder, "  - dedup: {use: exact, against: old.jsonl}"), store)
    (folder / "old.jsonl").rename(folder / "older.jsonl")
    run(recipe(folder, "  - dedup: {use: exact, against: older.jsonl}"), store)
    assert {told["file"] for told in dropped(store).values() if "file" in told} == {"older.jsonl"}


def test_another_backend_of_the_embedding_model_is_another_rule(tmp_path):
    one, two = (ModelRef("m", "minilm@1", "minilm", settings=settings) for settings in ((), (("backend", "onnx"),)))
    step = find_step("dedup", "semantic")
    assert RowRule(step, {}, embedder=one).key() != RowRule(step, {}, embedder=two).key()


def test_a_model_on_a_server_embeds_nothing(folder):
    step = "  - dedup: {use: semantic, model: far}\nmodels: {far: {model: m, engine: openai, base_url: 'http://h/v1'}}"
    with pytest.raises(UserError, match="r.yaml:4: the engine 'openai' of the model 'far' makes no embeddings"):
        run(recipe(folder, step), Store(folder / "s"))
