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

from curate.api.run import run, stage_specs
from curate.models.gateway import Gateway
from curate.pipeline.run_state import RunState
from curate.pipeline.source_reader import SourceReader
from curate.pipeline.stage_spec import RunContext
from curate.steps.code_hash import ROOT, reachable
from curate.storage.rows import RowSet
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.progress import Progress
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

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
  kto: {type: unpaired, by: math, where: "chars > 0", control: random}
  unpaired: {type: unpaired, select: best_vs_worst, by: math, control: random}
  rl: {type: prompt, where: "pass_rate between 0.0 and 1.0", by: math, control: random}
split: {test: 0.3}
"""
ASKING = """
name: asking
models:
  a: {engine: openai, base_url: "URL", model: big, identity: big}
prompts:
  - source: rows.jsonl
  - generate: {use: evolve, model: a, n: 1, max_tokens: 40}
completions:
  - generate: {use: sample, model: a, n: 2, max_tokens: 40, where: "split = 'train'"}
  - generate: {use: rewrite, instruction: "Be brief.", model: a, max_tokens: 40}
  - generate: {use: sample, as: until, model: a, n: 1, max_tokens: 30, accept: 5, accepted: "chars > 3"}
  - score: {use: judge, model: a, explain: false}
  - score: {use: length, as: chars, unit: characters}
datasets:
  sft: {type: sft, select: best_of_n, by: judge}
split: {test: 0.3}
"""

OURS = tuple(f"{ROOT}/{package}/" for package in ("schemas", "curate", "train"))
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
    "curate/models/gateway.py",
    "curate/storage/reply_log.py",
    "curate/pipeline/run_state.py",
    "curate/models/engine.py",
    "schemas/token_count.py",  # which bounds what the log of replies gives
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


def calls_of(spec, run):
    """Have a stage's models asked and make it; return the top-level definitions of ours that ran, as (file, name)."""
    found = set()

    def note(frame, event, _):
        if event == "call":
            file, name = frame.f_code.co_filename, frame.f_code.co_qualname.split(".")[0]
            if file.startswith(OURS) and "<" not in name:
                found.add((file.removeprefix(f"{ROOT}/"), name))

    if spec.ask:
        assert spec.ask(run) == ""
    with run.store.new_stage(spec.stage_id, spec.label, what=spec.depends_on) as writer:
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            writer.info["result"] = spec.build(writer, run)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return found


def check_all_code_is_in_the_keys(recipe, run):
    """Make a recipe's stages, and check that all code that ran is in their keys; returns how much ran for each."""
    state, seen = RunState(recipe, run.store, SourceReader()), {}
    for spec in stage_specs(state):
        ran = {one for one in calls_of(spec, run) if one[0] not in EDGES}
        known = reachable(spec.build, spec.adopt, RowSet, *spec.code)
        missing = ran - {(str(one.file.relative_to(ROOT)), one.name) for one in known}
        assert not missing, f"{spec.label}: {sorted(missing)}"
        seen[spec.label] = len(ran)
        spec.adopt(run.store.stage(spec.stage_id))
    return seen


def test_all_code_that_runs_while_a_stage_is_made_is_in_its_key(recipe, tmp_path):
    store = Store(tmp_path / "store")
    seen = check_all_code_is_in_the_keys(load_recipe(recipe), RunContext(store, Progress()))
    assert len(seen) == 20 and min(seen.values()) > 2, seen


@pytest.mark.slow
def test_so_is_the_code_of_stages_that_ask_models(recipe, tmp_path):
    shutil.copy(recipe.parent / "rows.jsonl", tmp_path)
    with Stub() as stub:
        (tmp_path / "r.yaml").write_text(ASKING.replace("URL", stub.url), encoding="utf-8")
        asking = load_recipe(tmp_path / "r.yaml")
        run(asking, Store(tmp_path / "warm"))  # what importing modules runs is not of a stage
        store = Store(tmp_path / "store")
        with Gateway(store, Progress()) as gateway:
            seen = check_all_code_is_in_the_keys(asking, RunContext(store, Progress(), gateway))
    assert len(seen) == 8 and min(seen.values()) > 2, seen


CHOSEN = ["datasets.sft", "datasets.dpo", "datasets.kto", "datasets.unpaired", "datasets.rl"]
# A definition, and the stages whose key an edit of it changes, as patterns of their labels.
EDITS = [
    ("curate/datasets/refine.py", "refine", CHOSEN),
    ("curate/datasets/pairs.py", "choose_pairs", ["datasets.*"]),
    ("curate/datasets/labels.py", "with_labels", ["datasets.*"]),
    ("curate/pipeline/dedup.py", "find_duplicates", ["*.dedup.*", *CHOSEN]),
    ("curate/pipeline/split.py", "take_shares", ["datasets.*"]),
    ("curate/algorithms/families/templates.py", "without_template", ["datasets.*"]),
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
def copy(tmp_path_factory):
    """A copy of our packages, to edit."""
    folder = tmp_path_factory.mktemp("copy")
    for package in ("schemas", "curate", "train"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def stage_codes(copy, recipe, *arguments):
    """Run ``stage_codes.py`` over the copy and return what it prints."""
    script, store = Path(__file__).with_name("stage_codes.py"), recipe.parent / "store"
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(script), str(recipe), str(store), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=copy, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def edited(copy, recipe):
    """The stages' hashes before, and the stages whose hash each of ``EDITS``, and an edit of each module, changes."""
    return stage_codes(copy, recipe, json.dumps([[file, [name]] for file, name, _ in EDITS]), "every")


def test_an_edit_remakes_the_stages_that_depend_on_it_only(edited):
    wanted = {
        (file, name): [label for label in edited["before"] if any(fnmatch(label, pattern) for pattern in stages)]
        for file, name, stages in EDITS
    }
    edits = zip(EDITS, edited["edits"], strict=False)  # those of each module follow
    changes = {(file, name): changed for (file, name, _), (_, changed, _) in edits}
    assert {edit: changed for edit, changed in changes.items() if changed != wanted[edit]} == {}
    assert changes.keys() == wanted.keys()


def test_an_edit_of_each_module_remakes_what_depends_on_it_only(edited):
    found = edited["edits"][len(EDITS) :]
    assert len(found) > 150
    assert [(file, changed, depending) for file, changed, depending in found if changed != depending] == []
    remade = {file for file, changed, _ in found if changed}
    assert {"curate/datasets/refine.py", "curate/score/math.py", "curate/verifiers/math/equal.py"} <= remade
    assert not {"curate/models/budget.py", "curate/storage/sql_views.py", "schemas/version.py"} & remade


def test_docstrings_and_comments_remake_nothing(copy, recipe, edited):
    for package in ("schemas", "curate"):
        for path in (copy / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert text.startswith(('"""', 'r"""'))
            path.write_text(f"# A comment.\n{text.replace(chr(34) * 3, chr(34) * 3 + 'Edited. ', 1)}", encoding="utf-8")
    assert stage_codes(copy, recipe, "[]")["before"] == edited["before"]
