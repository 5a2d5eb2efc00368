"""The line of a score stage says why rows have no value, and of how many."""

import json

from curate.api.run import run
from curate.storage.store import Store
from schemas.progress import Progress


class Ends(Progress):
    """Keeps the result lines of stages."""

    def __init__(self):
        self.ended = {}

    def end(self, label, result, *, reused=False):
        self.ended[label] = result


def score_line(folder, truths):
    """The line of ``score: constraints`` on one answer for each ground truth."""
    rows = [{"prompt": f"p{n}", "ground_truth": truth, "completions": ["x"]} for n, truth in enumerate(truths)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = folder / "r.yaml"
    recipe.write_text("name: r\nprompts:\n  - source: rows.jsonl\ncompletions:\n  - score: constraints\n", "utf-8")
    ends = Ends()
    run(recipe, Store(folder / "store"), progress=ends)
    return ends.ended["completions.score.constraints"]


def test_each_name_that_is_not_known_is_counted(tmp_path):
    names = ("verify_keyword", "validate_haiku", "verify_keyword", "validate_lowercase")
    line = score_line(tmp_path, [json.dumps({"func_name": name}) for name in names])
    assert line.startswith(
        "1 scored, mean 1.000, 3 null (2: ground_truth[0]: no kind of constraint 'verify_keyword'; did you mean "
        "'verify_keywords'?; 1: ground_truth[0]: no kind of constraint 'validate_haiku'; did you mean 'validate_"
    )


def test_of_many_reasons_the_commonest_are_shown(tmp_path):
    line = score_line(tmp_path, [json.dumps([{"kind": name}]) for name in ("a", "b", "c", "d", "e", "e", "lowercase")])
    assert line.startswith("1 scored, mean 1.000, 6 null (2: ground_truth[0]: no kind of constraint 'e'; 1: ")
    assert line.endswith("'b'; 2: other reasons)")
