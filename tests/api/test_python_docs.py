"""docs/python.md: its examples run, in order, and give what their comments say."""

import re
from pathlib import Path

import polars as pl
import pytest

from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # seconds for the file

PAGE = Path(__file__).parent.parent.parent / "docs" / "python.md"
WITH_VALUES = re.compile(r"^(?P<code>[a-z_]+\(.*)\[\"(value|kept)\"\]\s+# (?P<values>[\w., ]+)$")


def examples(*more: str) -> list[str]:
    """The page's blocks of Python in order: those marked with nothing, or with one of ``more``."""
    blocks = re.findall(r"^```python ?(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.S | re.M)
    return [code for mark, code in blocks if mark in ("", *more)]


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The names that all examples together define, run in an empty folder."""
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    defined: dict = {}
    for number, code in enumerate(examples()):
        exec(compile(code, f"{PAGE.name}, example {number + 1}", "exec"), defined)
    return defined


def test_the_examples_give_what_the_page_says(names):
    result, store = names["result"], names["store"]
    assert dict(result.summary().group_by("dataset").agg(pl.col("rows").sum()).rows()) == {"sft": 3, "dpo": 3}
    assert result.dropped().filter(reason="too_long")["dropped"].item() == 1
    assert result.costs["requests"].sum() == 0 and "sft" in repr(result)
    assert names["train_rows"][0]["prompt"][0]["role"] == "user"
    assert store.sql("SELECT count(*) FROM completions").fetchall() == [(8,)]
    checked = 0
    for line in "\n".join(examples()).splitlines():
        if found := WITH_VALUES.match(line):
            expression = line.split("  #")[0].strip()
            values = eval(expression, names).to_list()
            assert values == [eval(text) for text in found["values"].split(", ")], line
            checked += 1
    assert checked >= 4


@pytest.mark.slow
def test_the_examples_that_train_and_run_code_give_it_too(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("trl")
    monkeypatch.chdir(tmp_path)
    defined: dict = {}
    with Stub() as stub:
        stands_for = {"smollm2-135m": str(tiny), "Qwen/Qwen3-0.6B": str(tiny), "https://api.openai.com/v1": stub.url}
        for code in examples("trains", "sandbox", "served"):
            for shown, used in stands_for.items():
                code = code.replace(shown, used)
            exec(compile(code, PAGE.name, "exec"), defined)
        assert stub.stats()["requests"] == 1
    assert defined["models"]["tuned"].rows["fate"].to_list() == ["trained"] * 2
    assert defined["models"]["tuned"].losses.height > 0 and defined["models"]["tuned"].path.is_dir()
    assert defined["outcome"].comparison["model"].unique().sort().to_list() == ["student", "tuned"]
    code, truth = "def double(x): return 2 * x", {"test_list": ["assert double(2) == 4"]}
    assert defined["code"]([code], [truth])["value"].to_list() == [1.0]
