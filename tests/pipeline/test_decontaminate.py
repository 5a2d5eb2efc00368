"""Decontaminating a run's prompts and candidates: what is dropped, what is said of it, and what a recipe may say."""

import json

import numpy as np
import polars as pl
import pytest

from curate.algorithms.overlap.benchmark_index import make_index
from curate.api.run import plan, run
from curate.pipeline.overlap_rule import SemanticRule, find_overlaps, nearest_rows, semantic_rule
from curate.sources.benchmarks import SHIPPED, read_benchmarks
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from tests.jobs import query

EGGS = "How many eggs does Janet sell every day at the farmers' market near her home?"
TRAIN = "If a train leaves Rome at noon and runs 60 miles an hour, when is it in Milan, 360 miles away?"
WHO = "Who are you?"
BENCH = [{"question": EGGS}, {"question": TRAIN}, {"question": WHO}]
ROWS = [
    {"prompt": "Please answer: " + EGGS + " Show your work.", "completions": ["9 eggs", "As they asked: " + TRAIN]},
    {"prompt": "who are YOU", "completions": ["A model."]},
    {"prompt": "What is the capital of France?", "completions": ["Paris", EGGS, ""]},
    {"prompt": "Tell me who you are, please, and what you can do for me.", "completions": ["Who, are you!"]},
]
AGAINST = "{path: bench.jsonl, fields: {prompt: question}}"


def job(folder, prompts="", completions="", rows=ROWS, bench=BENCH):
    """Write the rows, the benchmark and a recipe; returns the recipe."""
    for name, held in (("rows.jsonl", rows), ("bench.jsonl", bench)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in held), encoding="utf-8")
    steps = f"prompts:\n  - source: rows.jsonl\n{prompts}" + (f"completions:\n{completions}" if completions else "")
    (folder / "r.yaml").write_text(f"name: r\n{steps}", encoding="utf-8")
    return load_recipe(folder / "r.yaml")


def dropped(store, table, id_, text):
    """The rows that are out: their text, the reason, the evidence."""
    found = query(
        store,
        f"SELECT {text}, reason, evidence FROM decisions JOIN {table} ON {id_} = row_id "
        f"WHERE NOT kept AND stage LIKE '{table}.decontaminate%' ORDER BY 1",
    )
    return [(text, reason, json.loads(evidence)) for text, reason, evidence in found.rows()]


def test_prompts_are_dropped_with_rule_row_and_matching_text(tmp_path):
    store = Store(tmp_path / "store")
    run(job(tmp_path, f"  - decontaminate: {{against: {AGAINST}}}\n"), store)
    assert dropped(store, "prompts", "prompt_id", "prompt") == [
        (
            ROWS[0]["prompt"],
            "overlaps a benchmark (n-grams)",
            {"how": "n-grams", "file": "bench.jsonl", "line": 1, "overlap": 1.0, "text": EGGS, "shared": EGGS[:-1]},
        ),
        (
            "who are YOU",
            "overlaps a benchmark (exact)",
            {"how": "exact", "file": "bench.jsonl", "line": 3, "overlap": 1.0, "text": WHO, "shared": "who are YOU"},
        ),
    ]
    assert [stage.note for stage in plan(load_recipe(tmp_path / "r.yaml"), store).stages][-1] == (
        "2 of 4 kept; 1 exact, 1 n-grams; bench.jsonl 2; 1 of 3 benchmark rows have fewer than 8 words and match only "
        "what equals them"
    )


