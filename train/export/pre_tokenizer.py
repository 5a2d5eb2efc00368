"""The name by which llama.cpp knows how a byte-level BPE tokenizer splits a text before it merges bytes.

llama.cpp's converter knows tokenizers by the tokens that they give for one text, so it refuses those that nobody has
listed: a built-in's, a vocabulary of one's own. Which of its ways of splitting is the same, the file tokenizer.json
says. The tokens of texts are compared afterwards.
"""

import json
from pathlib import Path
from typing import Any

GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def pre_tokenizer(folder: Path) -> str | None:
    """Return llama.cpp's name for the splitting of a tokenizer (``tokenizer.ggml.pre``); None for another kind.

    Args:
        folder: A folder with a ``tokenizer.json``.
    """
    file = folder / "tokenizer.json"
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    if found["model"].get("type") != "BPE" or found["model"].get("byte_fallback"):
        return None
    whole = bool(found["model"].get("ignore_merges"))  # llama.cpp does so under the name llama-bpe, and only there
    steps = _steps(found.get("pre_tokenizer"))
    normal = (found.get("normalizer") or {}).get("type")
    if normal is None and not whole and steps == [GPT2]:
        return "gpt-2"
    if normal is None and not whole and steps == [DIGITS, GPT2]:
        return "smollm"
    if normal is None and whole and steps == [LLAMA3]:
        return "llama-bpe"
    if normal in (None, "NFC") and not whole and steps == [QWEN2]:
        return "qwen2"
    return None


def _steps(found: dict[str, Any] | None) -> list[Any]:
    """Return the steps of a pre-tokenizer: a regular expression that splits, else the step's own settings."""
    if found is None:
        return []
    steps: list[Any] = []
    for step in found["pretokenizers"] if found["type"] == "Sequence" else [found]:
        if step["type"] == "ByteLevel" and not step.get("use_regex", True) and not step.get("add_prefix_space"):
            continue  # bytes as characters, as each of these has them
        if step["type"] == "Split" and step.get("behavior") == "Isolated" and not step.get("invert"):
            steps.append(step["pattern"].get("Regex"))
        else:
            steps.append({key: value for key, value in step.items() if key != "trim_offsets"})
    return steps
