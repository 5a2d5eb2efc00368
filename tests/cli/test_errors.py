"""Bad input gives exit code 2 and one line that says where, what was found and the nearest right thing."""
# ruff: noqa: E501 - the tables below have one case a line

import contextlib
import json

import polars as pl
import pytest

from curate.pipeline.scorer import Scorer
from curate.steps.find_step import find_step
from curate.storage.store import Store
from schemas.errors import UserError
from tests.command import call, mistake, process

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

RECIPE = """\
name: small
models:
  student: smollm2-135m
prompts:
  - source: rows.jsonl
  - filter: {long: "length(prompt) > 500"}
completions:
  - score: length
  - filter: {empty: "length = 0"}
datasets:
  sft: {type: sft, select: best_of_n, by: length, where: "length > 1"}
  rl: {type: prompt, where: "n_completions > 1"}
split: {test: 0.2}
train:
  one: {trainer: sft, dataset: sft, model: student}
"""
ROWS = [{"prompt": f"Question {i}?", "completions": [f"Answer {i}.", f"A longer answer {i}."]} for i in range(6)]
GOOD = "".join(json.dumps(row) + "\n" for row in ROWS)


def write(folder, recipe=RECIPE, rows=GOOD):
    """Write the recipe and its source (None: no source)."""
    (folder / "r.yaml").write_text(recipe)
    if rows is not None:
        (folder / "rows.jsonl").write_bytes(rows if isinstance(rows, bytes) else rows.encode())


def refused(folder, words, *arguments):
    """Assert that a command is refused, with all of ``words`` in its one line."""
    line = mistake(call(folder, *arguments))
    missing = [word for word in words if word not in line]
    assert not missing, f"{missing} not in: {line}"


def untouched(folder):
    """Assert that nothing was left behind but a store without a stage or a run."""
    left = [p for name in ("stages", "runs") for p in (folder / "store" / name).glob("*")]
    assert left == []


# The recipe: the text to replace, its replacement, and words of the error ------------------------------------------------

