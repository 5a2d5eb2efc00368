"""``gristmill check`` of a training by a dotted path: what it says, and what it refuses at once."""

from pathlib import Path

import pytest

from tests.command import call
from tests.optional import needs

pytestmark = [needs("trl"), needs("tokenizers"), pytest.mark.slow]

RECIPE = """
name: dotted
models: {student: MODEL}
prompts: [{source: rows.jsonl}]
datasets: {pairs: {type: preference}}
train:
  odds: {trainer: TRAINER, dataset: pairs, model: student, beta: 0.2}
"""


def check(folder: Path, tiny: Path, trainer: str):
    row = '{"prompt": "2+2?", "chosen": "4", "rejected": "5"}\n{"prompt": "1+1?", "chosen": "2", "rejected": "3"}\n'
    (folder / "rows.jsonl").write_text(row)
    (folder / "r.yaml").write_text(RECIPE.replace("MODEL", str(tiny)).replace("TRAINER", trainer))
    return call(folder, "check", "r.yaml")


def test_it_says_that_the_rows_are_not_shown(tmp_path, tiny):
    done = check(tmp_path, tiny, "trl.experimental.orpo")
    assert done.code == 0, done.err
    assert "train.odds: trl.experimental.orpo tokenises the rows itself, so that they are not shown" in done.out


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ("trl.experimental.orpa", "did you mean 'trl.experimental.orpo'?"),
        ("trl.experimental.orpo, betta: 1", "no option of trl.ORPOConfig called 'betta'; did you mean 'beta'?"),
        ("os.path", "no trainer 'os.path': neither os/path.py nor os.py exists in"),
        ("trl.experimental.online_dpo, teacher: student", "takes no 'teacher'"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, tiny, trainer, message):
    done = check(tmp_path, tiny, trainer)
    assert done.code == 2 and message in done.err and done.err.startswith("error: r.yaml:7: ")
    assert done.err.count("\n") == 1
