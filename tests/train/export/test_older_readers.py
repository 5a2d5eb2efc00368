"""A folder that transformers 5 wrote has what transformers 4 reads, and is read by 5 as before."""

import json
from typing import Any

import pytest

from tests.optional import Lazy, needs
from train.export.older_readers import for_older_readers

pytestmark = [needs("torch", "transformers"), pytest.mark.slow]
transformers: Any = Lazy("transformers")
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LLAMA3 |= {"original_max_position_embeddings": 64}


@pytest.mark.parametrize("rope", [{"rope_type": "default"}, LLAMA3])
def test_the_positions_are_named_for_both(tmp_path, rope):
    parameters = {**rope, "rope_theta": 50_000.0}
    config = transformers.LlamaConfig(rope_parameters=parameters, max_position_embeddings=512)
    config.save_pretrained(tmp_path)
    before = transformers.AutoConfig.from_pretrained(tmp_path).rope_parameters
    for_older_readers(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["rope_theta"] == 50_000.0
    assert written.get("rope_scaling") == (None if rope["rope_type"] == "default" else rope)
    assert transformers.AutoConfig.from_pretrained(tmp_path).rope_parameters == before == parameters


def test_the_tokenizer_is_named_for_both(tmp_path, tiny):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    tokenizer.add_special_tokens({"extra_special_tokens": ["<a>", "<b>"]})
    tokenizer.save_pretrained(tmp_path)
    for_older_readers(tmp_path)
    written = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert written["tokenizer_class"] == "PreTrainedTokenizerFast" and "extra_special_tokens" not in written
    again = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "the cat <a> sings 12<|im_end|>"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"] and again.chat_template == tokenizer.chat_template
    assert set(again.all_special_tokens) == set(tokenizer.all_special_tokens)