WRONG_RECIPES = {
    "unknown key": ("split:", "spilt:", ["r.yaml:13:", "'spilt'", "did you mean 'split'?"]),
    "unknown verb": ("- score: length", "- socre: length", ["r.yaml:8:", "'socre'", "did you mean 'score'?"]),
    "unknown scorer": (
        "- score: length",
        "- score: {use: lenght, as: length}",
        ["r.yaml:8:", "no score step 'lenght'", "did you mean 'length'?"],
    ),
    "unknown rule": (
        "select: best_of_n",
        "select: best_of",
        ["r.yaml:11:", "no select step 'best_of'", "did you mean 'best_of_n'?"],
    ),
    "unknown trainer": ("trainer: sft", "trainer: stf", ["r.yaml:15:", "no trainer 'stf'", "did you mean 'sft'?"]),
    "unknown model": ("model: student", "model: studnet", ["r.yaml:15:", "'studnet'", "did you mean 'student'?"]),
    "unknown engine": (
        "student: smollm2-135m",
        "student: {model: smollm2-135m, engine: transformer}",
        ["r.yaml:3:", "no engine 'transformer'", "did you mean 'transformers'?"],
    ),
    "unknown dataset": ("dataset: sft", "dataset: stf", ["r.yaml:15:", "no dataset 'stf'", "did you mean 'sft'?"]),
    "unknown setting of a step": (
        "- score: length",
        "- score: {use: length, units: words}",
        ["r.yaml:8:", "'units'", "did you mean 'unit'?"],
    ),
    "unknown key of a dataset": (
        "by: length,",
        "by: length, wehre: x,",
        ["r.yaml:11:", "'wehre'", "did you mean 'where'?"],
    ),
    "unknown setting of a source": (
        "source: rows.jsonl",
        "source: {path: rows.jsonl, onerror: drop}",
        ["r.yaml:5:", "'onerror'", "did you mean 'on_error'?"],
    ),
    "unknown field of a source": (
        "source: rows.jsonl",
        "source: {path: rows.jsonl, fields: {prompt: qestion}}",
        ["rows.jsonl", "'qestion'"],
    ),
    "wrong value of on_error": (
        "source: rows.jsonl",
        "source: {path: rows.jsonl, on_error: skip}",
        ["'skip'", "refuse", "drop"],
    ),
    "wrong type of a setting": ("- score: length", "- score: {use: length, unit: 3}", ["r.yaml:8:", "unit", "found 3"]),
    "wrong value of a setting": (
        "- score: length",
        "- score: {use: length, unit: pages}",
        ["r.yaml:8:", "unit", "found 'pages'", "words"],
    ),
    "an expression that is none": (
        "- score: length",
        "- score: length\n  - score: {use: regex, pattern: '('}",
        ["r.yaml:9:", "pattern: expected a Rust regular expression, found '('"],
    ),
    "a schema that is none": (
        "- score: length",
        "- score: length\n  - score: {use: json_schema, schema: {type: 5}}",
        ["r.yaml:9:", "schema: expected a JSON Schema"],
    ),
    "a condition that changes": ("length > 1", "random() > 0.5", ["r.yaml:11:", "random() gives another value"]),
    "a rule's setting that is no number": ("by: length,", "by: length, n: .nan,", ["r.yaml:11:", "n"]),
    "a limit of a source": (
        "source: rows.jsonl",
        "source: {path: rows.jsonl, limit: 999999999999}",
        ["r.yaml:5:", "limit: expected a number of rows from 1 to 1,000,000,000"],
    ),
    "wrong type of a rule's setting": ("by: length,", "by: length, n: two,", ["r.yaml:11:", "n", "int", "found 'two'"]),
    "missing setting": (
        "- score: length",
        "- score: length\n  - score: regex",
        ["r.yaml:9:", "'regex'", "needs the setting 'pattern'"],
    ),
    "column in a filter": ("length = 0", "lenght = 0", ["r.yaml:9:", "filter.empty", "lenght", "length"]),
    "column in a prompt filter": ("length(prompt)", "length(promt)", ["r.yaml:6:", "filter.long", "promt", "prompt"]),
    "column in where": ("length > 1", "lenght > 1", ["r.yaml:11:", "where", "lenght", "length"]),
    "column in where of prompts": (
        "n_completions > 1",
        "n_completion > 1",
        ["r.yaml:12:", "where", "n_completion", "n_completions"],
    ),
    "column in split": ("test: 0.2", "test: \"metdata = 'x'\"", ["r.yaml:13:", "split.test", "metdata", "metadata"]),
    "column in by": ("by: length", "by: lenght", ["r.yaml:11:", "'lenght'", "did you mean 'length'?"]),
    "text in by": ("by: length", "by: response", ["r.yaml:11:", "'response'"]),
    "column a step reads": (
        "  - filter: {long:",
        "  - score: repetition\n  - filter: {long:",
        ["r.yaml:6:", "'repetition'", "response"],
    ),
    "syntax of a filter": ("length = 0", "length = = 0", ["r.yaml:9:", "filter.empty", "syntax error"]),
    "two statements in a filter": ("length = 0", "length = 0); DROP TABLE rows; --", ["r.yaml:9:", "filter.empty"]),
    "a file in a filter": (
        "length = 0",
        "length = (SELECT count(*) FROM read_text('/etc/passwd'))",
        ["r.yaml:9:", "filter.empty"],
    ),
    "a rule of the wrong kind": (
        "select: best_of_n",
        "select: best_vs_worst",
        ["r.yaml:11:", "'best_vs_worst'", "pair"],
    ),
    "select of a prompt dataset": ("type: prompt,", "type: prompt, select: all,", ["r.yaml:12:", "'select'", "where"]),
    "no such file": ("rows.jsonl", "row.jsonl", ["row.jsonl: no such file", "did you mean 'rows.jsonl'?"]),
    "no such step of one's own": (
        "- score: length",
        "- score: {use: my.step, as: length}",
        ["r.yaml:8:", "my.step", "my/step.py"],
    ),
    "not YAML": ("split: {", "split: [", ["r.yaml:13", "not YAML"]),
}


@pytest.mark.parametrize("name", WRONG_RECIPES)
def test_a_mistake_in_the_recipe(tmp_path, name):
    old, new, words = WRONG_RECIPES[name]
    assert old in RECIPE
    write(tmp_path, RECIPE.replace(old, new, 1))
    refused(tmp_path, words, "check", "r.yaml")
    refused(tmp_path, words, "run", "r.yaml")
    untouched(tmp_path)


