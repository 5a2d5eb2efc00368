"""TRL's and PEFT's config objects are built before anything is loaded, and their messages are shown whole."""

import json
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe, Training
from tests.optional import needs
from train.finding.find_trainer import trainer_names
from train.options import lora_targets
from train.trl_check import check_configs, check_with_trl

WHERE = "r.yaml:9: train.t"


def training(trainer: str = "sft", **given: Any) -> Training:
    return Training(trainer=trainer, dataset="d", model="m", **given)


@needs("trl", "peft")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fp16": True, "bf16": True}, "SFTConfig: At most one of fp16 and bf16 can be True, but not both"),
        (
            {"dataloader_prefetch_factor": 2},
            "SFTConfig: --dataloader_prefetch_factor can only be set when data is loaded in a different process, i.e. "
            "when --dataloader_num_workers > 0.",
        ),
        ({"logging_steps": 1.5}, "SFTConfig: --logging_steps must be an integer if bigger than 1: 1.5"),
        ({"accelerator_config": {"split": True}}, "unexpected keyword argument 'split'"),
        (
            {"lora": {"layers_pattern": "layers"}},
            "cannot be used when `target_modules` is a str. (target_modules is 'all-linear' if not set)",
        ),
        ({"lora": {"target_modules": "q_proj|v_proj", "layers_to_transform": 1}}, "lora: `layers_to_transform` cannot"),
    ],
)
def test_what_the_config_classes_refuse_is_shown_whole(given: dict[str, Any], message: str):
    with pytest.raises(UserError) as error:
        check_configs(training(**given), 0, WHERE)
    assert message in str(error.value) and str(error.value).startswith(WHERE) and "\n" not in str(error.value)


@needs("trl", "peft")
@pytest.mark.slow
@pytest.mark.parametrize("trainer", trainer_names())
def test_every_trainer_has_a_config_that_is_built(trainer: str):
    check_configs(training(trainer, lora={"r": 4}, early_stopping=2), 0, WHERE)
    with pytest.raises(UserError, match="Config: "):
        check_configs(training(trainer, lr_scheduler_type="reduce_lr_on_plateau"), 0, WHERE)


def recipe(folder: Path, lora: str) -> Recipe:
    (folder / "r.yaml").write_text(
        "name: tiny\nmodels: {student: tiny}\nprompts:\n  - source: seeds.jsonl\ndatasets:\n  sft: {type: sft}\n"
        f"train:\n  t: {{trainer: sft, dataset: sft, model: student, lora: {lora}}}\n"
        f"  u: {{trainer: sft, dataset: sft, model: t, lora: {lora}}}\n"
    )
    return load_recipe(folder / "r.yaml")


def model_folder(folder: Path, config: str = "{}") -> ModelRef:
    """Write a model of two layers, as far as the names of its modules go."""
    names = [f"model.layers.{i}.self_attn.{part}_proj.weight" for i in (0, 1) for part in "qkvo"]
    entries = {name: {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 0]} for name in names}
    entries |= {"model.norm.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 0]}}
    header = json.dumps({"__metadata__": {"format": "pt"}} | entries).encode()
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (folder / "config.json").write_text(config)
    return ModelRef("student", "tiny@0", str(folder))


def test_a_target_that_no_layer_has_is_named_with_its_nearest(tmp_path: Path):
    ref = model_folder(tmp_path / "model")
    for targets in (["q_proj", "v_proj"], ["layers.1.self_attn.q_proj"], "all-linear", r".*\.[qv]_proj"):
        lora_targets.check_targets(targets, ref, WHERE)
    with pytest.raises(UserError) as error:
        lora_targets.check_targets(["q_proj", "v_prj"], ref, WHERE)
    assert str(error.value) == (
        f"{WHERE}: lora: target_modules: no module of the model 'student' is called 'v_prj'; did you mean 'v_proj'? "
        f"(there are: k_proj, o_proj, q_proj, v_proj)"
    )
    with pytest.raises(UserError, match="no module of the model 'student' is called 'norm'"):  # it has no matrix
        lora_targets.check_targets(["norm"], ref, WHERE)
    with pytest.raises(UserError, match=r"no regular expression: '\(q_proj'"):
        lora_targets.check_targets("(q_proj", ref, WHERE)
    assert lora_targets.module_names(model_folder(tmp_path / "moe", '{"num_experts": 8}')) == set()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"\xff" * 64)  # no header of a file of weights
    assert lora_targets.module_names(ref) == set()


@needs("trl", "peft")
@pytest.mark.slow
def test_targets_are_looked_up_in_the_model_that_all_starts_from(tmp_path: Path):
    models = {"student": model_folder(tmp_path / "model")}
    check_with_trl(recipe(tmp_path, "{target_modules: [q_proj]}"), ["t", "u"], models)
    with pytest.raises(UserError, match=r"r.yaml:9: train.u: lora: target_modules: .* called 'gate_proj'"):
        check_with_trl(recipe(tmp_path, "{target_modules: [gate_proj]}"), ["u"], models)
    check_with_trl(recipe(tmp_path, "{target_modules: [gate_proj]}"), ["u"], {})
    check_with_trl(recipe(tmp_path, "{target_modules: [gate_proj]}"), [], models)


@needs("trl", "peft")
@pytest.mark.slow
def test_a_device_that_runs_no_quantised_weights_is_named(monkeypatch: pytest.MonkeyPatch):
    from train.trl_setup import quantization

    assert quantization(None, WHERE) is None
    found = SimpleNamespace(supported_torch_devices={"npu"}, __version__="0.1")
    monkeypatch.setitem(sys.modules, "bitsandbytes", found)
    with pytest.raises(UserError, match=r"quantize: 4bit: bitsandbytes 0.1 does not run on .* only on npu; remove it"):
        quantization("4bit", WHERE)
