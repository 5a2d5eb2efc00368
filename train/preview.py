"""Training rows as the trainer will see them: tokens, and which of them are learnt. Without transformers.

The chat template is rendered with jinja2 in the sandbox that transformers uses, the text is cut into tokens by the
model's own ``tokenizer.json``. A test compares the result with the labels that ``SFTTrainer`` builds.
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
from train.data import MESSAGES

REASONING = ("reasoning_content", "thinking", "reasoning")  # the names transformers takes a trace under, best first


@dataclass(frozen=True)
class Sample:
    """An answer of a row with its prompt. ``learnt[i]`` says whether ``tokens[i]`` enters the loss.

    ``column`` is the answer's (completion, chosen, rejected), or ``prompt`` for a row that has none. ``length`` counts
    the tokens before the end was cut off at ``max_length``.
    """

    row_id: str
    column: str
    tokens: list[str]
    learnt: list[bool]
    length: int


def preview(rows: pl.DataFrame, kind: str, folder: Path | None, max_length: int | None = 1024) -> list[Sample] | None:
    """Tokenise dataset rows of a type ('sft', 'preference', 'prompt') with the model in ``folder``.

    The answer begins where the tokens of the prompt, and those of prompt and answer, part ways, as in TRL;
    ``max_length`` cuts off the end (None: no limit). Returns a sample an answer, or None where the folder has no
    tokenizer or no chat template (or the libraries for them are not installed). Raises ``UserError`` naming the row
    that the chat template refuses.
    """
    chat = _chat(folder)
    if chat is None:
        return None
    return [sample for row in rows.iter_rows(named=True) for sample in _samples(row, kind, chat, max_length)]


def count_tokens(texts: list[str], folder: Path | None) -> list[int] | None:
    """The number of tokens of each text, without a chat template; None where the folder has no tokenizer."""
    tokenizer = _tokenizer(folder)
    return None if tokenizer is None else [len(e.ids) for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


@dataclass(frozen=True)
class _Chat:
    """A model's chat template, compiled; its tokenizer; and its special tokens, which the template may name."""

    template: Any
    tokenizer: Any
    special: tuple[tuple[str, str], ...]

    def render(self, messages: list[dict[str, Any]], tools: list | None, *, answer_next: bool) -> str:
        return self.template.render(
            messages=[_with_reasoning(m) for m in messages],
            tools=tools,
            documents=None,
            add_generation_prompt=answer_next,
            **dict(self.special),
        )


def _samples(row: dict[str, Any], kind: str, chat: _Chat, max_length: int | None) -> Iterator[Sample]:
    prompt = json.loads(row["prompt"])
    tools = json.loads(row["tools"]) if row.get("tools") else None
    try:
        asked = chat.render(prompt, tools, answer_next=True)
        texts = {c: chat.render(prompt + json.loads(row[c]), tools, answer_next=False) for c in MESSAGES[kind][1:]}
    except Exception as error:  # a template raises what it likes
        raise UserError(f"row {row['row_id']}: the model's chat template refuses it: {error}") from error
    asked_ids = chat.tokenizer.encode(asked, add_special_tokens=False).ids
    for column, text in (texts or {"prompt": asked}).items():
        encoding = chat.tokenizer.encode(text, add_special_tokens=False)
        ids = encoding.ids
        start = _common(asked_ids, ids)
        tokens, learnt = list(_pieces(text, encoding.offsets)), [i >= start for i in range(len(ids))]
        yield Sample(row["row_id"], column, tokens[:max_length], learnt[:max_length], len(ids))


def _common(ids: list[int], others: list[int]) -> int:
    """How many tokens two lists have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(ids, others, strict=False)) if a != b), min(len(ids), len(others)))


def _pieces(text: str, offsets: list[tuple[int, int]]) -> Iterator[str]:
    """The text of each token. A character cut into several tokens is shown with the first, so that all add up."""
    done = 0
    for _, end in offsets:
        yield text[done : max(done, end)]
        done = max(done, end)


def _with_reasoning(message: dict[str, Any]) -> dict[str, Any]:
    """Fill in the names that templates read a reasoning trace under, as transformers does."""
    trace = next((message[name] for name in REASONING if message.get(name) is not None), None)
    return message if trace is None else {"thinking": trace, **message, "reasoning_content": trace}


def _chat(folder: Path | None) -> _Chat | None:
    tokenizer = _tokenizer(folder)
    config = _read(folder / "tokenizer_config.json") if tokenizer else {}
    template = config.get("chat_template")
    if tokenizer and (folder / "chat_template.jinja").exists():
        template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if isinstance(template, list):  # several named ones
        template = next((t["template"] for t in template if t.get("name") == "default"), None)
    if tokenizer is None or template is None or find_spec("jinja2") is None:
        return None
    special = {n: v["content"] if isinstance(v, dict) else v for n, v in config.items() if n.endswith("_token")}
    texts = tuple((name, value) for name, value in special.items() if isinstance(value, str))
    return _Chat(_compile(template), tokenizer, texts)


def _tokenizer(folder: Path | None) -> Any:
    """The tokenizer of a model's folder, without truncation and padding, or None."""
    if folder is None or not (folder / "tokenizer.json").exists() or find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _compile(template: str) -> Any:
    """Compile a chat template as transformers does (``utils.chat_template_utils``): the hub's templates are hostile."""
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks the assistant's words; here they are only passed through."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

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
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)
