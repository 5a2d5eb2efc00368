"""The recipe in docs/curation.md runs on files of the same shape, and its queries return rows."""

import json
import re
from pathlib import Path

import pytest

from curate.api.run import run
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from tests.command import call
from tests.jobs import query

DOCS = (Path(__file__).parents[2] / "docs" / "curation.md").read_text(encoding="utf-8")
EN = [
    "Name three rivers of Europe.",
    "name three RIVERS of europe!",
    "What is the use of a hammer?",
    "Janet has 3 ducks that lay 16 eggs a day; how many eggs does she sell if she eats 3 of them each morning?",
]
ZH = ["请描述泰姬陵的建筑风格。", "描述泰姬陵的建筑风格。", "列出三种水果。"]
QUESTION = "Janet has 3 ducks that lay 16 eggs a day; how many eggs does she sell if she eats 3 of them each morning?"


@pytest.mark.slow
def test_the_recipe_of_the_docs_runs_and_its_queries_answer(tmp_path):
    recipe = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.S) if block.startswith("name: curation"))
    (tmp_path / "curation.yaml").write_text(recipe, encoding="utf-8")
    for name, prompts in (("alpaca_en_demo", EN), ("alpaca_zh_demo", ZH)):
        rows = [{"instruction": p, "input": "", "output": f"answer {i} {name}"} for i, p in enumerate(prompts)]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "gsm8k_test.jsonl").write_text(json.dumps({"question": QUESTION, "answer": "#### 13"}))
    store = Store(tmp_path / "store")
    run(load_recipe(tmp_path / "curation.yaml"), store)
    dropped = query(
        store,
        """SELECT stage, prompt FROM decisions JOIN prompts ON row_id = prompt_id
                            WHERE NOT kept AND stage LIKE 'prompts.%' ORDER BY ALL""",
    ).rows()
    assert dropped == [
        ("prompts.decontaminate", EN[3]),
        ("prompts.dedup.exact", EN[1]),
        ("prompts.dedup.minhash", ZH[1]),
    ]
    queries = re.findall(r'^    gristmill sql "(.*)"$', DOCS, re.M)
    assert len(queries) >= 4
    for sql in queries:
        done = call(tmp_path, "sql", sql)
        assert done.code == 0 and done.out.strip(), (sql, done.err)
