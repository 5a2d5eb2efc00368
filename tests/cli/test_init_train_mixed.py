"""``gristmill init train``: rows of several layouts, a folder with a file that cannot be read, the name of its file."""

import json
from pathlib import Path

import pytest

from cli.first_recipe.jobs import jobs_of
from cli.first_recipe.look import look
from cli.first_recipe.recipe_text import LONGEST_NAME, file_name
from schemas.load_recipe import load_recipe
from tests.command import call

PLAIN = [{"prompt": f"Name river {i}.", "completion": "The Rhine."} for i in range(8)]
PAIRS = [{"prompt": f"Name hill {i}.", "chosen": "Zugspitze.", "rejected": "A cat."} for i in range(8)]
LABELS = [{"prompt": f"Name lake {i}.", "completion": "Garda.", "label": bool(i % 2)} for i in range(8)]
SUMS = [{"prompt": f"What is {i} + 1?", "ground_truth": str(i + 1)} for i in range(8)]


def write(file: Path, rows: list[dict]) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("rows", "trainers"),
    [
        ([*PLAIN, *PAIRS[:2]], ["sft", "dpo"]),
        ([*PLAIN[:2], *PAIRS], ["dpo", "sft"]),
        ([*PLAIN, *LABELS[:2]], ["sft", "kto"]),
        ([*PLAIN[:2], *LABELS], ["kto", "sft"]),
        ([*PLAIN[:2], *SUMS], ["grpo", "sft"]),
        ([*PLAIN, *SUMS[:2]], ["sft", "grpo"]),
    ],
)
def test_most_rows_say_what_is_learnt(tmp_path, rows, trainers):
    found = jobs_of(look(str(write(tmp_path / "rows.jsonl", rows)), None).source, None)
    assert [job.trainer for job in found] == trainers


@pytest.mark.slow
def test_a_few_pairs_add_their_good_answers_and_are_counted(tmp_path):
    write(tmp_path / "rows.jsonl", [*PLAIN, *PAIRS[:2]])
    done = call(tmp_path, "init", "train", "rows.jsonl")
    assert done.code == 0 and "by SFT: 10 rows of 10 rows" in done.out, done.out + done.err
    assert "several layouts: 8 rows are prompt-completion; 2 rows are preference" in done.out
    assert "--trainer dpo" in done.out
    ran = call(tmp_path, "run", "rows.yaml")
    assert ran.code == 0 and "10 rows (" in ran.err, ran.err


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_said_and_left_out(tmp_path):
    write(tmp_path / "data/a.jsonl", PLAIN[:4])
    write(tmp_path / "data/c.jsonl", PLAIN[4:])
    (tmp_path / "data/b.parquet").write_bytes(b"no Parquet")
    (tmp_path / "data/d.jsonl").symlink_to("nowhere")
    done = call(tmp_path, "init", "train", "data")
    assert done.code == 0 and "by SFT: 8 rows of 8 rows" in done.out, done.out + done.err
    assert [line.split(": ")[1] for line in done.out.splitlines() if "left out: " in line] == [
        "data/b.parquet",
        "data/d.jsonl",
    ]
    recipe = load_recipe(tmp_path / "data.yaml")
    assert [step.settings["path"] for step in recipe.prompts] == ["data/a.jsonl", "data/c.jsonl"]
    assert call(tmp_path, "run", "data.yaml").code == 0


def test_a_folder_of_which_nothing_can_be_read_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_bytes(b"no Parquet")
    done = call(tmp_path, "init", "train", ".")
    assert done.code == 2 and "a.parquet" in done.err and not list(tmp_path.glob("*.yaml"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("数据-1", "数据-1"), ("हिन्दी में", "हिन्दी_में"), ("données", "données"), ("Данные.v2", "Данные.v2"),
        ("a/b\\c\x1b[31m\u202e", "a_b_c_31m"), ("...", "data"), ("🌊", "data"),
    ],
)  # fmt: skip
def test_a_recipes_file_keeps_the_letters_of_its_data(text, name):
    assert file_name(text) == name


def test_a_long_name_is_cut():
    assert len(file_name("x" * 500)) == LONGEST_NAME == len(file_name("数" * 500))


@pytest.mark.slow
def test_a_chinese_file_gets_a_chinese_recipe(tmp_path):
    write(tmp_path / "数据.jsonl", PLAIN)
    done = call(tmp_path, "init", "train", "数据.jsonl")
    assert done.code == 0 and "wrote   数据.yaml" in done.out, done.err
    assert load_recipe(tmp_path / "数据.yaml").name == "data"
    assert call(tmp_path, "run", "数据.yaml").code == 0
