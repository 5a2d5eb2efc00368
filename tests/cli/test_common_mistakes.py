"""The mistakes that people make most: each ends in one line that names the remedy, and exit code 2."""

import pytest

from tests.command import call, mistake, process

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

RECIPE = """\
name: small
models:
  student: smollm2-135m
prompts:
  - source: rows.jsonl
completions:
  - score: length
datasets:
  sft: {type: sft, select: best_of_n, by: length}
train:
  one: {trainer: sft, dataset: sft, model: student}
"""
ROW = '{"prompt": "Q?", "completions": ["a", "bb"]}\n'
SERVER = "{engine: openai, model: m, base_url: 'http://127.0.0.1:9/v1', api_key_env: NO_SUCH_KEY}"
ASKS = "- generate: {use: sample, model: student, n: 2}\n  - score: length"
# What a user does: the texts to replace in the recipe, the command, and words of the line.
MISTAKES = {
    "a list that is indented otherwise": (
        {"  - score: length": "  - score: length\n - filter: {a: length = 0}"},
        "run r.yaml",
        ["r.yaml:8:", "not indented", "below each other"],
    ),
    "a key that is indented otherwise": (
        {"sft: {type: sft, select: best_of_n, by: length}": "sft:\n    type: sft\n   select: best_of_n"},
        "check r.yaml",
        ["r.yaml:11:", "not indented", "equally many spaces"],
    ),
    "a tab": ({"  student:": "\tstudent:"}, "check r.yaml", ["r.yaml:3:", "tab", "indent it with spaces"]),
    "a colon in a text": ({"name: small": "name: a: b"}, "check r.yaml", ["r.yaml:1:", "needs quotes"]),
    "an open bracket": ({"by: length}": "by: length"}, "check r.yaml", ["'}' or a comma is missing", "in line 9"]),
    "an open quotation": ({"name: small": 'name: "small'}, "check r.yaml", ["r.yaml:1:", "is not closed"]),
    "an unknown file ending": ({"rows.jsonl": "rows.docx"}, "run r.yaml", ["no source format '.docx'", ".jsonl"]),
    "an unknown kind of source": (
        {"source: rows.jsonl": "source: {file: rows.jsonl}"},
        "run r.yaml",
        ["r.yaml:5:", "expected a name, or a mapping with 'path' or 'sql'"],
    ),
    "a file without a row": ({"rows.jsonl": "none.jsonl"}, "run r.yaml", ["none.jsonl: the file is empty; expected"]),
    "rows without a prompt": (
        {"rows.jsonl": "other.jsonl"},
        "run r.yaml",
        ["other.jsonl:1: no prompt", "did you mean 'question' for 'question_text'?"],
    ),
    "an unknown model": (
        {"smollm2-135m": "smolm2-135m", "- score: length": ASKS},
        "check r.yaml",
        ["'smolm2-135m'", "did you mean 'smollm2-135m'?"],
    ),
    "no key of a server": (
        {"smollm2-135m": SERVER, "- score: length": ASKS, RECIPE[RECIPE.index("train:") :]: ""},
        "run r.yaml",
        ["NO_SUCH_KEY", "is not set", "export NO_SUCH_KEY="],
    ),
    "an unknown column": (
        {"by: length}": "by: length, where: lenth > 1}"},
        "check r.yaml",
        ["r.yaml:9: where: no column 'lenth'", 'did you mean one of "length"'],
    ),
    "a word that is no address of Ray": (
        {},
        "run r.yaml --ray nowhere",
        ["--ray: expected auto or host:port", "'nowhere'"],
    ),
    "another file's name": ({}, "run rr.yaml", ["rr.yaml: no such recipe", "did you mean 'r.yaml'?"]),
    "another folder": ({}, "run recipes/r.yaml", ["nor the folder 'recipes'", "did you mean 'r.yaml'?"]),
    "a shipped recipe's name": ({}, "run demo", ["no such recipe", "'gristmill init demo' copies"]),
    "data as a recipe": ({}, "run rows.jsonl", ["is data", "'- source: rows.jsonl'", "gristmill init"]),
    "a recipe as the store": ({}, "show --store r.yaml", ["r.yaml: is a recipe; --store takes the folder"]),
    "a recipe as a table": ({}, "show r.yaml", ["no table or dataset 'r.yaml'", "prompts"]),
    "no store": ({}, "show --store nowhere", ["nowhere: no store here; 'gristmill run RECIPE' makes one"]),
    "training before the run": ({}, "train r.yaml --store fresh", ["no store here; 'gristmill run RECIPE' makes one"]),
    "a dataset as a training": ({}, "train r.yaml sft --store built", ["no training 'sft' (there are: one)"]),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with a store that a run has filled."""
    folder = write(tmp_path_factory.mktemp("built"))
    assert call(folder, "run", "r.yaml", "--store", "built").code == 0
    return folder


def write(folder, recipe=RECIPE):
    (folder / "r.yaml").write_text(recipe)
    (folder / "rows.jsonl").write_text(ROW)
    (folder / "rows.docx").write_text(ROW)
    (folder / "none.jsonl").write_text("")
    (folder / "other.jsonl").write_text('{"question_text": "Q?", "completions": ["a"]}\n')
    return folder


@pytest.mark.parametrize("name", MISTAKES)
def test_a_common_mistake_names_its_remedy(built, name):
    texts, command, words = MISTAKES[name]
    recipe = RECIPE
    for old, new in texts.items():
        assert old in recipe
        recipe = recipe.replace(old, new)
    write(built, recipe)
    line = mistake(call(built, *command.split()))
    write(built)
    missing = [word for word in words if word not in line]
    assert not missing and "bug" not in line, f"{missing} not in: {line}"


def test_a_dataset_without_rows_is_warned_of_and_refused(tmp_path):
    write(tmp_path, RECIPE.replace("by: length}", 'by: length, where: "length > 100"}'))
    done = process(tmp_path, "run", "r.yaml")
    assert done.code == 0
    assert "warning: datasets.sft: 0 rows: where left out 2 of 2 candidates (not: length > 100)" in done.err
    line = mistake(process(tmp_path, "train", "r.yaml"))
    assert "the dataset 'sft' has no rows" in line and "'gristmill show decisions'" in line


HIDDEN = """if True:
    import sys
    sys.modules.update(dict.fromkeys({packages}))  # an import of it fails, and find_spec finds nothing
    from cli.main import main
    sys.argv = ["gristmill", *{arguments}]
    main()
"""


@pytest.mark.parametrize(
    ("packages", "arguments", "extra"),
    [
        (["trl"], ["train", "r.yaml", "--store", "built"], "gristmill[train]"),
        (["trl", "peft", "torch", "transformers"], ["train", "r.yaml", "--store", "built"], "gristmill[train]"),
        (["torch", "transformers"], ["run", "asks.yaml"], "gristmill[local]"),
        (["torch"], ["chat", "smollm2-135m"], "gristmill[local]"),
        (["pyarrow"], ["export", "sft", "out", "--store", "built"], "gristmill[arrow]"),
        (["jsonschema_rs"], ["run", "schema.yaml"], "gristmill[steps]"),
        (["phonenumbers"], ["check", "pii.yaml"], "gristmill[steps]"),
        (["ray"], ["run", "r.yaml", "--ray"], "gristmill[ray]"),
        (["trl", "torch"], ["demo"], "gristmill[demo]"),
        (["torch", "transformers"], ["export-model", "smollm2-135m", "out"], "gristmill["),
    ],
)
def test_a_missing_extra_is_no_bug(built, packages, arguments, extra):
    scores = {"schema": "{use: json_schema, schema: {type: object}}", "pii": "pii"}
    for name, text in [("asks", ASKS), *((name, f"- score: length\n  - score: {one}") for name, one in scores.items())]:
        (built / f"{name}.yaml").write_text(RECIPE.replace("- score: length", text))
    done = process(built, code=HIDDEN.format(packages=packages, arguments=arguments))
    assert done.code == 2 and "bug" not in done.err and "Traceback" not in done.err, done.err
    assert f"pip install '{extra}" in done.err.splitlines()[-1], done.err


def test_a_missing_package_outside_the_extras_is_named(tmp_path):
    done = process(tmp_path, code=HIDDEN.format(packages=["duckdb"], arguments=["steps", "score"]))
    done = process(tmp_path, code=HIDDEN.format(packages=["ruamel"], arguments=["check", "r.yaml"]))
    assert "pip install ruamel.yaml" in mistake(done)
