"""``gristmill check`` shows the rows of a KTO training with their labels and counts, or says that none are known."""

import json
from pathlib import Path

import pytest

from tests.command import call, mistake
from tests.optional import needs

pytestmark = [needs("torch", "tokenizers", "jinja2", "trl"), pytest.mark.slow]  # the tiny model

ROWS = [{"prompt": f"question {n}", "completion": f"answer {n}", "label": n % 3 > 0} for n in range(6)]


def write(folder: Path, model: Path, rows: list[dict], dataset: str, more: str = "", options: str = "") -> str:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = folder / "r.yaml"
    file.write_text(
        f"name: r\nmodels: {{student: '{model}'}}\nprompts:\n  - source: rows.jsonl\n{more}"
        f"datasets:\n  kto: {dataset}\n"
        f"train:\n  k: {{trainer: kto, dataset: kto, model: student{options}}}\n"
    )
    return str(file)


def checked(folder: Path, file: str) -> str:
    done = call(folder, "check", file)
    assert done.code == 0, done
    return done.out + done.err


def test_rows_have_their_label_before_a_run_and_after_it(tmp_path: Path, tiny: Path):
    file = write(tmp_path, tiny, ROWS, "{type: unpaired}")
    before = checked(tmp_path, file)
    assert "train.k: of 6 rows: 4 good and 2 bad, 6 turns, " in before
    assert "train.k, row rows.jsonl:1 (bad): " in before and "train.k, row rows.jsonl:2 (good): " in before
    assert "⟦answer 1<|im_end|>⏎⟧" in before
    assert call(tmp_path, "run", file).code == 0
    after = checked(tmp_path, file)
    assert "train.k: of 6 rows: 4 good and 2 bad, 6 turns, " in after
    assert after.count(" (good): ") + after.count(" (bad): ") == before.count(" (good): ") + before.count(" (bad): ")


def test_a_label_by_a_score_still_to_come_is_not_shown(tmp_path: Path, tiny: Path):
    more = "completions:\n  - score: {use: length, as: chars, unit: characters}\n"
    file = write(tmp_path, tiny, ROWS, "{type: unpaired, by: chars, threshold: 9}", more)
    shown = checked(tmp_path, file)
    assert "train.k: of 6 rows: 6 turns, " in shown and " (good)" not in shown and " (bad)" not in shown


def test_the_threshold_labels_what_is_recorded(tmp_path: Path, tiny: Path):
    rows = [row | {"rating": n} for n, row in enumerate(ROWS)]
    rows[0].pop("rating")
    shown = checked(tmp_path, write(tmp_path, tiny, rows, "{type: unpaired, by: rating, threshold: 3}"))
    assert "train.k: of 5 rows: 3 good and 2 bad, 5 turns, " in shown


def test_recorded_pairs_are_labelled_by_their_side(tmp_path: Path, tiny: Path):
    rows = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(2)]
    shown = checked(tmp_path, write(tmp_path, tiny, rows, "{type: unpaired, select: recorded_pairs}"))
    assert "of 4 rows: 2 good and 2 bad" in shown and "rows.jsonl:1, answer 2 (bad): " in shown


def test_one_label_and_bad_options_are_refused_before_a_training(tmp_path: Path, tiny: Path):
    file = write(tmp_path, tiny, [row | {"label": True} for row in ROWS], "{type: unpaired}")
    assert "all 6 rows that are known before the run are good answers; KTO learns" in checked(tmp_path, file)
    assert call(tmp_path, "run", file).code == 0
    said = mistake(call(tmp_path, "check", file))
    assert "train.k: all 6 rows are good answers; KTO learns from good answers and bad ones" in said
    file = write(tmp_path, tiny, ROWS, "{type: unpaired}", options=", per_device_train_batch_size: 1")
    assert "per_device_train_batch_size: KTO estimates the KL" in mistake(call(tmp_path, "check", file))
