"""The model's own answers to the prompt.

``system`` adds a system turn to prompts that have none. ``examples`` (few-shot) become turns of user and assistant
after the system turn and before the prompt's other turns.
"""

import json
import re

import polars as pl

from schemas.errors import UserError
from schemas.json_text import blank

SYSTEM = ("system", "developer")
_DECODER = json.JSONDecoder()
_OTHER = re.compile(
    r'\{\s*"role"\s*:\s*"(?:user|assistant|tool)"'
)  # the usual beginning of other turns: no need to parse


def ask(messages: pl.Series, *, system: str | None = None, examples: list[dict[str, str]] | None = None) -> pl.Series:
    """Return the messages to send for each prompt (JSON text); null where the prompt is null or has no turns.

    Args:
        messages: The prompts, as JSON text.
        system: Text of the system turn to add, or None.
        examples: Examples, each with exactly the keys ``prompt`` and ``completion``.

    Raises:
        UserError: For an example with other keys or an empty text.
    """
    text = messages.cast(pl.String).str.strip_chars()
    role = text.str.json_path_match("$[0].role")
    shown = "".join(f"{_dump(turn)}, " for turn in _turns(examples or []))
    before = shown if system is None else f"{_dump({'role': 'system', 'content': system})}, {shown}"
    own = role.is_in(SYSTEM).fill_null(False)
    rows = pl.DataFrame({"text": text, "role": role, "own": own, "with": _after_system(text, own, shown)})
    first = pl.concat_str(pl.lit(f"[{before}"), pl.col("text").str.slice(1).str.strip_chars_start())
    sent = pl.when("own").then("with").when(pl.col("role").is_not_null()).then(first if before else pl.col("text"))
    return rows.select(messages=sent)["messages"]


def _dump(turn: dict[str, str]) -> str:
    return json.dumps(turn, ensure_ascii=False)


def _turns(examples: list[dict[str, str]]) -> list[dict[str, str]]:
    turns = []
    for index, example in enumerate(examples):
        where = f"generate sample: examples[{index}]"
        if set(example) != {"prompt", "completion"}:
            found = ", ".join(map(repr, example)) or "nothing"
            raise UserError(f"{where} has {found}; expected 'prompt' and 'completion'")
        for key, role in (("prompt", "user"), ("completion", "assistant")):
            if blank(example[key]):
                raise UserError(f"{where}: its {key} is empty")
            turns.append({"role": role, "content": example[key]})
    return turns


def _after_system(text: pl.Series, own: pl.Series, shown: str) -> pl.Series:
    """Return prompts with ``shown`` inserted after their leading system turns, the only turns that are parsed."""
    if not shown or not own.any():
        return text
    put = [_inserted(one, shown) if has else None for one, has in zip(text.to_list(), own.to_list(), strict=True)]
    return pl.Series("with", put, dtype=pl.String)


def _inserted(text: str, shown: str) -> str:
    start = text.index("{")
    while not _OTHER.match(text, start):
        turn, end = _DECODER.raw_decode(text, start)
        if turn.get("role") not in SYSTEM:
            break
        start = text.find("{", end)
        if start < 0:
            return f"{text[:end]}, {shown[:-2]}{text[end:]}"
    return f"{text[:start]}{shown}{text[start:]}"
