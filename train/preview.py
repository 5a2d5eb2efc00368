"""Tokenises dataset rows as a trainer will, and says which tokens are learnt; it does not import transformers.

The chat template is rendered with jinja2, in the sandbox that transformers uses. The model's own ``tokenizer.json``
splits the text into tokens. A test compares the result with the labels that ``SFTTrainer`` builds.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import UserError
from train.tables import MESSAGE_COLUMNS

REASONING_KEYS = (
    "reasoning_content",
    "thinking",
    "reasoning",
)  # the keys that transformers reads a reasoning trace from, best first


@dataclass(frozen=True)
class Sample:
    """A row's prompt with one of its answers, as tokens.

    Attributes:
        row_id: The row's id.
        column: The answer's column (completion, chosen, rejected), or ``prompt`` for a row that has no answer.
        tokens: The texts of the tokens.
        learnt: Whether each token enters the loss.
        length: The number of tokens before the end was cut off at ``max_length``.
    """

    row_id: str
    column: str
    tokens: list[str]
    learnt: list[bool]
    length: int


def preview(
    rows: pl.DataFrame, dataset_type: str, folder: Path | None, max_length: int | None = 1024
) -> list[Sample] | None:
    """Tokenise dataset rows with a model's tokenizer and chat template.

    The answer begins where the tokens of the prompt and those of prompt and answer diverge, as in TRL.

    Args:
        rows: Rows that ``train.data.check_rows`` accepts.
        dataset_type: 'sft', 'preference' or 'prompt'.
        folder: The model's folder.
        max_length: The number of tokens after which the end is cut off; None for no limit.

    Returns:
        A sample for each answer; None if the folder has no tokenizer or no chat template, or the libraries for them are
        not installed.

    Raises:
        UserError: The chat template refuses a row; the error names it.
    """
    chat = _chat(folder)
    if chat is None:
        return None
    return [sample for row in rows.iter_rows(named=True) for sample in _samples(row, dataset_type, chat, max_length)]


@dataclass(frozen=True)
class _Chat:
    """A model's compiled chat template, its tokenizer, and its special tokens, which the template may name."""

    template: Any
    tokenizer: Any
    special: tuple[tuple[str, str], ...]

    def render(self, messages: list[dict[str, Any]], tools: list | None, *, add_generation_prompt: bool) -> str:
        return self.template.render(
            messages=[_with_reasoning(m) for m in messages],
            tools=tools,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **dict(self.special),
        )


def _samples(row: dict[str, Any], dataset_type: str, chat: _Chat, max_length: int | None) -> Iterator[Sample]:
    prompt = json.loads(row["prompt"])
    tools = json.loads(row["tools"]) if row.get("tools") else None
    try:
        prompt_text = chat.render(prompt, tools, add_generation_prompt=True)
        texts = {
            column: chat.render(prompt + json.loads(row[column]), tools, add_generation_prompt=False)
            for column in MESSAGE_COLUMNS[dataset_type][1:]
        }
    except Exception as error:  # a template may raise anything
        raise UserError(f"row {row['row_id']}: the model's chat template refuses it: {error}") from error
    prompt_ids = chat.tokenizer.encode(prompt_text, add_special_tokens=False).ids
    for column, text in (texts or {"prompt": prompt_text}).items():
        encoding = chat.tokenizer.encode(text, add_special_tokens=False)
        ids = encoding.ids
        start = _common_prefix(prompt_ids, ids)
        tokens, learnt = list(_token_texts(text, encoding.offsets)), [i >= start for i in range(len(ids))]
        yield Sample(row["row_id"], column, tokens[:max_length], learnt[:max_length], len(ids))


def _common_prefix(ids: list[int], others: list[int]) -> int:
    """Return how many tokens two lists have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(ids, others, strict=False)) if a != b), min(len(ids), len(others)))


def _token_texts(text: str, offsets: list[tuple[int, int]]) -> Iterator[str]:
    """Yield the text of each token. A character of several tokens is the first one's, so that all texts add up."""
    done = 0
    for _, end in offsets:
        yield text[done : max(done, end)]
        done = max(done, end)


def _with_reasoning(message: dict[str, Any]) -> dict[str, Any]:
    """Fill in the keys that templates read a reasoning trace from, as transformers does."""
    trace = next((message[name] for name in REASONING_KEYS if message.get(name) is not None), None)
    return message if trace is None else {"thinking": trace, **message, "reasoning_content": trace}


def _chat(folder: Path | None) -> _Chat | None:
    tokenizer = None if folder is None else _tokenizer(folder)
    if folder is None or tokenizer is None:
        return None
    config = _read_json(folder / "tokenizer_config.json")
    template = config.get("chat_template")
    if (folder / "chat_template.jinja").exists():
        template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if isinstance(template, list):  # several templates with names
        template = next((t["template"] for t in template if t.get("name") == "default"), None)
    if template is None or find_spec("jinja2") is None:
        return None
    special = {n: v["content"] if isinstance(v, dict) else v for n, v in config.items() if n.endswith("_token")}
    texts = tuple((name, value) for name, value in special.items() if isinstance(value, str))
    return _Chat(_compile(template), tokenizer, texts)


def _tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a model's folder, without truncation and padding, or None."""
    if not (folder / "tokenizer.json").exists() or find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read_json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _compile(template: str) -> Any:
    """Compile a chat template in a sandbox, as transformers does (``utils.chat_template_utils``): it may be hostile."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks the assistant's text, which is passed through here."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    extensions = [Generation, loopcontrols]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    environment.filters["tojson"] = tojson
    functions = {"raise_exception": raise_exception, "strftime_now": lambda form: datetime.now().strftime(form)}
    return environment.from_string(template, globals=functions)
