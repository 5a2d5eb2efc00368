"""Runs ``convert_hf_to_gguf.py`` of a llama.cpp checkout in a process of its own.

Its arguments are the checkout, a name PRE, the model's folder, and the converter's further arguments. Where the
converter does not know a tokenizer by the tokens of its probe, it takes PRE (empty for none) for how the tokenizer
splits texts. Everything else is the converter's own. The checkout's modules are Python of the user's.
"""

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def main() -> None:
    """Run the converter on the arguments after the checkout and the name."""
    checkout, pre, model, *arguments = sys.argv[1:]
    script = Path(checkout) / "convert_hf_to_gguf.py"
    ours = Path(__file__).parent  # Python puts it on the path, and its gguf.py would hide llama.cpp's package gguf
    sys.path[:] = [checkout, *(one for one in sys.path if Path(one) != ours)]
    if pre:
        _name_unknown(pre)
    if not (Path(model) / "tokenizer.model").exists():
        _spare_sentencepiece()
    sys.argv = [str(script), model, *arguments]
    runpy.run_path(str(script), run_name="__main__")


def _spare_sentencepiece() -> None:
    """Let the converter find no SentencePiece model where there is none, also where sentencepiece is not installed.

    It imports the package before it looks for the file.
    """
    if importlib.util.find_spec("sentencepiece") is None:
        absent: Any = ModuleType("sentencepiece")
        absent.SentencePieceProcessor = None
        sys.modules["sentencepiece"] = absent


def _name_unknown(pre: str) -> None:
    """Let the converter take a name for the splitting of a tokenizer that it does not know."""
    try:
        known: Any = importlib.import_module("conversion.base").TextModel
    except ImportError:
        return  # an older checkout, all in one file: it refuses such a tokenizer
    asked: Any = known.get_vocab_base_pre

    def known_or_given(self: Any, tokenizer: Any) -> str:
        try:
            return asked(self, tokenizer)
        except NotImplementedError:
            return pre

    known.get_vocab_base_pre = known_or_given


if __name__ == "__main__":
    main()
