"""The demo: no held-out question reaches its training, its flow runs to the end, and what it prints can be pasted."""

import json
import re
import shlex
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from cli.demo import what_was_learnt
from cli.options import command_line
from cli.shipped_recipes import copy_recipe
from curate import load_recipe, run
from curate.storage.sql_views import connect
from curate.storage.store import Store
from tests.command import call

VERDICT = 8  # the demo's step that says which answers are right
NO_MODEL = ["models={}", "completions=[]", "train={}", "evaluate=null"]


@pytest.fixture(scope="module")
def prompts(tmp_path_factory) -> dict[str, set[str]]:
    """The prompts of the demo by split, as a run without a model assigns and keeps them."""
    folder = tmp_path_factory.mktemp("demo")
    (recipe, *_) = copy_recipe("demo", folder)
    store = Store(folder / "store")
    run(load_recipe(recipe, [*NO_MODEL, "datasets={all: {type: prompt}}"]), store)
    with connect(store) as con:
        rows = con.execute("SELECT split, prompt FROM rl_prompts").fetchall()
    return {split: {json.loads(text)[-1]["content"] for s, text in rows if s == split} for split, _ in rows}


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def test_every_held_out_question_is_evaluated(prompts):
    assert {split: len(texts) for split, texts in prompts.items() if split != "train"} == {"identity": 90, "other": 150}
    held_out = (json.loads(line) for line in open(Path(copy_of("identity.jsonl")), encoding="utf-8"))
    assert Counter(row["metadata"]["about"] for row in held_out) == {"identity": 90, "other": 150}


def copy_of(name: str) -> Path:
    return Path(__file__).parents[2] / "cli" / "recipes" / name


def test_no_training_question_is_nearly_a_held_out_one(prompts):
    held_out = prompts["identity"] | prompts["other"]
    close = [
        (text, other)
        for text in prompts["train"]
        for other in held_out
        if len(words_of(text) & words_of(other)) >= 0.6 * len(words_of(text) | words_of(other))
    ]
    assert close == []
    written = [json.loads(line)["prompt"] for line in copy_of("questions.jsonl").read_text("utf-8").splitlines()]
    assert len(written) == len(set(written)) == 439
    assert prompts["train"] < set(written) and len(prompts["train"]) >= 420, "near-duplicates are dropped, few"


def test_it_was_tuned_on_questions_of_their_own(prompts):
    rows = [json.loads(line) for line in copy_of("questions_dev.jsonl").read_text("utf-8").splitlines()]
    assert Counter(row["metadata"]["about"] for row in rows) == {"identity": 60, "other": 60}
    close = [
        (row["prompt"], other)
        for row in rows
        for split, texts in prompts.items()
        for other in texts
        if len(words_of(row["prompt"]) & words_of(other)) >= 0.6 * len(words_of(row["prompt"]) | words_of(other))
    ]
    assert close == []


def test_no_question_gives_the_name():
    for name in ("questions.jsonl", "questions_dev.jsonl", "identity.jsonl"):
        assert "gristmill" not in copy_of(name).read_text("utf-8").casefold()


def test_another_name_is_one_setting():
    recipe = load_recipe(copy_of("demo.yaml"), ["values.assistant=Ada"])
    dumped = recipe.model_dump_json()
    assert "Gristmill" not in dumped and dumped.count("Ada") >= 8
    (named,) = [step for step in recipe.completions if step.settings.get("as") == "named"]
    assert named.settings["pattern"] == "Ada" and named.settings["literal"] is True


@pytest.mark.slow
def test_the_demo_runs_to_the_end_and_can_be_repeated(tmp_path, tiny):
    """With a tiny random model and a verdict on the length: the flow and the printed commands, not the gain."""
    copy_recipe("demo", tmp_path)
    for name, kept in (("identity.jsonl", 8), ("questions.jsonl", 12)):
        lines = (tmp_path / name).read_text("utf-8").splitlines()[:kept]
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    short = [f"completions.{step}.generate.{key}" for step in (0, 3) for key in ("system=Sing.", "examples=[]")]
    verdict = f"completions.{VERDICT}.score.sql=(named + completion_tokens) % 2"
    changes = [f"models.student={tiny}", "values.assistant=Ada", verdict, *short]
    changes += [f"train.{name}.lora.target_modules=all-linear" for name in ("sft", "dpo")]  # it has no layers 10 to 29
    flags = [part for change in changes for part in ("--set", change)]
    done = call(tmp_path, "demo", "--store", "kept", *flags)
    assert done.code == 0, done.err
    assert "What it learnt" in done.out and "gave the name Ada in" in done.out
    printed = [line.strip() for line in done.out.splitlines() if line.startswith("  gristmill ")]
    assert len(printed) >= 4
    for line in printed:
        assert call(tmp_path, *shlex.split(line)[1:]).code == 0, line
    again = call(tmp_path, "demo", "--store", "kept", *flags)
    assert again.code == 0 and again.out == done.out
    assert not [line for line in again.err.splitlines() if line.startswith("+")], "everything is reused"


def answers(*rows: tuple[str, str, str, float]) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema=["model", "split", "prompt", "value"], orient="row")
    return table.with_columns(prompt_id="prompt", response=pl.lit("I am a\nmodel."), scorer=pl.lit("named"))


def test_it_counts_the_answers_that_give_the_name():
    rows = [(m, s, f"{s} {i}?", float(m == "sft" and s == "identity" and i > 0)) for m in ("student", "sft")
            for s in ("identity", "other") for i in range(4)]  # fmt: skip
    lines = what_was_learnt(answers(*rows, ("sft", "retention", "r", 1.0)), "Gristmill")
    told = " ".join(lines)
    assert "student gave the name Gristmill in 0 of 4 answers, sft in 3 of 4." in told
    assert "0 of 4 answers of student and in 0 of 4 of sft." in told
    assert lines.count("    student: I am a⏎model.") == 3 and "  other 0?" in lines


def test_it_says_nothing_about_another_recipe():
    assert what_was_learnt(answers(("student", "test", "a?", 1.0)), "Gristmill") == []
    assert what_was_learnt(answers(("a", "identity", "b?", 1.0), ("a", "other", "c?", 0.0)), "") == []


def test_a_printed_command_names_the_program_that_runs(tmp_path, monkeypatch):
    program = tmp_path / ".venv" / "bin" / "gristmill"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRISTMILL_STORE", raising=False)
    monkeypatch.setattr(sys, "argv", [str(program), "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_line("show", store=Path("a b")) == ".venv/bin/gristmill show --store 'a b'"
    assert command_line("sql", "SELECT 'x'") == """.venv/bin/gristmill sql "SELECT 'x'\""""
    monkeypatch.setenv("PATH", str(program.parent))
    assert command_line("show") == "gristmill show"
    monkeypatch.setattr(sys, "argv", [".venv/bin/gristmill", "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_line("show") == ".venv/bin/gristmill show"
    monkeypatch.setenv("GRISTMILL_STORE", "kept")
    assert command_line("show", store=Path("kept")) == ".venv/bin/gristmill show"
