"""The lines of a model card that load the model: with transformers or PEFT, vLLM and gristmill."""

import shlex
from collections.abc import Mapping
from typing import Any

WHOLE = """
from transformers import {auto}, AutoTokenizer

folder = "."  # this folder, or its name on the hub
model = {auto}.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
"""
ADAPTER = """
from peft import PeftModel
from transformers import {auto}, AutoTokenizer

folder = "."  # this folder, or its name on the hub
model = PeftModel.from_pretrained({auto}.from_pretrained({base}), folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
"""
STACKED = """
import json
from pathlib import Path

from peft import PeftModel
from transformers import {auto}, AutoTokenizer

folder = Path(".")  # this folder, where the adapters below it are still beside it
adapters = json.loads((folder / "starts_from.json").read_text())["adapters"]
model = {auto}.from_pretrained({base})
for adapter in adapters:  # each was trained on what those before it made
    model = PeftModel.from_pretrained(model, folder / adapter).merge_and_unload()
model = PeftModel.from_pretrained(model, folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
"""
ANSWER = """
prompt = tokenizer.apply_chat_template(
    [{"role": "user", "content": "Hello!"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
)
answer = model.generate(**prompt, max_new_tokens=64)
print(tokenizer.decode(answer[0, prompt["input_ids"].shape[1]:], skip_special_tokens=True))
"""
SCORE = """
text = tokenizer.apply_chat_template(
    [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hi."}],
    return_tensors="pt", return_dict=True,
)
print(model(**text).logits[0, 0].item())  # the higher, the better the answer
"""


def python_lines(facts: Mapping[str, Any]) -> str:
    """Return Python that loads a model and asks it once.

    Args:
        facts: The facts of a card: ``adapter``, ``classifier``, ``adapters_below`` and ``base_location``.
    """
    auto = f"AutoModelFor{'SequenceClassification' if facts['classifier'] else 'CausalLM'}"
    form = WHOLE if not facts["adapter"] else STACKED if facts["adapters_below"] else ADAPTER
    load = form.format(auto=auto, base=f"{facts['base_location']!r}{_outputs(facts)}")
    return (load + (SCORE if facts["classifier"] else ANSWER)).strip()


def _outputs(facts: Mapping[str, Any]) -> str:
    """Return the argument that gives a base model the head of a reward model."""
    return ", num_labels=1" if facts["classifier"] else ""


def command_lines(facts: Mapping[str, Any]) -> str:
    """Return the shell's lines that serve a model by vLLM, and chat with it."""
    name, base = shlex.quote(facts["name"]), shlex.quote(facts["base_location"])
    chat = [] if facts["classifier"] else [f"gristmill chat {name}  # where the store is"]
    if facts["classifier"]:
        serve = [] if facts["adapter"] else ["vllm serve . --runner pooling"]
    elif not facts["adapter"]:
        serve = [f"vllm serve . --served-model-name {name}"]
    elif facts["adapters_below"]:
        serve = [f"gristmill export-model {name} merged --format merged && vllm serve merged"]
    else:
        serve = [f"vllm serve {base} --enable-lora --lora-modules {name}=.{_rank(facts)}"]
    return "\n".join([*serve, *chat])


def _rank(facts: Mapping[str, Any]) -> str:
    """Return vLLM's flag for an adapter of a higher rank than it takes by itself (16)."""
    rank = facts.get("rank") or 0
    return f" --max-lora-rank {next(r for r in (32, 64, 128, 256, 320, 512) if r >= rank)}" if 16 < rank <= 512 else ""
