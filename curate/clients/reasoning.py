"""Where a reasoning model's trace ends and its answer begins."""

import re

THINK = re.compile(r"\A\s*(?:<think>)?(.*?)</think>\s*", re.DOTALL)


def split_reasoning(text: str) -> tuple[str | None, str]:
    """Split ``<think>...</think>answer`` into the trace (None if there is none) and the answer."""
    match = THINK.match(text) if "</think>" in text else None
    return (match.group(1).strip() or None, text[match.end() :]) if match else (None, text)
