"""Splits a reasoning model's text into its trace and its answer."""

import re

THINK = re.compile(r"\A\s*(?:<think>)?(.*?)</think>\s*", re.DOTALL)


def split_reasoning(text: str) -> tuple[str | None, str]:
    """Split ``<think>...</think>answer`` into the trace (None if there is none) and the answer.

    A trace that was cut before its end has no answer: the answer is empty.
    """
    match = THINK.match(text) if "</think>" in text else None
    if match:
        return match.group(1).strip() or None, text[match.end() :]
    opened = text.lstrip()
    if opened.startswith("<think>"):
        return opened.removeprefix("<think>").strip() or None, ""
    return None, text
