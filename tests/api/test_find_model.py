"""A name on the command line stands for a recipe's model, a training, a built-in model, a folder or a hub id."""

from pathlib import Path

import pytest

from curate.api.find_model import find_model, which_training
from curate.storage.records import RunInfo
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from tests.trainings import trained


def model_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    return path


def store_with_trainings(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    for stage_id, name, made in (("aa1111111111", "sft", "T06"), ("aa2222222222", "sft", "T07"), ("bb", "dpo", "T08")):
        stage = trained(store, "demo", name, "all", stage_id=stage_id, made=f"2026-11-29{made}")
        model_folder(stage.folder("model"))
    return store


def test_a_training_by_name_title_and_id(tmp_path):
    store = store_with_trainings(tmp_path)
    for text in ("sft", "demo/sft", "aa2222222222", "aa2"):
        ref = find_model(text, store)
        assert "aa2222222222" in ref.location and not ref.adapters
    assert "aa1111111111" in find_model("aa1", store).location
    with pytest.raises(UserError, match="start of several trainings' ids: aa2222222222, aa1111111111"):
        find_model("aa", store)


def test_of_several_trainings_it_is_said_which(tmp_path):
    store = store_with_trainings(tmp_path)
    said = which_training("sft", store)
    assert said.startswith(
        "sft: the training aa2222222222 (demo/sft), finished 2026-11-29 07:00, the last of 2 of this"
    )
    assert said.endswith("the one before is aa1111111111 (demo/sft)")
    assert not which_training("dpo", store) and not which_training("aa1", store) and not which_training("sft", None)
    trained(store, "demo", "sft", "all", stage_id="cc3333333333", made="2026-11-29T09", what={"limit": 5})
    assert which_training("cc3", store).endswith("it is of a smoke run")


def test_a_recipe_s_model_comes_first(tmp_path):
    (tmp_path / "seeds.jsonl").write_text('{"prompt": "a"}\n')
    recipe = load_recipe(
        {
            "name": "r",
            "models": {"sft": {"engine": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1"}},
            "prompts": [{"source": str(tmp_path / "seeds.jsonl")}],
        }
    )
    assert find_model("sft", store_with_trainings(tmp_path), recipe).engine == "openai"


def test_a_folder_and_a_hub_id(tmp_path):
    folder = model_folder(tmp_path / "a" / "mine")
    assert find_model(str(folder)).location == str(folder)
    assert find_model("org/name").location == "org/name"


def test_a_name_that_is_none_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match="'sff'; did you mean 'sft'"):
        find_model("sff", store_with_trainings(tmp_path))


def test_a_training_that_has_not_been_run_is_named(tmp_path):
    store = store_with_trainings(tmp_path)
    run = RunInfo(run_id="2026-11-30", recipe="math.limit5", command="run", status="finished", stages=[])
    store.save_run({**run, "limit_of": "math", "resolved": {"train": {"grpo": {}, "sft": {}}}})
    for text in ("grpo", "math/grpo", "math/sft"):
        name = text.split("/")[-1]
        with pytest.raises(UserError, match=rf"^{name}: is a training of the recipe 'math', .* train RECIPE {name}$"):
            find_model(text, store)
    assert "aa2222222222" in find_model("sft", store).location
    assert find_model("math/other", store).location == "math/other"  # of the hub


def test_a_training_of_the_recipe_itself_is_named(tmp_path):
    (tmp_path / "r.yaml").write_text(
        "name: r\nmodels: {student: smollm2-135m}\nprompts: [{source: a.jsonl}]\ndatasets: {all: {type: sft}}\n"
        "train: {one: {trainer: sft, dataset: all, model: student}}\n"
    )
    recipe = load_recipe(tmp_path / "r.yaml")
    with pytest.raises(UserError, match="one: is a training of the recipe 'r', .*gristmill train .*/r.yaml one$"):
        find_model("one", None, recipe)
