"""Where a model's weights are: built-in, on the hub, in a folder; nothing here loads them."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from curate.models import weight_files
from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder, weights_folder
from schemas.errors import UserError
from schemas.recipe import Model

HUB = ModelRef("a", "owner/name@c0ffee", "owner/name")


def resolved(model: str, folder: Path = Path()) -> ModelRef:
    return weight_files.resolve_weights("a", Model(model=model), folder)


def test_a_built_in_without_its_package_is_the_hubs(monkeypatch):
    monkeypatch.setitem(weight_files.BUILT_IN, "tiny", ("no-such-package-here", "owner/name"))
    ref = resolved("tiny")
    assert (ref.location, ref.package) == ("owner/name", "") and ref.identity.startswith("owner/name")


def test_a_package_without_its_files_is_to_be_reinstalled():
    with pytest.raises(UserError, match="'no-such-package-here' is installed without its files; reinstall it"):
        weight_files.package_folder("no-such-package-here")


def test_a_folder_without_a_config_is_no_model(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(UserError, match="holds neither config.json nor adapter_config.json"):
        resolved("model", tmp_path)
    (tmp_path / "model" / "config.json").write_text("{}")
    ref = resolved("model", tmp_path)
    assert ref.location == str((tmp_path / "model").resolve()) and local_folder(ref) == Path(ref.location)


def test_a_path_that_is_not_there_names_the_built_ins(tmp_path):
    with pytest.raises(UserError, match="model folder or built-in model for 'models.a'.*smollm2"):
        resolved("./smollm2", tmp_path)


def test_a_hub_model_is_here_once_its_commit_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    commit = tmp_path / "models--owner--name" / "snapshots" / "c0ffee"
    assert local_folder(HUB) is None and local_folder(replace(HUB, identity="owner/name")) is None
    commit.mkdir(parents=True)
    assert local_folder(HUB) is None, "its files are still coming"
    (commit / "config.json").write_text("{}")
    assert local_folder(HUB) == commit
    assert local_folder(replace(HUB, identity="owner/name@c0ffee>adapter")) == commit
    assert weights_folder(HUB) == "owner/name"


def test_a_packages_model_is_here_once_it_is_converted(tmp_path, monkeypatch):
    monkeypatch.setenv("GRISTMILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "packed_gguf").mkdir()
    (tmp_path / "packed_gguf" / "__init__.py").touch()
    ref = ModelRef("a", "tiny@packed-gguf-1", "tiny", package="packed-gguf")
    assert local_folder(ref) is None
    converted = tmp_path / "cache" / "models" / "tiny@packed-gguf-1"
    converted.mkdir(parents=True)
    (converted / "config.json").write_text("{}")
    assert local_folder(ref) == converted and weights_folder(ref) == str(converted)
    (tmp_path / "packed_gguf" / "model").mkdir()  # a package that holds what transformers reads needs no conversion
    assert weights_folder(ref) == str(tmp_path / "packed_gguf" / "model")


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_without_its_libraries_a_model_says_what_to_install(package, monkeypatch, tmp_path):
    from curate.models.weights import load

    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    if package == "transformers":
        monkeypatch.setitem(sys.modules, "torch", sys)  # anything, so that torch is not loaded for this
    with pytest.raises(UserError, match=r"model 'a' \(engine transformers\) needs .*local"):
        load(ModelRef("a", "a@0", str(tmp_path)))