# The source: its content, and words of the error ----------------------------------------------------------------------

LAST = GOOD.count("\n")
WRONG_SOURCES = {
    "missing": (None, ["rows.jsonl: no such file"]),
    "empty": ("", ["rows.jsonl: the file is empty"]),
    "blank": ("\n\n", ["rows.jsonl: has no rows"]),
    "not UTF-8": (
        GOOD.encode() + '{"prompt": "Grüße"}\n'.encode("latin-1"),
        [f"rows.jsonl:{LAST + 1}", "not UTF-8", "0xfc"],
    ),
    "torn last line": (GOOD[:-20], [f"rows.jsonl:{LAST}:", "not JSON", "cut off"]),
    "not JSON in the middle": (GOOD.replace("\n", "\n{'prompt': 1}\n", 1), ["rows.jsonl:2:", "not JSON"]),
    "a row without a prompt": (
        GOOD + '{"completions": ["a"]}\n',
        [f"rows.jsonl:{LAST + 1}:", "prompt", "1 of 7 rows is bad"],
    ),
    "a prompt of the wrong type": (GOOD + '{"prompt": 7}\n', [f"rows.jsonl:{LAST + 1}:", "'prompt'", "a number"]),
    "completions of the wrong type": (
        GOOD + '{"prompt": "x", "completions": "y"}\n',
        [f"rows.jsonl:{LAST + 1}:", "completions"],
    ),
    "a row that is no mapping": ("[1, 2]\n", ["rows.jsonl:1:", "expected a row", "a list"]),
    "several bad rows": ("{\n5\n" + GOOD, ["rows.jsonl:1:", "2 of 8 rows are bad", "on_error: drop"]),
}


@pytest.mark.parametrize("name", WRONG_SOURCES)
def test_a_mistake_in_the_source(tmp_path, name):
    rows, words = WRONG_SOURCES[name]
    write(tmp_path, rows=rows)
    refused(tmp_path, words, "run", "r.yaml")
    untouched(tmp_path)


@pytest.mark.slow
def test_a_real_process_says_the_same_and_shows_no_traceback(tmp_path):
    write(tmp_path, RECIPE.replace("by: length", "by: lenght"))
    line = mistake(process(tmp_path, "run", "r.yaml"))
    assert line.startswith("r.yaml:11: no score 'lenght'; did you mean 'length'?")
    write(tmp_path, rows=GOOD[:-20])
    assert f"rows.jsonl:{LAST}:" in mistake(process(tmp_path, "run", "r.yaml"))
    untouched(tmp_path)


def test_bad_rows_can_be_dropped_and_are_accounted_for(tmp_path):
    bad = GOOD.replace("\n", '\n{"completions": ["no prompt"]}\n', 1) + '{"prompt": "torn'
    write(tmp_path, RECIPE.replace("source: rows.jsonl", "source: {path: rows.jsonl, on_error: drop}"), bad)
    assert call(tmp_path, "run", "r.yaml").code == 0
    query = "SELECT row_id, stage, kept, reason, evidence FROM decisions WHERE stage LIKE '%source%' ORDER BY row_id"
    found = [json.loads(line) for line in call(tmp_path, "sql", query, "--format", "jsonl").out.splitlines()]
    assert [(d["row_id"], d["kept"]) for d in found] == [("rows.jsonl:2", False), ("rows.jsonl:8", False)]
    assert {d["stage"] for d in found} == {"prompts.source.rows"}
    assert "prompt" in found[0]["reason"] and "no prompt" in found[0]["evidence"]
    assert "cut off" in found[1]["reason"] and found[1]["evidence"] == '{"prompt": "torn'
    prompts = json.loads(call(tmp_path, "sql", "SELECT count(*) AS n FROM prompts", "--format", "json").out)
    assert prompts == [{"n": len(ROWS)}], "the good rows are all there"


def test_a_source_of_nothing_but_bad_rows_is_refused_even_so(tmp_path):
    write(tmp_path, RECIPE.replace("source: rows.jsonl", "source: {path: rows.jsonl, on_error: drop}"), "{}\n[]\n")
    refused(tmp_path, ["rows.jsonl:1:", "none of the 2 rows"], "run", "r.yaml")
    untouched(tmp_path)


