"""A model passed on as merged weights or as an adapter is the trained one, and is written whole or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from curate.api.find_model import find_model
from curate.models.model_ref import ModelRef
from curate.models.weight_files import note_start
from curate.models.weights import load
from curate.storage.store import Store
from schemas.errors import UserError
from tests.optional import needs
from tests.trainings import trained
from train import export_model
from train.export.adapter import BASE

pytestmark = [needs("torch", "transformers", "peft"), pytest.mark.slow]

PLAIN = {"r": 3, "lora_alpha": 12, "target_modules": ["q_proj", "down_proj"]}
OTHER = {"r": 2, "lora_alpha": 6, "use_rslora": True, "target_modules": ["v_proj", "q_proj", "embed_tokens"]}
DORA = {"r": 2, "use_dora": True, "target_modules": ["v_proj"]}

FACTS: dict[str, Any] = {  # as a training keeps them (train.reports.card.card_facts)
    "recipe": "demo", "recipe_text": "name: demo", "name": "tuned", "training_id": "0" * 12, "trainer": "sft",
    "model": "base", "base": "base@0", "chain": [], "base_location": "base", "base_hub": None, "built_in": "",
    "licence": {"id": "mit", "source": "its card"}, "dataset": "sft", "rows": 9, "splits": {}, "sources": [],
    "hub_datasets": [], "fates": {"trained": 9}, "learnt": "", "settings": {}, "figures": {}, "best": "", "steps": 3,
    "seconds": 2.0, "versions": {}, "curves": True, "adapter": True, "rank": 3, "adapters_below": 1,
    "classifier": False,
}  # fmt: skip


def add_adapter(ref: ModelRef, folder: Path, options: dict[str, Any], seed: int) -> ModelRef:
    """Save a random adapter on top of a model, as a training does; return the model with it."""
    import peft
    import torch

    torch.manual_seed(seed)
    model, tokenizer = load(ref)
    made = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **options))
    with torch.no_grad():
        for name, value in made.named_parameters():
            if "lora_" in name:
                value.mul_(2)
    made.save_pretrained(str(folder))
    tokenizer.save_pretrained(folder)
    note_start(folder, ref)
    return ref.trained(folder.name, "0" * 12, folder, adapter=True)


@pytest.fixture(scope="module")
def adapters(lively, tmp_path_factory):
    """The folders of adapters: plain, one more on it, and one of another kind on the plain one."""
    folder = tmp_path_factory.mktemp("adapters")
    first = add_adapter(ModelRef("base", "base@0", str(lively)), folder / "first", PLAIN, 1)
    add_adapter(first, folder / "second", OTHER, 2)
    add_adapter(first, folder / "dora", DORA, 3)
    return folder


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(torch.tensor([[5, 6, 7, 200, 3]])).logits


def trained_logits(folder: Path) -> Any:
    """The outputs of the model that a folder means, as every other use has it."""
    return logits(load(find_model(str(folder)))[0])


@pytest.mark.parametrize("name", ["first", "second", "dora"])
def test_merged_weights_are_the_trained_model(tmp_path, adapters, lively, name):
    import torch
    import transformers

    done = export_model(str(adapters / name), tmp_path / "out")
    assert done.path == tmp_path / "out" and done.format == "merged"
    assert done.notes[-1].startswith("checked with transformers: 20 of 20 greedy answers are equal")
    found = transformers.AutoModelForCausalLM.from_pretrained(done.path)
    assert torch.allclose(logits(found), trained_logits(adapters / name), atol=1e-4)
    assert not torch.allclose(logits(found), trained_logits(lively), atol=0.1)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(done.path)
    assert tokenizer.chat_template
    files = {file.name for file in done.path.iterdir()}
    assert {"README.md", "config.json", "generation_config.json", "chat_template.jinja", "tokenizer.json"} <= files
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_merged_weights_may_be_rounded(tmp_path, adapters, dtype):
    import transformers

    done = export_model(str(adapters / "first"), tmp_path / "out", dtype=dtype, check=2)
    assert done.notes[0] == f"weights in {dtype}, 1 adapter merged"
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(done.path, dtype="auto")
    assert str(model.dtype) == f"torch.{dtype}"
    again = export_model(str(done.path), tmp_path / "again", check=0)  # auto: as they are stored
    assert again.notes[0] == f"weights in {dtype}" and again.notes[-1] == "not checked, as --check 0 says"


def test_one_adapter_names_its_base(tmp_path, adapters, lively):
    import peft
    import torch

    done = export_model(str(adapters / "first"), tmp_path / "out", format="adapter")
    assert any("20 of 20 greedy answers are equal" in note for note in done.notes)
    config = json.loads((done.path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(lively) and config["r"] == 3
    model = peft.AutoPeftModelForCausalLM.from_pretrained(done.path)
    assert torch.allclose(logits(model), trained_logits(adapters / "first"), atol=1e-4)
    assert torch.allclose(trained_logits(done.path), trained_logits(adapters / "first"), atol=1e-4), "and by gristmill"
    assert not (done.path / "starts_from.json").exists()


def test_a_chain_of_plain_adapters_is_one_of_the_summed_rank(tmp_path, adapters, lively):
    import peft
    import torch

    done = export_model(str(adapters / "second"), tmp_path / "out", format="adapter")
    assert done.notes[0] == "the 2 adapters are one of rank 5, their sum"
    config = json.loads((done.path / "adapter_config.json").read_text())
    assert config["r"] == 5 and config["base_model_name_or_path"] == str(lively)
    model = peft.AutoPeftModelForCausalLM.from_pretrained(done.path)
    assert torch.allclose(logits(model), trained_logits(adapters / "second"), atol=1e-4)
    assert not torch.allclose(logits(model), trained_logits(adapters / "first"), atol=0.1)


def test_a_chain_that_has_no_sum_comes_with_its_base(tmp_path, adapters):
    import peft
    import torch

    done = export_model(str(adapters / "dora"), tmp_path / "out", format="adapter")
    assert done.notes[0].startswith("the adapters before the last are merged into base, since ")
    assert done.notes[0].endswith("dora has use_dora")
    model = peft.AutoPeftModelForCausalLM.from_pretrained(done.path)
    assert torch.allclose(logits(model), trained_logits(adapters / "dora"), atol=1e-4)
    assert (done.path / BASE / "config.json").exists()


def test_a_training_of_the_store_by_its_name(tmp_path, adapters, lively):
    store = Store(tmp_path / "store", create=True)
    stage = trained(store, "demo", "tuned", "sft")
    shutil.copytree(adapters / "first", stage.folder("model"))
    (stage.folder("model") / "README.md").write_text("---\nlibrary_name: peft\n---\n\n# demo: tuned\n")
    note_start(stage.folder("model"), ModelRef("base", "base@0", str(lively)))
    done = export_model("demo/tuned", tmp_path / "out", store=store, check=1)
    card = (done.path / "README.md").read_text()
    assert card.startswith(
        "---\nlibrary_name: transformers\n---\n\n# demo: tuned\n\n## To load it\n\n```python\nfrom tran"
    )
    assert "\n## This copy: merged\n\n" in card
    assert "- weights in float32, 1 adapter merged" in card and "1 of 1 greedy answers are equal" in card
    with pytest.raises(UserError, match="no model, training of the store or folder called 'tunde'.*'tuned'"):
        export_model("tunde", tmp_path / "other", store=store)


def test_the_card_is_that_of_the_training(tmp_path, adapters):
    source = shutil.copytree(adapters, tmp_path / "stage" / "x").parent
    (source / "x" / "card.json").write_text(json.dumps(FACTS))
    old = "x <!-- gristmill: evaluations -->\n## Evaluation\n0.5 to 0.9\n<!-- gristmill: end of the evaluations --> y"
    (source / "x" / "first" / "README.md").write_text(old)
    (source / "x" / "first" / "curves.svg").write_text("<svg/>")
    done = export_model(str(source / "x" / "first"), tmp_path / "out", check=0)
    text = (done.path / "README.md").read_text()
    assert "library_name: transformers" in text and "license: mit" in text and "trained on: 9" in text
    assert "0.5 to 0.9" in text and "PeftModel" not in text and (done.path / "curves.svg").exists()
    assert text.count("## To load it") == 1 and "vllm serve . --served-model-name tuned" in text
    adapter = export_model(str(source / "x" / "second"), tmp_path / "adapter", format="adapter", check=0)
    text = (adapter.path / "README.md").read_text()
    assert "library_name: peft" in text and "starts_from.json" not in text and "curves.svg" not in text
    assert "- the 2 adapters are one of rank 5, their sum\n" in text


def test_licences_come_with_the_weights(tmp_path, lively):
    base = shutil.copytree(lively, tmp_path / "base")
    (base / "LICENSE.txt").write_text("Apache")
    done = export_model(str(base), tmp_path / "out", check=0)
    assert (done.path / "LICENSE.txt").read_text() == "Apache"


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "ggfu"}, r"no format 'ggfu'; did you mean 'gguf'"),
        ({"dtype": "float64"}, r"no dtype 'float64'"),
        ({"check": 21}, r"check: 21; expected 0 to 20 prompts"),
        ({"outtype": "f16"}, r"--outtype is no setting of the format merged"),
        ({"format": "adapter"}, r"has no adapter: its full weights were trained; take --format merged"),
        ({"format": "adapter", "dtype": "float16"}, r"--dtype is no setting of the format adapter"),
        ({"format": "gguf"}, r"needs --llama-cpp DIR, a checkout of llama.cpp: git clone"),
        ({"format": "gguf", "llama_cpp": "."}, r"has no convert_hf_to_gguf.py, so it is no checkout"),
    ],
)
def test_a_wrong_setting_is_an_error_and_leaves_nothing(tmp_path, lively, settings, message, monkeypatch):
    monkeypatch.setattr("train.export.export_model.reference_of", None)  # no prompt is answered before
    with pytest.raises(UserError, match=message):
        export_model(str(lively), tmp_path / "out", **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_not_touched(tmp_path, lively):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is there and not empty; name a new folder, or remove it"):
        export_model(str(lively), tmp_path / "full")
    with pytest.raises(UserError, match="is a file"):
        export_model(str(lively), tmp_path / "full" / "mine.txt")
    (tmp_path / "empty").mkdir()
    assert export_model(str(lively), tmp_path / "empty", check=0).path.is_dir()
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_an_empty_folder_stays_itself(tmp_path, lively):
    """It may be a mount, the current folder, or the only one that may be written: it is filled, not replaced."""
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / ".empty.999999999.partial").mkdir()  # of an export that was killed
    (tmp_path / "link").symlink_to("empty")
    before = folder.stat().st_ino
    export_model(str(lively), tmp_path / "link", check=0)
    assert folder.stat().st_ino == before and (tmp_path / "link").is_symlink()
    assert (folder / "config.json").is_file() and [file.name for file in folder.glob(".*")] == [".gristmill.json"]


def test_a_link_to_nothing_is_no_target(tmp_path, lively):
    (tmp_path / "ahead").symlink_to("made")
    with pytest.raises(UserError, match="ahead: is a link to 'made', which is not there"):
        export_model(str(lively), tmp_path / "ahead", check=0)
    assert not (tmp_path / "made").exists()


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path, lively, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr("train.export.export_model.reference_of", None)
    with pytest.raises(UserError, match="out cannot be made: .*file is a file"):
        export_model(str(lively), tmp_path / "file" / "out")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UserError, match="out cannot be made: .* is not writable"):
        export_model(str(lively), tmp_path / "new" / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_too_little_space_is_said_before_anything_is_done(tmp_path, lively, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(UserError, match=r"has 0\.0 MB free; the export needs 0\.\d MB"):
        export_model(str(lively), tmp_path / "new" / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_writes_no_text_is_refused(tmp_path):
    config = {"architectures": ["BertModel"], "model_type": "bert"}
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="the model 'bert' is a BertModel; expected one that writes text"):
        export_model(str(tmp_path / "bert"), tmp_path / "out")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_export_that_ends_early_leaves_nothing(tmp_path, lively, monkeypatch, error):
    def fail(*_: Any, **__: Any) -> None:
        raise error

    (tmp_path / ".out.999999999.partial").mkdir()  # of an export that was killed
    monkeypatch.setattr("train.export.export_model.write_export_card", fail)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        export_model(str(lively), tmp_path / "out", check=0)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_write_something_else_are_not_kept(tmp_path, adapters, lively, monkeypatch):
    def forgets(_: ModelRef, *others: Any) -> Any:
        return load(ModelRef("base", "base@0", str(lively)), *others)

    monkeypatch.setattr("train.export.merged.load", forgets)
    with pytest.raises(UserError, match="the merged weights do not write what the model with its adapter does: "):
        export_model(str(adapters / "first"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
