"""Lets programs with transformers 4 read a folder that transformers 5 wrote: they still serve many a model.

Version 4 knows no ``TokenizersBackend``, no list of ``extra_special_tokens`` and no ``rope_parameters``. It fails at
the first two. Without the last it takes a base of 10,000 for the rotary positions, without a word: another model.
"""

import json
from pathlib import Path
from typing import Any


def for_older_readers(folder: Path) -> None:
    """Add to a folder's configs of model and tokenizer what transformers 4 reads; version 5 reads them as before.

    Args:
        folder: The folder; either file may be missing.
    """
    _edit(folder / "config.json", _positions)
    _edit(folder / "tokenizer_config.json", _tokenizer)


def _edit(file: Path, change: Any) -> None:
    if file.exists():
        found = json.loads(file.read_text(encoding="utf-8"))
        change(found)
        file.write_text(json.dumps(found, indent=2, ensure_ascii=False), encoding="utf-8")


def _positions(config: dict[str, Any]) -> None:
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:  # else by the kind of layer, which version 4 has not
        config.setdefault("rope_theta", rope["rope_theta"])
        if rope.get("rope_type", "default") != "default":
            config.setdefault("rope_scaling", {key: value for key, value in rope.items() if key != "rope_theta"})


def _tokenizer(config: dict[str, Any]) -> None:
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"  # its name in version 4, and another name in version 5
    if isinstance(config.get("extra_special_tokens"), list):
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
