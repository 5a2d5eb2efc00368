"""Reading a recipe: values, short forms, overrides, and the error for each mistake."""

import pytest

from schemas.errors import UserError
from schemas.load_recipe import load_recipe

SMALL = """\
name: small
models:
  student: smollm2-135m
prompts:
  - source: seeds.jsonl
completions:
  - generate: {use: sample, model: student, n: 4}
  - score: length
datasets:
  sft: {type: sft, by: length}
split: {test: 0.1}
train:
  one: {trainer: sft, dataset: sft, model: student, learning_rate: 2e-4}
  two: {trainer: dpo, dataset: sft, model: one}
evaluate: {models: [student, one], dataset: sft, by: [length]}
"""

# The recipe of docs/design.md, without its comments and the teacher's engine.
DESIGN = """\
name: constraints
seed: 7
models:
  student: smollm2-135m                  # a built-in name, a hub id, a local folder, or a mapping:
  teacher: {base_url: http://127.0.0.1:8000/v1, model: qwen3-32b, max_cost: 5.0}
prompts:                                 # steps, top to bottom, over the table of prompts
  - source: seeds.jsonl
  - dedup: {use: minhash, threshold: 0.8}
  - decontaminate: {against: eval.jsonl}
completions:                             # steps over the table of candidates
  - generate: {use: sample, model: student, n: 8, temperature: 0.9}
  - score: constraints                   # short for {use: constraints}
  - score: {use: judge, model: teacher, as: quality}
  - filter: {truncated: "finish_reason = 'length'"}     # reason: SQL; rows that match are dropped for that reason
datasets:                                # as many views as you like
  sft:  {type: sft, select: best_of_n, by: constraints, where: "constraints = 1"}
  dpo:  {type: preference, select: best_vs_worst, by: constraints, margin: 0.5}
  rl:   {type: prompt, where: "pass_rate between 0.1 and 0.9"}
split: {test: 0.1}
train:
  sft:  {trainer: sft, dataset: sft, model: student, lora: {r: 16}, learning_rate: 2e-4}   # others: trl.SFTConfig's
  dpo:  {trainer: dpo, dataset: dpo, model: sft, beta: 0.1}     # `model: sft` is the model just trained
  grpo: {trainer: grpo, dataset: rl, model: sft, rewards: [constraints]}
evaluate: {models: [student, sft, dpo, grpo], dataset: rl, by: [constraints]}
"""


def read(folder, text, *overrides):
    (folder / "r.yaml").write_text(text, encoding="utf-8")
    return load_recipe(folder / "r.yaml", list(overrides))


def refusal(folder, text, *overrides):
    """The one line a recipe is refused with, without the folder in front."""
    with pytest.raises(UserError) as caught:
        read(folder, text, *overrides)
    line = str(caught.value)
    assert "\n" not in line
    return line.removeprefix(f"{folder}/")


def test_the_recipe_of_the_design_is_read_whole(tmp_path):
    recipe = read(tmp_path, DESIGN)
    assert (recipe.name, recipe.seed) == ("constraints", 7)
    assert recipe.models["student"].model == "smollm2-135m"
    assert recipe.models["teacher"].settings == {"base_url": "http://127.0.0.1:8000/v1", "max_cost": 5.0}
    assert [(s.verb, s.use, s.name) for s in recipe.prompts] == [
        ("source", None, "source"),
        ("dedup", "minhash", "minhash"),
        ("decontaminate", None, "decontaminate"),
    ]
    assert [(s.verb, s.use, s.name) for s in recipe.completions] == [
        ("generate", "sample", "sample"),
        ("score", "constraints", "constraints"),
        ("score", "judge", "quality"),
        ("filter", None, "filter"),
    ]
    assert recipe.completions[0].settings == {"model": "student", "n": 8, "temperature": 0.9}
    assert recipe.completions[3].settings == {"truncated": "finish_reason = 'length'"}
    assert recipe.datasets["dpo"].settings == {"margin": 0.5}
    assert recipe.datasets["rl"].where == "pass_rate between 0.1 and 0.9"
    assert recipe.train["sft"].settings == {"learning_rate": 0.0002} and recipe.train["sft"].lora == {"r": 16}
    assert recipe.train["grpo"].rewards == ["constraints"]
    assert recipe.evaluate.models == ["student", "sft", "dpo", "grpo"] and recipe.evaluate.temperature == 0.0
    assert [s.line for s in recipe.completions] == [11, 12, 13, 14]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-4", 0.0002),
        ("1E3", 1000.0),
        ("5.0e-5", 5e-5),
        ("-1.5", -1.5),
        ("12", 12),
        ("0o14", 12),
        ("0x1f", 31),
        ("012", 12),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("'2e-4'", "2e-4"),
        ("[1, 2e-4]", [1, 0.0002]),
        ("12:30:45", "12:30:45"),
    ],
)
def test_values_are_those_of_yaml_1_2(tmp_path, text, value):
    training = read(tmp_path, SMALL.replace("2e-4", text)).train["one"]
    found = training.settings["learning_rate"]
    assert found == value and type(found) is type(value)


