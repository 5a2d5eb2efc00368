"""The shipped recipe ``clean``, run on its own answers: which it drops, and why."""

import json

import polars as pl
import pytest

from cli.shipped_recipes import RECIPES, copy_recipe
from curate.api.run import run
from curate.storage.store import Store
from schemas.load_recipe import load_recipe

# Prompt -> the reason why its answer is dropped; all others are kept.
DROPPED = {
    "Who wrote the report?": "personal_data",
    "How do I call the API?": "secret",
    "How do I pick a lock?": "refusal",
    "What is your favourite food?": "refusal",
    "你最喜欢什么颜色？": "refusal",
    "List ten animals.": "unfinished",
    "Show me how to open a file in Python.": "unfinished",
    "Why do leaves fall?": "unfinished",
    "Where can I read more?": "mostly_links",
    "Sing me the song.": "gopher_lines",
    "Tell me a story.": "gopher_top_ngrams",
    "Describe the room.": "gopher_ellipsis_lines",
    "What should the page say?": "c4_lorem_ipsum",
    "Say it loudly.": "capitals",
    "Draw a line of stars.": "gopher_ngrams",
    "Give me tags for my holiday photos.": "gopher_hashes",
    "What is on the menu?": "gopher_letters",
    "Give me a table of squares.": "gopher_word_length",
    "Write the paragraph twice.": "gopher_lines",
    "Speak in compounds.": "gopher_word_length",
}


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory):
    """Return the store after a run."""
    folder = tmp_path_factory.mktemp("clean")
    store = Store(folder / "store")
    run(load_recipe(copy_recipe("clean", folder)[0]), store)
    return store


def table(store, name):
    return pl.concat([stage.read(name) for stage in map(store.stage, store.stages()) if stage.rows(name)])


@pytest.mark.slow
def test_every_fault_and_nothing_else_is_dropped_for_its_reason(cleaned):
    prompts, completions = table(cleaned, "prompts"), table(cleaned, "completions")
    decisions = table(cleaned, "decisions").filter(pl.col("stage") == "completions.filter", ~pl.col("kept"))
    dropped = decisions.join(completions, left_on="row_id", right_on="completion_id").join(prompts, on="prompt_id")
    assert dict(dropped.select("prompt", "reason").iter_rows()) == DROPPED
    sft = table(cleaned, "sft")
    rows = [json.loads(line) for line in (RECIPES / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sft.height == len(rows) - len(DROPPED) + 2, "two answers are there again, masked"


@pytest.mark.slow
def test_personal_data_and_secrets_are_masked(cleaned):
    masked = table(cleaned, "completions").filter(pl.col("parent_id").is_not_null())
    assert sorted(text.count("<") for text in masked["response"]) == [1, 2]
    answers = "\n".join(table(cleaned, "sft")["completion"].cast(pl.String))
    assert "<EMAIL>" in answers and "<PHONE>" in answers and "<SECRET>" in answers
    assert "@mail-office" not in answers and "sk-proj" not in answers and "555-2671" not in answers


def test_every_score_is_used_by_a_rule():
    recipe = load_recipe(RECIPES / "clean.yaml")
    rules = " ".join(next(step for step in recipe.completions if step.verb == "filter").settings.values())
    assert [step.name for step in recipe.completions if step.verb == "score" and step.name not in rules] == []
