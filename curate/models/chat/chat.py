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
    config = _read_json(folder / "tokenizer_config.json")
    source = config.get("chat_template")
    if (folder / "chat_template.jinja").exists():
        source = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if isinstance(source, list):  # several templates with names
        source = next((t["template"] for t in source if t.get("name") == "default"), None)
    if source is None:
        return None
    special = {n: v["content"] if isinstance(v, dict) else v for n, v in config.items() if n.endswith("_token")}
    return ChatTemplate(source, tuple((name, value) for name, value in special.items() if isinstance(value, str)))


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
    source, backend = tokenizer.chat_template, getattr(tokenizer, "backend_tokenizer", None)
    if isinstance(source, dict):  # several templates with names
        source = source.get("default")
    if source is None or backend is None:
        return None
    from tokenizers import Tokenizer

    special = tuple((n, v) for n, v in tokenizer.special_tokens_map.items() if isinstance(v, str))
    return Chat(ChatTemplate(source, special), _bare(Tokenizer.from_str(backend.to_str())))


def _read_json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