def test_places_are_file_and_line(tmp_path):
    recipe = read(tmp_path, SMALL)
    file = tmp_path / "r.yaml"
    assert recipe.where("datasets", "sft") == f"{file}:10"
    assert recipe.where("train", "two", "model") == f"{file}:14"
    assert recipe.where("train", "two", "beta") == f"{file}:14"  # a key that is not there: what it would stand in
    assert recipe.where("nothing") == str(file)
    assert (recipe.prompts[0].line, recipe.completions[1].line) == (5, 8)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        # unknown keys and verbs name the nearest
        ("split:", "spilt:", ["r.yaml:11:", "'spilt'", "did you mean 'split'?"]),
        ("seeds.jsonl", "seeds.jsonl\n  - dedupe: exact", ["r.yaml:6:", "'dedupe'", "did you mean 'dedup'?"]),
        ("- score: length", "- scores: length", ["r.yaml:8:", "'scores'", "did you mean 'score'?"]),
        ("by: [length]}", "by: [length], modles: [one]}", ["r.yaml:15:", "'modles'", "did you mean 'models'?"]),
        # wrong types
        ("name: small", "name: 3", ["r.yaml:1: name:", "a text", "found 3"]),
        ("name: small", "name: a/b", ["r.yaml:1: name:", "found 'a/b'"]),
        ("name: small", "seed: seven\nname: s", ["r.yaml:1: seed:", "a whole number", "found 'seven'"]),
        ("name: small", "seed: true\nname: s", ["r.yaml:1: seed:", "a whole number", "found True"]),
        ("name: small", "seed: 1.5\nname: s", ["r.yaml:1: seed:", "a whole number", "found 1.5"]),
        ("name: small\n", "", ["r.yaml:1: name is missing"]),
        ("type: sft, ", "", ["r.yaml:10:", "datasets.sft.type is missing"]),
        (
            "type: sft",
            "type: stf",
            ["r.yaml:10: datasets.sft.type:", "'sft'", "'preference'", "'prompt'", "found 'stf'"],
        ),
        ("  student: smollm2-135m", "  student: 7", ["r.yaml:3: models.student:", "found 7"]),
        ("by: [length]}", "by: length}", ["r.yaml:15: evaluate.by:", "list", "found 'length'"]),
        ("by: [length]}", "by: [length], n: 0}", ["r.yaml:15: evaluate.n:", "a number from 1", "found 0"]),
        ("learning_rate", "lora: 16, learning_rate", ["r.yaml:13:", "train.one.lora", "found 16"]),
        ("rate: 2e-4", "rate: 2020-01-01", ["r.yaml:13: train.one.learning_rate: expected text", "quote it"]),
        # steps
        (
            "  - score: length",
            "  - score:\n    use: length\n    unit: words",
            ["r.yaml:8:", "found the keys score, use, unit; indent use, unit further than score"],
        ),
        ("  - score: length", "  - score", ["r.yaml:8: completions: expected one verb per step", "found 'score'"]),
        ("  - score: length", "  - score: length\n    use: x", ["r.yaml:8:", "found the keys score, use"]),
        ("  - score: length", "  - score: {unit: words}", ["r.yaml:8: score: expected a name", "'use'"]),
        ("  - score: length", "  - score: {use: 3}", ["r.yaml:8: score: 'use'", "found 3"]),
        ("  - score: length", "  - filter: length = 0", ["r.yaml:8: filter: expected a mapping of reason to SQL"]),
        ("  - score: length", "  - filter: {short: 3}", ["r.yaml:8: filter: expected a mapping of reason to SQL"]),
        ("  - source: seeds.jsonl", "  source: seeds.jsonl", ["r.yaml:4: prompts: expected a list", "a mapping"]),
        ("  - source: seeds.jsonl", "  - source: {name: a}", ["r.yaml:5: source: expected a name", "'path'"]),
        # cross references
        ("  - source: seeds.jsonl", "  - dedup: exact", ["r.yaml:4: prompts: the first step must be a source"]),
        (
            "dataset: sft, model: one",
            "dataset: stf, model: one",
            ["r.yaml:14: no dataset 'stf'", "did you mean 'sft'?"],
        ),
        ("dataset: sft, model: one", "dataset: sft, model: on", ["r.yaml:14: no model", "'on'", "did you mean 'one'?"]),
        ("model: student, learning", "model: two, learning", ["r.yaml:13: no model", "'two'", "(there are: student)"]),
        ("  two:", "  student:", ["r.yaml:14: train.student:", "'models'"]),
        ("models: [student, one]", "models: [studnet]", ["r.yaml:15: no model 'studnet'", "did you mean 'student'?"]),
        ("dataset: sft, by: [length]", "dataset: rl, by: [length]", ["r.yaml:15: no dataset 'rl'"]),
        ("by: [length]}", "by: [length], split: tset}", ["r.yaml:15: no split 'tset'", "did you mean 'test'?"]),
        ("{test: 0.1}", "1.5", ["r.yaml:11: split:", "between 0 and 1", "or {test: 0.1}", "found 1.5"]),
        ("{test: 0.1}", ".nan", ["r.yaml:11: split:", "between 0 and 1", "found nan"]),
        ("{test: 0.1}", "true", ["r.yaml:11: split:", "found True"]),
        ("{test: 0.1}", "a tenth", ["r.yaml:11: split:", "found 'a tenth'"]),
        ("{test: 0.1}", "10%", ["r.yaml:11: split: expected a share", "such as 0.1, or {test: 0.1}", "found '10%'"]),
        ("{test: 0.1}", "'0.1'", ["r.yaml:11: split: expected a share", "or {test: 0.1}", "found '0.1'"]),
        ("{test: 0.1}", "[0.1]", ["r.yaml:11: split: expected a share", "or {test: 0.1}", "found a list"]),
        ("{test: 0.1}", "0", ["r.yaml:11: split: expected a share", "or {test: 0.1}", "found 0"]),
        ("{test: 0.1}", "", ["r.yaml:11: split: expected a share", "or {test: 0.1}", "found nothing"]),
        ("test: 0.1", "test: 10%", ["r.yaml:11: split.test: expected a share", "or an SQL condition", "found '10%'"]),
        ("test: 0.1", "test: '0.1'", ["r.yaml:11: split.test: expected a share", "found '0.1'"]),
        ("test: 0.1", "test: true", ["r.yaml:11: split.test: expected a share", "found True"]),
        ("test: 0.1", "test: [0.1]", ["r.yaml:11: split.test: expected a share", "found a list"]),
        ("test: 0.1", "test: 1.5", ["r.yaml:11: split.test:", "between 0 and 1", "found 1.5"]),
        ("test: 0.1", "test: 0.6, dev: 0.4", ["r.yaml:11: split:", "nothing is left"]),
        ("test: 0.1", "train: 0.9", ["r.yaml:11: split.train:"]),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, words):
    assert SMALL.count(old) == 1, "the change must be to one place"
    line = refusal(tmp_path, SMALL.replace(old, new))
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["the recipe is empty", "gristmill init"]),
        (" \n\n", ["the recipe is empty"]),
        ("- a\n- b\n", ["expected a mapping", "a list"]),
        ("just text", ["expected a mapping", "text"]),
        ("name: [1, 2\nprompts: 3\n", ["r.yaml:2: not YAML"]),
        ("name: a\nname: b\n", ["r.yaml:2: not YAML", "duplicate key"]),
        ("name: a\n\tprompts: b\n", ["r.yaml:2: not YAML"]),
        ("name: a\nprompts: *nowhere\n", ["r.yaml:2: not YAML"]),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path, text, words):
    line = refusal(tmp_path, text)
    assert line.startswith("r.yaml") and all(word in line for word in words), line