@pytest.mark.slow
def test_a_users_step_that_fails_leaves_whole_stages_only(tmp_path):
    (tmp_path / "mine.py").write_text('"""x"""\n\ndef bad(response):\n    raise ValueError("two\\nlines")\n')
    write(tmp_path, RECIPE.replace("- filter: {empty", "- score: mine.bad\n  - filter: {empty"))
    result = call(tmp_path, "run", "r.yaml")
    line = mistake(result)
    assert line.startswith("r.yaml:9: score 'mine.bad' failed: ValueError: two lines")
    stages = sorted(p.name for p in (tmp_path / "store" / "stages").iterdir())
    assert len(stages) == 3 and not any(name.startswith(".") for name in stages), stages
    (run,) = (tmp_path / "store" / "runs").glob("*.json")
    record = json.loads(run.read_text())
    assert record["status"] == "failed" and "two lines" in record["error"]
    (tmp_path / "mine.py").write_text('"""x"""\n\ndef bad(response):\n    return response.str.len_chars() * 1.0\n')
    assert process(tmp_path, "run", "r.yaml").code == 0, "goes on when the step is mended"


def scored(folder, body):
    """Score four rows with a user's own scorer that has this body."""
    file = folder / "mine.py"
    file.write_text(f'"""x"""\n\nimport polars as pl\n\n\ndef own(response):\n    {body}\n')
    with contextlib.chdir(folder):
        step = find_step("score", "mine.own")
    scorer = Scorer("own", step, {}, {"response": ("response",)}, "r.yaml:9")
    return scorer.values(pl.DataFrame({"response": ["a", "bb", "", None]}), no_model)


def no_model(calls):
    raise AssertionError(f"a scorer without models asks {calls}")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return response.head(1).str.len_chars()", ["returned 1 rows", "expected 4"]),
        ("return response", ["failed: InvalidOperationError", "f64"]),
        ("return None", ["failed: TypeError", "returns nothing"]),
        ("return pl.DataFrame({'score': [1.0] * 4})", ["the columns score", "expected 4 with 'value'"]),
        ("raise KeyError('two\\nlines')", ["failed: KeyError", "two"]),
        ("return response.no_such()", ["failed: AttributeError", "no_such"]),
    ],
)
def test_a_scorer_of_the_users_that_returns_something_else(tmp_path, body, words):
    with pytest.raises(UserError) as caught:
        scored(tmp_path, body)
    line = str(caught.value)
    assert line.startswith("r.yaml:9: score 'mine.own' ") and "\n" not in line
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("body", "values", "errors"),
    [
        ("return [0.5, 1, 0, 2]", [0.5, 1.0, 0.0, 2.0], [None] * 4),
        ("return pl.Series([True, False, None, True])", [1.0, 0.0, None, 1.0], [None, None, "no value", None]),
        (
            "return [float('nan'), float('inf'), -float('inf'), 1.0]",
            [None, None, None, 1.0],
            ["not a number"] * 3 + [None],
        ),
        (
            "return pl.DataFrame({'value': [1.0, None, 0.0, None], 'error': [None, 'why', None, None]})",
            [1.0, None, 0.0, None],
            [None, "why", None, "no value"],
        ),
    ],
)
def test_a_failed_score_is_null_with_an_error_never_zero_or_nan(tmp_path, body, values, errors):
    found = scored(tmp_path, body)
    assert found["value"].to_list() == values and found["error"].to_list() == errors


# The store, SQL and the command line --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with a store that a run has filled."""
    folder = tmp_path_factory.mktemp("built")
    write(folder)
    done = call(folder, "run", "r.yaml")
    assert done.code == 0, done.err
    return folder


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELEKT 1", ["SQL:", "syntax error", "SELEKT"]),
        ("SELECT vale FROM scores", ["SQL:", "vale", "value"]),
        ("SELECT * FROM scoers", ["SQL:", "scoers", "scores"]),
        ("SELECT 'a", ["SQL:"]),
        ("", ["SQL"]),
        ("SELECT 1/'x' FROM scores", ["SQL:", "x"]),
        ("SELECT * FROM 'nothing.parquet'", ["SQL:", "nothing.parquet"]),
    ],
)
@pytest.mark.parametrize("format", ["table", "csv", "parquet"])
def test_a_mistake_in_sql(built, tmp_path, query, words, format):
    output = tmp_path / "out"
    refused(built, words, "sql", query, "--format", format, "--output", output)
    assert list(tmp_path.iterdir()) == [], "nothing half-written"


