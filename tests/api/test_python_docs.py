"""docs/python.md: its examples run, in order, and give what their comments say."""

import re
from pathlib import Path

import polars as pl
import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "python.md"
WITH_VALUES = re.compile(r"^(?P<code>[a-z_]+\(.*)\[\"(value|kept)\"\]\s+# (?P<values>[\w., ]+)$")


def examples() -> list[str]:
    """Return the page's blocks of Python, in order."""
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.S | re.M)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The names that all examples together define, run in an empty folder."""
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
