"""A recipe of any text is read, or refused in one line, with bounded work; so are names and numbers without meaning."""

import math
import resource
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.yaml_file import LARGEST, parse, plain_values, read_text

FILE = Path("r.yaml")
NAMES = "abcdefgh"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip(NAMES, NAMES[1:], strict=False)
)
GOOD = """\
name: small
models: {student: smollm2-135m}
prompts:
  - source: seeds.jsonl
datasets:
  sft: {type: sft, by: length, select: best_of_n}
train:
  one: {trainer: sft, dataset: sft, model: student}
evaluate: {models: [student], dataset: sft, by: [length]}
"""
DEEP = "r.yaml:2: lists and mappings are nested more than 64 levels deep"


def values(text: str):
    return plain_values(parse(text, FILE), (), {}, FILE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "more than 20,000 values"),
        (f"x: 1\na: {'[' * 3000}", DEEP),
        (f"x: 1\na: {'[' * 3000}{']' * 3000}", DEEP),
        (f"x: 1\na: {'[b, ' * 3000}", DEEP),
        (f"x: 1\na: {'{b: ' * 3000}", DEEP),
        (f"x: 1\n{'- ' * 3000}", "r.yaml:2: "),
        ("split: *a\n", "r.yaml:1: not YAML: found undefined alias 'a'"),
        ("a: &a\n  <<: *a\n  b: 1\n", "r.yaml: not YAML"),
        (f"x: 1\ny: {'1' * 5000}", "r.yaml:2: not a value: a number of 5,000 digits; expected one below 2^63"),
        ("x: 1\ny: 100000000000000000000000\n", "r.yaml:2: y: expected a number below 2^63, found 1e+23"),
        ("x: 2024-13-45", "r.yaml: not a value: month"),
        ("x: 1\n~: 3\n", "r.yaml:2: expected a name as a key, found 'None' (null)"),
        ("x: {true: 3}\n", "r.yaml:1: expected a name as a key, found 'True'"),
        ("x: {1: 3, '1': 4}\n", "r.yaml:1: x: a key is there twice"),
    ],
)  # fmt: skip
def test_hostile_text_is_one_line_with_bounded_work(text, words):
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as error:
        raise AssertionError(values(text))
    assert str(error.value).startswith(words) or words in str(error.value), error.value
    assert time.process_time() - began < 2, "bounded work: the processor's time, not the clock's"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB


def test_a_large_file_is_not_read_whole(tmp_path):
    (tmp_path / "r.yaml").write_text("# " + "x" * LARGEST)
    with pytest.raises(UserError, match="has more than 500,000 bytes"):
        read_text(tmp_path / "r.yaml")
    with pytest.raises(UserError, match="has more than 500,000 bytes"):
        read_text(Path("/dev/zero"))


def test_what_is_merged_has_its_own_line():
    lines: dict[str, int] = {}
    text = "x: &x {p: 1}\ny:\n  <<: *x\n  q: 2\nz: {a: *x}\n"
    assert plain_values(parse(text, FILE), (), lines, FILE)["y"] == {"q": 2, "p": 1}
    assert (lines["y/p"], lines["y/q"], lines["x/p"], lines["z/a/p"]) == (1, 4, 1, 1)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="[]{}:,-&*a<~1\n \"'|>?#!%@", max_size=40) | st.text(max_size=30))
def test_any_text_is_values_or_a_mistake(text):
    try:
        values(text)
    except UserError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  sft: {type", "  '': {type", "r.yaml:6: datasets: expected a name, found ''"),
        ("  sft: {type", "  ~: {type", "r.yaml:6: expected a name as a key, found 'None' (null)"),
        ("  one: {", "  ' ': {", "r.yaml:8: train: expected a name, found ' '"),
        ("by: length,", "by: length, margin: .nan,", "r.yaml:6: datasets.sft.margin: expected a finite number"),
        ("model: student", "model: student, learning_rate: 1e400", "r.yaml:8: train.one.learning_rate: expected"),
        ("model: student", "model: student, lora: {r: .nan}", "r.yaml:8: train.one.lora: expected a finite number"),
        ("models: [student]", "models: []", "r.yaml:9: evaluate.models: expected a list of at least 1"),
        ("by: [length]", "by: [length], n: 100000000000", "r.yaml:9: evaluate.n: expected a number of at most"),
        ("name: small", "name: small\nlimit: 1e23", "r.yaml:2: limit: "),
        ("name: small", "name: small\nsplit: &a {test: *a}", "r.yaml:2: split.test: expected a share"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_name_file_and_line(tmp_path, old, new, words):
    assert old in GOOD
    file = tmp_path / "r.yaml"
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        load_recipe(file)
    assert str(error.value).removeprefix(f"{tmp_path}/").startswith(words), error.value


def test_a_mapping_and_an_override_have_the_same_bounds(tmp_path):
    (tmp_path / "r.yaml").write_text(GOOD)
    with pytest.raises(UserError, match="expected a number below 2\\^63"):
        load_recipe(tmp_path / "r.yaml", [f"seed={10**30}"])
    with pytest.raises(UserError, match="nested more than 64"):
        load_recipe(tmp_path / "r.yaml", [f"split={'[' * 3000}"])
    with pytest.raises(UserError, match="expected a number below 2\\^63"):
        load_recipe({"name": "a", "seed": 10**400})
    with pytest.raises(UserError, match="finite number"):
        load_recipe(
            {
                "name": "a",
                "prompts": [{"source": "x.jsonl"}],
                "datasets": {"d": {"type": "sft", "margin": math.inf}},
            }
        )


def test_a_pair_of_surrogates_is_a_character_half_of_one_none(tmp_path):
    file = tmp_path / "r.yaml"
    read = plain_values(parse('{"\\ud83d\\ude00": "a \\ud83d\\ude00"}', file), (), {}, file)
    assert read == {"\U0001f600": "a \U0001f600"}
    for text in ('{"a": "\\ud83d"}', '{"\\ude00": 1}'):
        with pytest.raises(UserError, match="r.yaml:1: .*half of a surrogate pair"):
            plain_values(parse(text, file), (), {}, file)