def test_every_turn_of_a_conversation_is_compared(tmp_path):
    def chat(*texts):
        roles = ("user", "assistant")
        return {"messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]}

    rows = [
        chat("Quote: " + EGGS, "9 eggs", "Thanks. Say hello.", "Hello."),
        chat("Name a river.", "The Po. " + TRAIN, "Go on.", "No."),
        chat("Name a river.", "The Rhine.", "Go on.", "The Elbe."),
        chat("Say hello.", "Hello.", "who are YOU", "A model."),
        {"prompt": "Name a town.", "completions": ["Rome."]},
    ]
    store = Store(tmp_path / "store")
    run(job(tmp_path, f"  - decontaminate: {{against: {AGAINST}}}\n", rows=rows), store)
    found = dropped(store, "prompts", "prompt_id", "prompt")
    assert [(text, said["how"], said["line"], said["shared"]) for text, _, said in found] == [
        ("Go on.", "n-grams", 2, TRAIN[:-1]),
        ("Thanks. Say hello.", "n-grams", 1, EGGS[:-1]),
        ("who are YOU", "exact", 3, "who are YOU"),
    ]
    assert query(store, "SELECT count(*) FROM decisions WHERE kept AND stage LIKE '%decontaminate'").item() == 2


def test_candidates_are_compared_by_response_or_another_column(tmp_path):
    store = Store(tmp_path / "store")
    steps = f"  - decontaminate: {{against: {AGAINST}, share_of: row}}\n"
    run(job(tmp_path, completions=steps + steps.replace("share_of", "on: prompt, share_of")), store)
    found = dropped(store, "completions", "completion_id", "response")
    assert [(text, reason) for text, reason, _ in found] == [
        ("9 eggs", "overlaps a benchmark (n-grams)"),
        ("A model.", "overlaps a benchmark (exact)"),
        ("As they asked: " + TRAIN, "overlaps a benchmark (n-grams)"),
        (EGGS, "overlaps a benchmark (exact)"),
        ("Who, are you!", "overlaps a benchmark (exact)"),
    ]
    assert found[0][2]["overlap"] == pytest.approx(15 / 20) and found[2][2]["line"] == 2


@pytest.mark.slow
def test_the_benchmarks_content_and_settings_are_in_the_key(tmp_path):
    store = Store(tmp_path / "store")

    def cached(settings="", bench=BENCH):
        recipe = job(tmp_path, f"  - decontaminate: {{against: {AGAINST}{settings}}}\n", bench=bench)
        before = [stage.cached for stage in plan(recipe, store).stages]
        run(recipe, store)
        return before[-1]

    assert [cached(), cached(), cached(", ngram: 13"), cached(", share_of: either"), cached()] == [
        False,
        True,
        False,
        False,
        True,
    ]
    assert not cached(bench=[*BENCH, {"question": "Another one"}])


def test_more_batches_than_one_are_the_same_as_one():
    texts = pl.Series([EGGS, None, "x", TRAIN + " Quickly!", WHO, "", EGGS.lower()])
    index = make_index(pl.Series([row["question"] for row in BENCH]))
    whole = find_overlaps(texts, index, None)
    assert whole["how"].to_list() == ["exact", None, None, "n-grams", "exact", None, "exact"]
    assert pl.concat([find_overlaps(texts[at : at + 1], index, None) for at in range(len(texts))]).equals(whole)


def test_near_ones_are_those_whose_cosine_reaches_the_threshold():
    bench = np.array([[1, 0], [0, 1]], np.float32)
    rows = np.array([[3, 4], [0, 0], [np.nan, 1], [-1, 0], [0, -2], [8, 6]], np.float32)
    embedding = pl.Series(rows, dtype=pl.Array(pl.Float32, 2))
    hit, which, cosine = nearest_rows(SemanticRule(0.8, letters, bench, np.array([4, 7])), embedding)
    assert (hit.tolist(), which.tolist()) == ([0, 5], [7, 4]) and cosine == pytest.approx([0.8, 0.8])
    assert nearest_rows(SemanticRule(0.81, letters, bench, np.array([4, 7])), embedding)[0].tolist() == []


def letters(texts):
    """A vector a text: how often it has each of five letters; a text without them has none."""
    counts = [[text.count(letter) for letter in "abcde"] for text in texts]
    return pl.Series(np.array(counts, np.float32), dtype=pl.Array(pl.Float32, 5))


def test_embeddings_are_made_of_what_other_rules_let_pass():
    asked = []

    def embed(texts):
        asked.append(texts.to_list())
        return letters(texts)

    bench = pl.Series([None, "ab", "xyz", EGGS, "ccd"])
    near = semantic_rule(bench, 0.9, embed)
    assert near.rows.tolist() == [1, 3, 4]
    found = find_overlaps(pl.Series(["ba ba", "AB", " ", None, "xx", "dccdcc", "ad", EGGS]), make_index(bench), near)
    assert asked == [["ab", "xyz", EGGS, "ccd"], ["ba ba", "xx", "dccdcc", "ad"]]
    assert found.select("matched", "how", "similarity").rows() == [
        (1, "semantic", pytest.approx(1)),
        (1, "exact", None),
        *[(None, None, None)] * 3,
        (4, "semantic", pytest.approx(1)),
        (None, None, None),
        (3, "exact", None),
    ]
    assert (
        find_overlaps(pl.Series(["a"]), make_index(bench), semantic_rule(pl.Series([None, ""]), 0.9, embed))["how"][0]
        is None
    )


@pytest.mark.slow
def test_a_paraphrase_is_found_by_its_embedding(tmp_path):
    pytest.importorskip("sentence_transformers")
    store = Store(tmp_path / "store")
    other = {"prompt": "At the farmers' market close to home, what number of eggs is sold by Janet each day?"}
    run(job(tmp_path, f"  - decontaminate: {{against: {AGAINST}, semantic: 0.85}}\n", rows=[*ROWS, other]), store)
    ((_, reason, evidence),) = [row for row in dropped(store, "prompts", "prompt_id", "prompt") if "number" in row[0]]
    similarity = evidence.pop("similarity")
    assert reason == "overlaps a benchmark (semantic)" and 0.85 <= similarity < 1
    assert evidence == {"how": "semantic", "file": "bench.jsonl", "line": 1, "text": EGGS}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("against: bench.jsonl, ngrams: 8", "no setting of decontaminate called 'ngrams'; did you mean 'ngram'"),
        ("against: bench.jsonl, ngram: 1", "ngram must be 2 to 100 words"),
        ("against: bench.jsonl, match: every", "match: expected a number, or 'any', found 'every'"),
        ("against: bench.jsonl, ignore_case: all", "ignore_case: expected true or false, found 'all'"),
        ("against: bench.jsonl, share_of: rows", "no share_of 'rows'; did you mean 'row'"),
        ("against: bench.jsonl, semantic: 90", "semantic: expected a cosine above 0 and at most 1, found 90"),
        ("against: bench.jsonl, model: minilm", "model: is for the rule 'semantic'"),
        ("against: bench.jsonl, semantic: 0.9, model: minlm", "no model 'minlm'; did you mean 'minilm'"),
        ("against: bench.jsonl, semantic: 0.9, model: [a]", "model: expected the name of a model"),
        ("against: bench.jsonl, on: promt", "no column .to decontaminate. called 'promt'; did you mean 'prompt'"),
        ("against: gsm9k", "no file, hub data set or known benchmark 'gsm9k'; did you mean 'gsm8k'"),
        ("against: bensh.jsonl", "there is no file, store or hub data set 'bensh.jsonl'"),
        ("against: {path: bench.jsonl, field: {}}", "no key of against called 'field'; did you mean 'fields'"),
        ("against: [7]", "expected a file, or a list of files, hub data sets and known benchmarks, found 7"),
        ("against: {fields: {prompt: question}}", "expected a file, .* found {'fields'"),
        ("against: []", "expected a file"),
    ],
)
def test_what_a_recipe_cannot_say_is_one_line_with_its_place(tmp_path, settings, words):
    with pytest.raises(UserError, match=words) as error:
        plan(job(tmp_path, f"  - decontaminate: {{{settings}}}\n"), None)
    assert str(error.value).startswith(f"{tmp_path}/r.yaml:4: ")


