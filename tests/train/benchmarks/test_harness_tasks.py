"""Checks before a model is asked: the names of tasks, files of tasks, the harness's Python."""

import pytest

from schemas.errors import UserError
from schemas.load_recipe import load_recipe


def refused(made, tasks, **settings):
    with pytest.raises(UserError) as error:
        made.plan(tasks, **settings)
    return str(error.value)


def test_unknown_names_get_the_nearest_one(made):
    assert "has no task 'wrds'; did you mean 'words'?" in refused(made, "wrds")
    assert "recipe.yaml:" in refused(made, "wrds")


def test_a_group_of_both_kinds_is_refused(made):
    assert "words (generate_until), likely (multiple_choice)" in refused(made, "mixed")


def test_a_file_is_the_users_own(made):
    assert "there is no task file" in refused(made, "./mine.yaml")
    file = made.folder / "mine.yaml"
    file.write_text("task: mine\n")
    assert made.plan("./mine.yaml")[0].named.argument == str(file.absolute())
    file.chmod(0o666)
    assert "others may write it" in refused(made, "./mine.yaml")
    (made.folder / "mine.yml").write_text("task: mine\n")
    assert "names end in .yaml" in refused(made, "./mine.yml")


def test_without_the_harness_it_says_how_to_make_it(made, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    made.python = "/nowhere/python"
    assert "/nowhere/python is not there" in refused(made, "words")
    made.python = "null"
    assert "there is no .venv-lm-eval/bin/python here; run 'make lm-eval'" in refused(made, "words")


def test_a_python_without_the_harness_is_named(made, tmp_path):
    made.python = tmp_path / "python"
    made.python.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named lm_eval' >&2\nexit 1\n")
    made.python.chmod(0o700)
    assert "has no lm-evaluation-harness that we can use (ModuleNotFoundError" in refused(made, "words")


def test_a_smoke_run_is_limited(made):
    recipe = load_recipe(made.recipe("words", limit=50).path, ["limit=3"])
    from train.benchmarks.benchmark import plan_benchmarks

    assert plan_benchmarks(recipe, made.refs)[0].benchmark.limit == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[]", "benchmark.tasks"),
        ("[words, words]", "expected each task once"),
        ("['a,b']", "without"),
        ("['mmlu*']", "without"),
        ("{tasks: [words], limits: 3}", "did you mean 'limit'?"),
        ("{tasks: [words], limit: 0}", "benchmark.limit"),
        ("{tasks: [words], num_fewshot: -1}", "benchmark.num_fewshot"),
    ],
)
def test_wrong_settings_are_refused(made, value, message):
    made.recipe("words")
    with pytest.raises(UserError, match=message):
        load_recipe(made.folder / "recipe.yaml", [f"evaluate.benchmark={value}"])


def test_one_name_is_a_list_of_one(made):
    made.recipe("words")
    for value in ("words", "[words]", "{tasks: words}"):
        found = load_recipe(made.folder / "recipe.yaml", [f"evaluate.benchmark={value}"])
        assert found.evaluate and found.evaluate.benchmark and found.evaluate.benchmark.tasks == ["words"]
