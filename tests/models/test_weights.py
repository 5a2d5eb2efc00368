"""Loading weights: a model of the wrong kind, or with weights that cannot be read, is one line."""

import sys
from pathlib import Path

import pytest

from curate.models.model_ref import ModelRef
from curate.models.weights import load, load_classifier
from schemas.errors import UserError
from tests.optional import needs

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]


def test_weights_that_cannot_be_read_are_one_line(tiny: Path, tmp_path: Path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny / name).read_bytes())
    for loader in (load, load_classifier):
        with pytest.raises(UserError, match=f"^model 'a': cannot load {tmp_path}: ") as error:
            loader(ModelRef("a", "a@0", str(tmp_path)))
        assert "\n" not in str(error.value)


def test_an_adapter_without_peft_says_what_to_install(tiny: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)  # as if it were not installed
    with pytest.raises(UserError, match=r"model 'a' \(a LoRA adapter\) needs .*train"):
        load(ModelRef("a", "a@0", str(tiny), adapters=(str(tmp_path),)))


def test_beside_a_large_model_freed_memory_is_kept(tiny: Path, monkeypatch):
    import torch

    from curate.models import weights

    calls: list[str] = []
    monkeypatch.setattr(weights, "keep_freed_memory", lambda: calls.append("kept"))
    ref = ModelRef("a", "a@0", str(tiny))
    load(ref)
    assert not calls
    monkeypatch.setattr(weights, "KEEPS_MEMORY", 1000)
    load(ref)
    assert calls == ([] if torch.cuda.is_available() else ["kept"])
