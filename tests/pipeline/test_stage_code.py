"""The code in a stage's key: all that runs while the stage is made, and nothing that its rows do not depend on."""

import json
import os
import shutil
import subprocess
import sys
import threading
from fnmatch import fnmatch
from pathlib import Path

import pytest

from curate.pipeline.run_state import RunState
from curate.pipeline.source_reader import SourceReader
from curate.pipeline.stage_spec import RunContext
from curate.run import run, stage_specs
from curate.steps.code_hash import ROOT, reachable
from curate.storage.rows import RowSet
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.progress import Progress

RECIPE = """
name: all_verbs
prompts:
  - source: rows.jsonl
  - dedup: {use: minhash, threshold: 0.9}
  - decontaminate: {against: eval.jsonl}
completions:
  - generate: {use: replace, find: "0", put: "7"}
  - score: math
  - score: {use: length, as: chars, unit: characters}
  - score: {use: pass_rate, by: math}
  - filter: {empty: "length(response) = 0"}
  - dedup: {use: exact}
  - select: {use: random, keep: 100}
datasets:
  sft: {type: sft, select: best_of_n, by: math, dedup: minhash, control: random}
  dpo: {type: preference, select: best_vs_worst, by: math, max_similarity: 0.9, control: random, match: tokens}
  rl: {type: prompt, where: "pass_rate between 0.0 and 1.0", by: math, control: random}
split: {test: 0.3}
"""
# The objects that a stage is handed, and what they call: they move rows, and make none.
EDGES = (
    "curate/storage/store.py",
    "curate/storage/stage.py",
    "curate/storage/files.py",
    "curate/storage/polars_types.py",
    "curate/pipeline/stage_spec.py",
    "curate/pipeline/source_reader.py",
    "curate/algorithms/compiled.py",
    "schemas/progress.py",
    "schemas/recipe.py",
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A recipe over recorded candidates that has every verb that needs no model, and its store, built."""
    folder = tmp_path_factory.mktemp("job")
    rows = [
        {
            "prompt": f"What is {n} times {n + 1}, and what comes after it in the row number {n}?",
            "ground_truth": str(n * (n + 1)),
            "completions": [f"It is {n * (n + 1)}.", f"Perhaps {n}?", f"{n}0", "I do not know"],
        }
        for n in range(20)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "eval.jsonl").write_text(json.dumps({"prompt": rows[3]["prompt"]}) + "\n", encoding="utf-8")
    (folder / "r.yaml").write_text(RECIPE, encoding="utf-8")
    run(load_recipe(folder / "r.yaml"), Store(folder / "store"))
    return folder / "r.yaml"


def calls_of(spec, store):
    """Make a stage; return the top-level definitions of ours that ran, as (file, name)."""
    found = set()

    def note(frame, event, _):
        if event == "call":
            code = frame.f_code
            name = code.co_qualname.split(".")[0]
            if code.co_filename.startswith(f"{ROOT}/") and "<" not in name and "/tests/" not in code.co_filename:
                found.add((code.co_filename.removeprefix(f"{ROOT}/"), name))

    with store.new_stage(spec.stage_id, spec.label, what=spec.depends_on) as writer:
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            writer.info["result"] = spec.build(writer, RunContext(store, Progress()))
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return found


def test_all_code_that_runs_while_a_stage_is_made_is_in_its_key(recipe, tmp_path):
    store = Store(tmp_path / "store")
    state = RunState(load_recipe(recipe), store, SourceReader())
    seen = {}
    for spec in stage_specs(state):
        ran = {one for one in calls_of(spec, store) if one[0] not in EDGES}
        known = reachable(spec.build, spec.adopt, RowSet, *spec.code)
        missing = ran - {(str(one.file.relative_to(ROOT)), one.name) for one in known}
        assert not missing, f"{spec.label}: {sorted(missing)}"
        seen[spec.label] = len(ran)
        spec.adopt(store.stage(spec.stage_id))
    assert len(seen) == 16 and min(seen.values()) > 2, seen


# A definition, and the stages whose key an edit of it changes, as patterns of their labels.
EDITS = [
    ("curate/datasets/refine.py", "refine", ["datasets.sft", "datasets.dpo", "datasets.rl"]),
    ("curate/datasets/pairs.py", "choose_pairs", ["datasets.*"]),
    ("curate/pipeline/dedup.py", "duplicate_decisions", ["*.dedup.*", "datasets.sft", "datasets.dpo", "datasets.rl"]),
    ("curate/pipeline/split.py", "assign", ["datasets.*"]),
    ("curate/pipeline/filter.py", "write_filter_decisions", ["completions.filter"]),
    ("curate/steps/sql_conditions.py", "mentioned", ["datasets.*"]),
    ("curate/score/math.py", "score", ["completions.score.math"]),
    ("curate/score/length.py", "score", ["completions.score.chars"]),
    ("curate/dedup/exact.py", "dedup", ["completions.dedup.exact"]),
    ("curate/sources/read_source.py", "read_source", ["prompts.source.*"]),
    ("curate/storage/rows.py", "read_batches", ["[!p]*", "prompts.de*"]),
    ("curate/models/budget.py", "Budget", []),
    ("curate/models/gateway.py", "Gateway", []),
    ("curate/models/engine_settings.py", "check_model", []),
    ("curate/storage/sql_views.py", "publish", []),
    ("curate/storage/store.py", "Store", []),
    ("curate/steps/settings.py", "check_settings", []),
    ("curate/pipeline/run_record.py", "RunRecord", []),
    ("curate/pipeline/planner.py", "Planner", []),
    ("schemas/version.py", "VERSION", []),
]


@pytest.fixture(scope="module")
def codes_of(recipe, tmp_path_factory):
    """A function that edits files of a copy of our packages, and returns the code hash of each stage as it is there."""
    copy = tmp_path_factory.mktemp("copy")
    for package in ("schemas", "curate", "train"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    script, store = Path(__file__).with_name("stage_codes.py"), recipe.parent / "store"
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}

    def codes(edits):
        for file, text in edits.items():
            (copy / file).write_text(text, encoding="utf-8")
        try:
            command = [sys.executable, str(script), str(recipe), str(store)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=copy, timeout=120)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)
        finally:
            for file in edits:
                shutil.copy(ROOT / file, copy / file)

    return codes


@pytest.fixture(scope="module")
def unedited(codes_of):
    return codes_of({})


def rebound(file, name):
    """The text of a module in which a name is bound a second time, to what it was bound to before."""
    text = (ROOT / file).read_text(encoding="utf-8")
    assert f" {name}" in text or f"\n{name}" in text
    return f"{text}\n{name} = {name}\n"


@pytest.mark.parametrize(("file", "name", "stages"), EDITS, ids=[f"{file}:{name}" for file, name, _ in EDITS])
def test_an_edit_remakes_the_stages_whose_rows_depend_on_it_and_no_others(codes_of, unedited, file, name, stages):
    edited = codes_of({file: rebound(file, name)})
    changed = [label for label in unedited if edited[label] != unedited[label]]
    assert changed == [label for label in unedited if any(fnmatch(label, pattern) for pattern in stages)]


def test_docstrings_and_comments_remake_nothing(codes_of, unedited):
    edits = {}
    for package in ("schemas", "curate"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert text.startswith(('"""', 'r"""'))
            edits[str(path.relative_to(ROOT))] = (
                f"# A comment.\n{text.replace(chr(34) * 3, chr(34) * 3 + 'Edited. ', 1)}"
            )
    assert codes_of(edits) == unedited