def test_a_recipe_that_cannot_be_read(tmp_path):
    (tmp_path / "demo.yaml").write_text(SMALL)
    (tmp_path / "latin.yaml").write_bytes("name: Müller".encode("latin-1"))
    for name, words in [
        ("dmo.yaml", ["no such recipe", "did you mean 'demo.yaml'?"]),
        ("", ["is a folder"]),
        ("latin.yaml", ["not UTF-8", "byte 7"]),
        ("no/such.yaml", ["no such recipe"]),
    ]:
        with pytest.raises(UserError) as caught:
            load_recipe(tmp_path / name)
        assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("overrides", [[], ["split=0.1"], ["split={test: 0.1}"]])
def test_a_split_may_be_a_share_alone(tmp_path, overrides):
    assert read(tmp_path, SMALL.replace("{test: 0.1}", "0.1"), *overrides).split == {"test": 0.1}
    assert read(tmp_path, SMALL.replace("{test: 0.1}", "0.1"), "split=0.25").split == {"test": 0.25}


def test_a_limit_is_part_of_the_name_of_runs(tmp_path):
    whole, limited = read(tmp_path, SMALL), read(tmp_path, SMALL, "limit=20")
    assert (whole.run_name, whole.limit_suffix, whole.argument) == (whole.name, "", str(whole.path))
    assert (limited.run_name, limited.limit_suffix) == (f"{whole.name}.limit20", ".limit20")
    assert limited.argument == f"{whole.path} --limit 20" and limited.name == whole.name


