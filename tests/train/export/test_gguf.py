"""A GGUF file has the tokens, prompts and greedy answers of the model, by llama.cpp's own converter and server."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import UserError
from tests.models.chat.styles import CHATML, MISTRAL
from tests.optional import Lazy, needs
from tests.train.export.test_ollama_template import SMOLLM2
from tests.with_llama_cpp import CHECKOUT, with_llama_cpp
from train import export_model
from train.export.gguf import check_llama_cpp
from train.export.llama_server import llama_server, server_command
from train.export.modelfile import write_modelfile
from train.export.pre_tokenizer import LLAMA3, QWEN2, pre_tokenizer

pytestmark = needs("torch", "transformers")
transformers: Any = Lazy("transformers")


@with_llama_cpp
def test_a_gguf_file_writes_what_the_model_does(tmp_path, wide):
    done = export_model(str(wide), tmp_path / "out", format="gguf", llama_cpp=CHECKOUT, check=6)
    files = sorted(file.name for file in done.path.iterdir())
    assert files == ["Modelfile", "README.md", "model-f32.gguf"]
    assert done.notes[1] == "Modelfile: its TEMPLATE prints conversations as the chat template does"
    assert done.notes[2] == "checked with llama.cpp: the tokens of 11 texts are equal"
    assert done.notes[3] == "checked with llama.cpp: it prints a conversation as the model's chat template does"
    assert done.notes[4].startswith("checked with llama.cpp: 6 of 6 greedy answers are equal")
    modelfile = (done.path / "Modelfile").read_text()
    assert modelfile.startswith("FROM ./model-f32.gguf\n") and 'PARAMETER stop "<|im_end|>"\n' in modelfile
    assert modelfile.endswith("PARAMETER num_ctx 256\n")
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@with_llama_cpp
def test_a_rounded_file_says_how_its_answers_differ(tmp_path, wide):
    done = export_model(str(wide), tmp_path / "out", format="gguf", llama_cpp=CHECKOUT, outtype="q8_0", check=4)
    assert (done.path / "model-q8_0.gguf").exists()
    assert " of 4 greedy answers are equal" in done.notes[-1]


@with_llama_cpp
def test_a_file_of_another_model_is_not_kept(tmp_path, wide, monkeypatch):
    from train.export import export_model as module

    real = module.write_gguf

    def other(merged: Path, *rest: Any) -> None:
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(merged)
        model.model.layers[0].mlp.down_proj.weight.data.neg_()
        model.save_pretrained(merged)
        real(merged, *rest)

    monkeypatch.setattr(module, "write_gguf", other)
    with pytest.raises(UserError, match=r"model-f32.gguf does not write what the model does: \d of 4 greedy answers"):
        export_model(str(wide), tmp_path / "out", format="gguf", llama_cpp=CHECKOUT, check=4)
    assert list(tmp_path.iterdir()) == []


@with_llama_cpp
def test_what_the_converter_refuses_is_told_in_its_words(tmp_path):
    config = transformers.XGLMConfig(
        vocab_size=340, d_model=32, ffn_dim=32, num_layers=1, attention_heads=2, pad_token_id=0, eos_token_id=2
    )
    transformers.XGLMForCausalLM(config).save_pretrained(tmp_path / "odd")
    from tests.tiny_model import make_tiny

    make_tiny(tmp_path / "tiny")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tmp_path / "tiny" / file, tmp_path / "odd" / file)
    with pytest.raises(UserError, match=r"convert_hf_to_gguf.py of .* failed: .*XGLMForCausalLM.* not supported"):
        export_model(str(tmp_path / "odd"), tmp_path / "out", format="gguf", llama_cpp=CHECKOUT, check=0)
    assert not (tmp_path / "out").exists()


@with_llama_cpp
def test_a_file_that_is_no_model_is_told_in_the_servers_words(tmp_path):
    (tmp_path / "no.gguf").write_bytes(b"GGUF" + bytes(64))
    command = server_command(tmp_path)
    assert command is not None
    with (
        pytest.raises(UserError, match=r"llama.cpp cannot load no.gguf: "),
        llama_server(command, tmp_path / "no.gguf", 64),
    ):
        pass


@pytest.mark.slow
def test_without_a_server_it_is_said_that_nothing_was_checked(tmp_path, wide, monkeypatch):
    checkout = tmp_path / "llama.cpp"
    checkout.mkdir()
    (checkout / "convert_hf_to_gguf.py").write_text(FAKE)
    monkeypatch.setattr("train.export.check_gguf.server_command", lambda _: None)
    done = export_model(str(wide), tmp_path / "out", format="gguf", llama_cpp=checkout, outtype="f16", check=1)
    assert done.notes[-1].startswith("not checked: llama.cpp is not built here; build llama-server in the checkout")
    said = json.loads((tmp_path / "said.json").read_text())
    assert said[1:] == ["--outfile", said[2], "--outtype", "f16"] and said[2].endswith("model-f16.gguf")


# A converter that writes a file with nothing but its metadata, beside the checkout what it was told.
FAKE = """
import json, pathlib, sys
import gguf
pathlib.Path(__file__).parent.parent.joinpath("said.json").write_text(json.dumps(sys.argv[1:]))
writer = gguf.GGUFWriter(sys.argv[sys.argv.index("--outfile") + 1], "llama")
writer.add_bool("tokenizer.ggml.add_bos_token", False)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.close()
"""


def test_what_a_checkout_lacks_is_said(tmp_path):
    with pytest.raises(UserError, match="is no checkout of llama.cpp; git clone"):
        check_llama_cpp(tmp_path, "f16")
    (tmp_path / "convert_hf_to_gguf.py").write_text("")
    assert check_llama_cpp(tmp_path, "q8_0") == tmp_path
    with pytest.raises(UserError, match=r"Q4_K_M is written by llama-quantize, which is neither built"):
        check_llama_cpp(tmp_path, "Q4_K_M")
    with pytest.raises(UserError, match=r"--outtype: '--x'; expected auto, f32"):
        check_llama_cpp(tmp_path, "--x")
    built = tmp_path / "build" / "bin" / "llama-quantize"
    built.parent.mkdir(parents=True)
    built.symlink_to(sys.executable)
    assert check_llama_cpp(tmp_path, "Q4_K_M") == tmp_path


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
NO_SPLIT = BYTES | {"use_regex": False}


def split(regex):
    cut = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [cut, NO_SPLIT]}


@pytest.mark.parametrize(
    ("steps", "more", "name"),
    [
        (BYTES, {}, "gpt-2"),
        ({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTES]}, {}, "smollm"),
        (split(LLAMA3), {"ignore_merges": True}, "llama-bpe"),
        (split(QWEN2), {}, "qwen2"),
        (split(LLAMA3), {}, None),  # llama.cpp would keep whole words under that name
        (split(r"\w+"), {}, None),
        (BYTES | {"add_prefix_space": True}, {}, None),
        (None, {}, None),
        (BYTES, {"type": "Unigram"}, None),
        (BYTES, {"byte_fallback": True}, None),
    ],
)
def test_how_a_tokenizer_splits_has_a_name(tmp_path, steps, more, name):
    file = {"pre_tokenizer": steps, "normalizer": None, "model": {"type": "BPE", **more}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(file))
    assert pre_tokenizer(tmp_path) == name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "bos"), [(SMOLLM2, False), (MISTRAL, True), (CHATML, True), ("{{ strftime_now('%Y') }}", False)]
)
def test_a_modelfile(tmp_path, tiny, template, bos):
    gguf: Any = Lazy("gguf")
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_bool("tokenizer.ggml.add_bos_token", bos)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template, tokenizer.bos_token = template, "<s>"
    generation = transformers.GenerationConfig(do_sample=True, temperature=0.6, top_k=20, eos_token_id=[2, 0])
    config = transformers.AutoConfig.from_pretrained(tiny)
    said = write_modelfile(tmp_path, tmp_path / "m.gguf", tokenizer, config, generation)
    text = (tmp_path / "Modelfile").read_text()
    assert "PARAMETER temperature 0.6\n" in text and "PARAMETER top_k 20\n" in text
    assert 'PARAMETER stop "<|im_end|>"\nPARAMETER stop "<pad>"\n' in text
    if "strftime" in template:
        assert "TEMPLATE" not in text.replace("# There is no TEMPLATE", "") and "it prints the date" in said
    else:
        printed = template == MISTRAL
        assert 'TEMPLATE """' in text and ("The token <s> before it" in text) == (bos and printed)
        assert ("puts the token <s> before it, which the chat template does not" in text) == (bos and not printed)
        assert ("It has no tools" in text) == ("tools" in template)


