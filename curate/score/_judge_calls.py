"""Settings of calls to judges, and their replies: shared by ``judge`` and ``judge_pairwise``."""

from typing import Any

import polars as pl

from schemas.errors import UserError

TOP = 20  # most likely tokens asked for at each position: the most that OpenAI's and vLLM's servers give
Answer = tuple[str | None, str | None, str | None]  # the reply, its ``top_logprobs``, why it can't be used


def judge_models(model: str | list[str]) -> list[str]:
    """Return the models of a setting as a list. Raises ``UserError`` for an empty list, or the same model twice."""
    found = [model] if isinstance(model, str) else model
    if not found or len(set(found)) < len(found):
        raise UserError(f"model: expected a model or a list of different ones, found {model!r}")
    return found


def sampling(*, explain: bool, weighted: bool, temperature: float, max_tokens: int | None) -> dict[str, Any]:
    """Return the sampling settings of calls to a judge.

    Args:
        explain: Whether the judge explains itself, for which the default ``max_tokens`` is 1024 in place of 32.
        weighted: Whether to ask for the probabilities of likely tokens.
        temperature: 0 or more.
        max_tokens: 1 or more, or None for the default.

    Raises:
        UserError: If a number is out of range.
    """
    if temperature < 0:
        raise UserError(f"temperature: expected 0 or more, found {temperature}")
    if max_tokens is not None and max_tokens < 1:
        raise UserError(f"max_tokens: expected 1 or more, found {max_tokens}")
    settings = {"temperature": temperature, "max_tokens": max_tokens or (1024 if explain else 32)}
    return settings | ({"top_logprobs": TOP} if weighted else {})


def judge_answers(answers: pl.DataFrame, how: dict[str, Any], *, explain: bool) -> list[Answer]:
    """Return each reply, its log-probabilities and why it can't be used; all are None for a row without a call.

    A reply that was cut before its end counts as an error if its score may be missing or cut: where the judge explains
    itself first, or where the reply is empty or ends in a digit.

    Args:
        answers: The replies, a row each.
        how: The settings of ``sampling``.
        explain: Whether the judge explains itself before the score.
    """
    found = []
    for reply, end, likely, error in answers.select("response", "finish_reason", "top_logprobs", "error").iter_rows():
        if error is None and reply is not None and end == "length" and (explain or reply[-1:].isdigit() or not reply):
            error = f"the reply was cut at max_tokens ({how['max_tokens']})"
        found.append((reply, likely, error))
    return found
