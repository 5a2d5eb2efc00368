"""The model card of an exported model: that of its training, and how this copy was made, checked and is loaded."""

import re
from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.models.weight_files import BUILT_IN, base_identity

LOADING = {
    "merged": """```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("{folder}")
tokenizer = AutoTokenizer.from_pretrained("{folder}")
```

    vllm serve {folder}""",
    "adapter": """```python
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained("{folder}")
```

    vllm serve BASE --enable-lora --max-lora-rank 64 --lora-modules NAME={folder}""",
    "gguf": """    llama-server --model {gguf}
    ollama create NAME --file Modelfile""",
}


def write_export_card(ref: ModelRef, folder: Path, form: str, notes: list[str]) -> None:
    """Write ``README.md``.

    Args:
        ref: The model.
        folder: The exported folder, complete but for the card.
        form: ``merged``, ``adapter`` or ``gguf``.
        notes: What was done and checked.
    """
    source = Path((ref.adapters or (ref.location,))[-1]) / "README.md"
    card = source.read_text(encoding="utf-8", errors="replace") if source.is_file() else _card(ref)
    library = {"merged": "transformers", "adapter": "peft", "gguf": "gguf"}[form]
    card = re.sub(r"^library_name: \S+$", f"library_name: {library}", card, count=1, flags=re.MULTILINE)
    gguf = next((file.name for file in folder.glob("*.gguf")), "")
    lines = [f"## This copy: {form}", "", *[f"- {note}" for note in notes], ""]
    how = LOADING[form].format(folder="FOLDER", gguf=gguf)
    text = "\n".join([card.rstrip(), "", *lines, how, ""])
    (folder / "README.md").write_text(text, encoding="utf-8")


def _card(ref: ModelRef) -> str:
    """Return the card of a model that was not trained here."""
    base = BUILT_IN[ref.location][1] if ref.package else base_identity(ref).partition("@")[0]
    front = [f"base_model: {base}"] if base.count("/") == 1 else []
    said = f"The model `{ref.short_name}`, exported by gristmill."
    return "\n".join(
        ["---", *front, "library_name: transformers", "tags: [gristmill]", "---", "", f"# {ref.name}", "", said]
    )