@pytest.mark.slow
def test_a_reward_model_is_exported_as_weights_only(tmp_path, tiny):
    model: Any = transformers.AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1)
    model.config.pad_token_id = 0
    model.save_pretrained(tmp_path / "rm")
    transformers.AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path / "rm")
    with pytest.raises(UserError, match="is a reward model or classifier, for which llama.cpp has no GGUF"):
        export_model(str(tmp_path / "rm"), tmp_path / "out", format="gguf", llama_cpp=tmp_path)
    done = export_model(str(tmp_path / "rm"), tmp_path / "out")
    assert done.notes[-1].startswith("checked with transformers: the rewards of 20 texts differ by at most")
    peft: Any = Lazy("peft")
    options = {"task_type": "SEQ_CLS", "r": 2, "target_modules": ["q_proj"], "init_lora_weights": False}
    made = peft.get_peft_model(model, peft.LoraConfig(**options))
    made.save_pretrained(str(tmp_path / "on_it"))
    adapter = json.loads((tmp_path / "on_it" / "adapter_config.json").read_text())
    adapter["base_model_name_or_path"] = str(tmp_path / "rm")
    (tmp_path / "on_it" / "adapter_config.json").write_text(json.dumps(adapter))
    tuned = export_model(str(tmp_path / "on_it"), tmp_path / "tuned", format="adapter")
    assert tuned.notes[-1].startswith("checked with transformers: the rewards of 20 texts differ by at most")
    kept: Any = transformers.AutoModelForSequenceClassification.from_pretrained(done.path)
    assert bool((kept.score.weight == model.score.weight).all())