def test_a_known_name_is_read_from_the_hub_once(tmp_path):
    asked = []

    def load(*names, **options):
        asked.append((names, options["split"]))
        return [{"question": EGGS, "passage": "Janet has hens."}]

    read = [read_benchmarks(["drop", "gsm8k"], tmp_path, tmp_path, "r.yaml:4", load) for _ in range(2)]
    assert asked == [(("ucinlp/drop", None), "validation"), (("openai/gsm8k", "main"), "test")]
    assert read[0].content == read[1].content and read[0].rows.rows() == [
        ("Janet has hens.\n" + EGGS, "drop", 1, None),
        (EGGS, "gsm8k", 1, None),
    ]


def test_all_configurations_of_a_known_name_are_read_or_missed(tmp_path):
    rows = read_benchmarks("math", tmp_path, tmp_path, "r.yaml:4", lambda path, name, **_: [{"problem": name}]).rows
    assert rows["text"].to_list() == list(SHIPPED["math"].configs) and rows["line"].to_list() == [1, 2, 3, 4, 5, 6, 7]

    def gated(*_, **__):
        raise RuntimeError("this dataset is gated\nlog in first")

    for load, words in (
        (lambda *_, **__: [{"text": "?"}], "a row of Idavidrein/gpqa has no text 'Question'"),
        (gated, "gpqa: .*gated"),
        (lambda *_, **__: [], "has no rows"),
    ):
        with pytest.raises(UserError, match="^r.yaml:4: decontaminate: against: .*" + words):
            read_benchmarks("gpqa", tmp_path, tmp_path, "r.yaml:4", load)


def test_a_file_goes_before_a_known_name(tmp_path):
    (tmp_path / "gsm8k").write_text('{"prompt": "Mine?"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="gsm8k"):  # which is no file that can be read: it has no ending
        read_benchmarks("gsm8k", tmp_path, tmp_path, "r.yaml:4")
