"""The section ``values``: one setting of a recipe that its texts name."""

import re

import pytest

from schemas.errors import UserError
from schemas.load_recipe import load_recipe

TEXT = """
name: one
values:
  assistant: Gristmill
  many: 4
models:
  m: some-model
prompts:
  - source: "${assistant}.jsonl"
completions:
  - generate: {use: sample, model: m, n: "${many}", system: "You are ${assistant}, ${ assistant }; $5, $${x}, $$."}
  - score: {use: regex, pattern: "${assistant}", literal: true, as: named}
"""


def written(tmp_path, text: str = TEXT):
    (tmp_path / "one.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "one.yaml"


def test_texts_get_the_value_and_a_whole_text_its_type(tmp_path):
    recipe = load_recipe(written(tmp_path))
    generate, score = recipe.completions
    assert generate.settings["system"] == "You are Gristmill, Gristmill; $5, ${x}, $$."
    assert generate.settings["n"] == 4 and recipe.prompts[0].settings["path"] == "Gristmill.jsonl"
    assert score.settings["pattern"] == "Gristmill"
    assert recipe.values == {"assistant": "Gristmill", "many": 4}


def test_what_is_recorded_of_a_recipe_has_the_texts_filled_in(tmp_path):
    dumped = load_recipe(written(tmp_path)).model_dump(mode="json")
    assert "values" not in dumped and "Gristmill" in str(dumped)


@pytest.mark.parametrize("name", ["Ada", "O'Brien", "C++", "${assistant}", "a\\1", "日本", "$${x}"])
def test_a_flag_sets_another_and_it_is_put_in_as_it_stands(tmp_path, name):
    recipe = load_recipe(written(tmp_path), [f"values.assistant='{name.replace(chr(39), chr(39) * 2)}'"])
    assert recipe.completions[1].settings["pattern"] == name
    assert recipe.completions[0].settings["system"].startswith(f"You are {name}, {name};")


def test_a_recipe_without_the_section_is_left_as_it_is(tmp_path):
    text = (
        "name: a\nprompts: [{source: a.jsonl}]\ncompletions:\n  - generate: {use: replace, find: '(a)', put: '${1}'}\n"
    )
    assert load_recipe(written(tmp_path, text)).completions[0].settings["put"] == "${1}"


def test_a_recipe_in_python_has_them_too():
    data = {"name": "a", "values": {"x": "b"}, "prompts": [{"source": "${x}.jsonl"}]}
    assert load_recipe(data).prompts[0].settings["path"] == "b.jsonl"
    with pytest.raises(UserError, match=r"^recipe: no value \(in 'values'\) called 'y'"):
        load_recipe(data | {"prompts": [{"source": "${y}.jsonl"}]})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("You are ${assistant}", "You are ${asistant}", r"one.yaml:11: no value .* called .asistant.; did you mean"),
        ("You are ${assistant}", "You are ${assistant", r"yaml:11: completions.0.generate.system: expected \$"),
        ("You are ${assistant}", "You are ${1}", r"expected \$\{NAME\}, found .* a plain \$\{ is written \$\$\{"),
        ("  many: 4", "  many: [4]", r"one.yaml:5: values.many: expected text or a number, found a list"),
        ("  many: 4", "  many:", r"one.yaml:5: values.many: expected text or a number, found nothing"),
        ("  many: 4", "  my-name: 4", r"one.yaml:5: values: expected a name of letters, digits and _, found 'my-name'"),
        ("assistant: Gristmill", "assistant: ' '", r"one.yaml:4: values.assistant: expected a text .* an empty"),
        ("many: 4", "many: .nan", r"one.yaml:5: values.many: expected a finite number"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_line(tmp_path, old, new, message):
    assert old in TEXT
    with pytest.raises(UserError, match=message) as caught:
        load_recipe(written(tmp_path, TEXT.replace(old, new)))
    assert len(str(caught.value).splitlines()) == 1


def test_the_section_must_be_a_mapping(tmp_path):
    text = TEXT.replace("  assistant: Gristmill\n  many: 4\n", "  - Gristmill\n")
    with pytest.raises(UserError, match=r"values: expected a mapping .* found a list"):
        load_recipe(written(tmp_path, text))


def test_a_flag_cannot_add_a_value_that_no_text_names(tmp_path):
    with pytest.raises(UserError, match=re.escape("no value called 'asistant'; did you mean 'assistant'?")):
        load_recipe(written(tmp_path), ["values.asistant=Ada"])
    with pytest.raises(UserError, match="no value called 'x'"):
        load_recipe({"name": "a", "prompts": [{"source": "a.jsonl"}]}, ["values.x=1"])
