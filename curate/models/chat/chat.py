"""``Chat``: how a model reads a conversation, its chat template and its tokenizer together.

It is read from a model's folder, without transformers (to plan and to show), or taken from a loaded tokenizer (to
train); a test compares the two.
"""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from curate.models.chat.chat_template import ChatTemplate
from curate.models.model_ref import ModelRef
from curate.models.weight_files import given_template, saved_template
from curate.models.weights import local_folder


@dataclass(frozen=True)
class Chat:
    """A model's chat template and its tokenizer.

    Attributes:
        template: The chat template.
        tokenizer: A ``tokenizers.Tokenizer`` without truncation and padding.
    """

    template: ChatTemplate
    tokenizer: Any

    def encode(self, text: str) -> Any:
        """Return the ``tokenizers.Encoding`` of a rendered text: no special token is added, the template has them."""
        return self.tokenizer.encode(text, add_special_tokens=False)


def chat_in(folder: Path | None) -> Chat | None:
    """Return the chat of a model's folder; None where it has no tokenizer or no chat template.

    None, too, where ``tokenizers`` or ``jinja2`` is not installed.
    """
    tokenizer = None if folder is None else _tokenizer(folder)
    template = None if folder is None else template_in(folder)
    if tokenizer is None or template is None or find_spec("jinja2") is None:
        return None
    return Chat(template, tokenizer)


def template_in(folder: Path) -> ChatTemplate | None:
    """Return the chat template of a model's folder, or None."""
    return _template(saved_template(folder), _special_tokens(folder))


def chat_for(ref: ModelRef) -> Chat | None:
    """Return the chat of a model as ``curate.models.weights.load`` would set it up, without transformers.

    None where it has no chat template or no ``tokenizer.json``, or where its folder is not on this machine yet
    (``local_folder``); None, too, where ``tokenizers`` or ``jinja2`` is not installed.
    """
    folder, template = local_folder(ref), template_for(ref)
    tokenizer = None if folder is None or template is None else _tokenizer(folder)
    return None if tokenizer is None or template is None else Chat(template, tokenizer)


def template_for(ref: ModelRef) -> ChatTemplate | None:
    """Return a model's chat template: the recipe's, else that of its last adapter with one, else its folder's.

    None where it has none, where its folder is not on this machine yet, or where ``jinja2`` is not installed.
    """
    folder = local_folder(ref)
    if folder is None or not (folder / "config.json").exists() or find_spec("jinja2") is None:
        return None  # a training that is planned has no folder of its own yet
    return _template(given_template(ref), _special_tokens(folder)) or template_in(folder)


def _special_tokens(folder: Path) -> tuple[tuple[str, str], ...]:
    """Return the special tokens of a model's folder, which its chat template may name."""
    config = _read_json(folder / "special_tokens_map.json") | _read_json(folder / "tokenizer_config.json")
    special = {n: v["content"] if isinstance(v, dict) else v for n, v in config.items() if n.endswith("_token")}
    return tuple((name, value) for name, value in special.items() if isinstance(value, str))


def _tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a model's folder, without truncation and padding, or None."""
    if not (folder / "tokenizer.json").exists() or find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    return _bare(Tokenizer.from_file(str(folder / "tokenizer.json")))


def _bare(tokenizer: Any) -> Any:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def chat_of(tokenizer: Any) -> Chat | None:
    """Return the chat of a tokenizer that transformers has loaded; None where it has no chat template.

    None, too, for a tokenizer that is not one of the library ``tokenizers``: it can't say where its tokens stand.
    """
    template, backend = template_of(tokenizer), getattr(tokenizer, "backend_tokenizer", None)
    if template is None or backend is None:
        return None
    from tokenizers import Tokenizer

    return Chat(template, _bare(Tokenizer.from_str(backend.to_str())))


def template_of(tokenizer: Any) -> ChatTemplate | None:
    """Return the chat template of a tokenizer that transformers has loaded, or None."""
    special = tuple((n, v) for n, v in tokenizer.special_tokens_map.items() if isinstance(v, str))
    return _template(tokenizer.chat_template, special)


def _template(found: str | dict[str, str] | None, special: tuple[tuple[str, str], ...]) -> ChatTemplate | None:
    """Return a chat template as transformers has it, which may be several with names; None where there is none."""
    named = found if isinstance(found, dict) else {"default": found}
    source = named.get("default")
    return None if source is None else ChatTemplate(source, special, named.get("tool_use") or "")


def _read_json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
