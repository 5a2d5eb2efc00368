"""A new candidate: an old one rewritten by a model as ``instruction`` says ("make it shorter, lose no fact")."""

import polars as pl

from curate.generate._reply_text import column, refuses, tagged_text, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, quote
from schemas.errors import UserError
from schemas.json_text import blank

REQUEST = """Rewrite the response that an AI assistant gave to a prompt. How to rewrite it:

{instruction}

Change nothing else about it. Reply with the rewritten response alone, between <rewritten> and </rewritten>.

{prompt}
{response}"""


def candidates(prompt: pl.Series, response: pl.Series, *, instruction: str) -> Asking:
    """Ask for each response to be rewritten; null if the reply is the same text, a refusal, or cut off.

    Args:
        prompt: The prompts.
        response: The old candidates.
        instruction: How to rewrite them.

    Raises:
        UserError: If the instruction is blank.
    """
    if blank(instruction):
        raise UserError("generate rewrite: instruction: expected how to rewrite the response, found nothing")
    how = quote("instruction", instruction.strip())
    old = texts(response)
    asked = [
        None if text is None or blank(text) else _request(how, question or "", text)
        for question, text in zip(texts(prompt), old, strict=True)
    ]
    replies = yield Ask(column(asked))
    return column(
        _new(tagged_text(reply, "rewritten"), text) if request and text else None
        for request, reply, text in zip(asked, texts(replies), old, strict=True)
    )


def _request(how: str, prompt: str, response: str) -> str:
    return ask_user(
        REQUEST.format(instruction=how, prompt=quote("prompt", prompt), response=quote("response", response))
    )


def _new(text: str | None, old: str) -> str | None:
    if text is None or text == old.strip() or (refuses(text) and not refuses(old)):
        return None
    return text