def test_a_store_made_by_a_newer_version(tmp_path):
    write(tmp_path)
    marker = Store(tmp_path / "store").path / "store.json"
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "store").rglob("*") if p != marker)
    marker.write_text(json.dumps({"format": 99, "made_by": "gristmill 9.0"}))
    for command in (["run", "r.yaml"], ["check", "r.yaml"], ["sql", "SELECT 1"], ["show"], ["why", "p_"]):
        refused(tmp_path, ["store", "format 99", "gristmill 9.0", "upgrade"], *command)
    assert sorted((p, p.stat().st_mtime_ns) for p in (tmp_path / "store").rglob("*") if p != marker) == before
    marker.write_text("{")
    refused(tmp_path, ["store.json", "damaged"], "show")


def test_a_folder_that_is_no_store(tmp_path):
    write(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.txt").write_text("meow")
    (tmp_path / "file").write_text("x")
    refused(tmp_path, ["photos", "not a gristmill store"], "run", "r.yaml", "--store", "photos")
    refused(tmp_path, ["file", "is a file"], "run", "r.yaml", "--store", "file")
    for command in (["sql", "SELECT 1"], ["show"], ["why", "p_1"], ["train", "r.yaml"]):
        refused(tmp_path, ["nowhere: no store here", "gristmill run"], *command, "--store", "nowhere")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "photos", "r.yaml", "rows.jsonl"]
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.txt"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rnu"], ["gristmill: no such command 'rnu'; did you mean 'run'?"]),
        (["run"], ["gristmill run: missing argument RECIPE; see 'gristmill run --help'"]),
        (["run", "r.yaml", "--limit"], ["gristmill run: option '--limit' requires", "; see 'gristmill run --help'"]),
        (["--nosuch"], ["gristmill: no such option: --nosuch; see 'gristmill --help'"]),
        (["run", "r.yaml", "--stroe", "x"], ["--stroe", "--store"]),
        (["run", "r.yaml", "more"], ["more"]),
        (["run", "r.yml"], ["r.yml: no such recipe", "did you mean 'r.yaml'?"]),
        (["run", "."], ["is a folder"]),
        (["run", "r.yaml", "--set", "sede=1"], ["'sede'", "did you mean 'seed'?"]),
        (["run", "r.yaml", "--set", "seed=-1"], ["seed: expected a number from 0, found -1"]),
        (["sql", ""], ["the query is empty"]),
        (["sql", "SELECT 1", "--format", "xml"], ["no format 'xml'", "parquet"]),
        (["sql", "SELECT 1", "--limit", "0"], ["--limit", "greater than or equal to 1"]),
        (["sql", "SELECT 1", "--output", "no/such/folder.csv"], ["no/such"]),
        (["show", "prompt"], ["no table or dataset 'prompt'", "did you mean 'prompts'?"]),
        (["steps", "scores"], ["no kind of step, and no step 'scores'", "did you mean 'score'?"]),
        (["init", "dmo"], ["no shipped recipe 'dmo'", "did you mean 'demo'?"]),
        (["why", "c_nothing"], ["no row 'c_nothing'", "c_ (completions)"]),
        (["why", "c_"], ["'c_' is the start of several ids"]),
        (["why", ""], ["start of several ids"]),
        (["train", "r.yaml", "two"], ["two", "one"]),
        (["evaluate", "r.yaml"], ["evaluate"]),
    ],
)
def test_a_mistake_on_the_command_line(built, arguments, words):
    refused(built, words, *arguments)


def test_a_changed_recipe_is_not_trained_on_old_datasets(built):
    refused(
        built, ["dataset 'sft'", "gristmill run r.yaml"], "train", "r.yaml", "--set", "datasets.sft.where=length > 2"
    )


def test_the_tables_are_whole_after_all_this(built):
    for folder in (built / "store" / "stages").iterdir():
        manifest = json.loads((folder / "stage.json").read_text())
        for table in manifest["tables"].values():
            assert sum(pl.read_parquet(folder / f).height for f in table["files"]) == table["rows"]