def test_overrides_replace_and_add(tmp_path):
    recipe = read(
        tmp_path,
        SMALL,
        "models.student=Qwen/Qwen3-0.6B-Base",
        "completions.0.generate.n=2",
        "train.one.max_steps=5",
        "train.one.learning_rate=1e-5",
        "datasets.sft.where=length > 3 and response <> 'a=b'",
        "split.dev=0.2",
        "completions.1=score: {use: length, unit: characters}",
        "evaluate=",
    )
    assert recipe.models["student"].model == "Qwen/Qwen3-0.6B-Base"
    assert recipe.completions[0].settings["n"] == 2
    assert recipe.completions[1].settings == {"unit": "characters"}
    assert recipe.train["one"].settings == {"learning_rate": 1e-5, "max_steps": 5}
    assert recipe.datasets["sft"].where == "length > 3 and response <> 'a=b'"
    assert recipe.split == {"test": 0.1, "dev": 0.2}
    assert recipe.evaluate is None
    assert read(tmp_path, SMALL, "seed=1", "seed=2").seed == 2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed", ["--set 'seed'", "KEY=VALUE"]),
        ("=3", ["KEY=VALUE"]),
        ("completions.7.generate.n=2", ["'7'", "expected 0 to 1"]),
        ("completions.first.generate.n=2", ["'first'", "expected 0 to 1"]),
        ("completions.-1=score: length", ["'-1'", "expected 0 to 1"]),
        ("name.x=3", ["'name' is text"]),
        ("seed=seven", ["seed:", "found 'seven'"]),
        ("sede=7", ["'sede'", "did you mean 'seed'?"]),
        ("train.one.model=nobody", ["r.yaml:13: no model", "'nobody'"]),
        ("seed=[1", ["not YAML"]),
        ("name=2026-01-02", ["--set name: expected text or a number", "'2026-01-02'", "quote it"]),
        ("split.test=2", ["r.yaml:11: split.test:", "found 2"]),
    ],
)
def test_a_bad_override_is_refused(tmp_path, override, words):
    line = refusal(tmp_path, SMALL, override)
    assert all(word in line for word in words), line


def test_the_recipe_file_is_left_as_it_was(tmp_path):
    read(tmp_path, SMALL, "seed=9")
    assert (tmp_path / "r.yaml").read_text() == SMALL


def test_a_merged_mapping_is_read_and_its_keys_have_their_lines(tmp_path):
    text = SMALL.replace(
        "  two: {trainer: dpo, dataset: sft, model: one}", "  two: {<<: [*one, {logging_steps: 5}], model: one}"
    )
    recipe = read(tmp_path, text.replace("one: {trainer", "one: &one {trainer"))
    assert recipe.train["two"].settings == {"learning_rate": 2e-4, "logging_steps": 5}
    assert recipe.train["two"].model == "one" and recipe.train["one"].model == "student"
    at = {name: recipe.where("train", "two", name).rsplit(":", 1)[1] for name in ("model", "trainer", "learning_rate")}
    assert at == {"model": "14", "trainer": "13", "learning_rate": "13"}
