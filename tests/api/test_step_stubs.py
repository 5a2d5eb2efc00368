"""The stubs of the folders of steps are of today's steps, and a type checker accepts right calls and no others."""

import subprocess
import sys
from pathlib import Path

import pytest

from curate.api.call_step import KINDS
from tests.api.step_stubs import path, stub
from tests.optional import needs

ROOT = Path(__file__).parent.parent.parent

RIGHT = """
import numpy as np
import polars as pl

from curate.dedup import exact, minhash, semantic
from curate.score import combine, judge, length, math, pass_rate, regex, repeated_lines
from curate.score.length import score
from curate.select import best_of_n, k_center, own_vs_teacher, random

texts = ["a b", None]
frame: pl.DataFrame = length(texts, unit="words")
length(frame), length(frame.lazy()), length({"response": texts}), length(np.array(texts)), length(response=frame["a"])
math(["5"], [4]), math(["5"], ground_truth=({"answer": 4},))
combine(frame, sql="a + b", a=[1], b=[2]), combine(sql="a + b", a=[1], b=[2])
regex(["a"], pattern="a"), repeated_lines(["a"], by="number"), pass_rate(["p"], by="q", q=[1])
judge(["a"], [[{"role": "user", "content": "b"}]], model="m", models={"m": {"engine": "openai", "model": "n"}})
exact(frame, on="q", keep="best", by="s"), exact(["a"], against=["x.jsonl"]), minhash(texts, unit="words", seed=3)
semantic(embedding=[[1, 0], [0, 1]], threshold=0.9), k_center(embedding=np.eye(3), keep=2), random(texts, keep=0.5)
best_of_n(["p"], score=[1], n=1), own_vs_teacher(["p"], ["a"], ["big"], teacher="big", student="small")
score(frame["response"], frame["tokens"], unit="words")
"""


def checked(script: str, folder: Path) -> list[str]:
    """Return the lines and the rules of a script's mistakes, as ty finds them: ``["5 not-callable"]``."""
    (folder / "script.py").write_text(script, encoding="utf-8")
    (folder / "ty.toml").write_text(f'[environment]\nextra-paths = ["{ROOT}"]\n', encoding="utf-8")
    command = [sys.executable, "-m", "ty", "check", "--python", sys.prefix, "--output-format", "concise", "script.py"]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("script.py:")]
    assert done.returncode == bool(lines), done.stdout + done.stderr
    return [f"{line.split(':')[1]} {line.partition('[')[2].partition(']')[0]}" for line in lines]


@pytest.mark.parametrize("kind", KINDS)
def test_the_stubs_are_of_the_steps_as_they_are(kind):
    assert path(kind).read_text(encoding="utf-8") == stub(kind), "a step has changed: run `make stubs`"


@needs("ty")
@pytest.mark.slow
def test_right_calls_have_no_mistake(tmp_path):
    assert checked(RIGHT, tmp_path) == []


@needs("ty")
@pytest.mark.slow
def test_wrong_calls_are_found(tmp_path):
    calls = {
        'length(["a"], unit="wordz")': "invalid-argument-type",
        'length(["a"], uint="words")': "unknown-argument",
        'length("one text")': "invalid-argument-type",
        'length(["a"], ["b"], ["c"])': "too-many-positional-arguments",
        'length(["a"]).no_such': "missing-attribute",
        'length(["a"], by="q")': "unknown-argument",
        'regex(["a"])': "missing-argument",
        'minhash(["a"], keep="bst")': "invalid-argument-type",
        'minhash(["a"], thresold="0.8")': "invalid-argument-type",  # a column of another name holds no text alone
        'k_center(["a"], keep="2")': "invalid-argument-type",
    }
    imports = (
        "from curate.dedup import minhash\nfrom curate.score import length, regex\nfrom curate.select import k_center\n"
    )
    expected = [f"{line} {rule}" for line, rule in enumerate(calls.values(), 4)]
    assert checked(imports + "\n".join(calls), tmp_path) == expected
