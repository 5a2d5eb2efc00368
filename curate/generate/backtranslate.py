"""A prompt for an existing text: what a user would ask to get the text as the answer (Humpback, arXiv 2308.06259).

The text is the seed's prompt column, so that a source of good texts becomes a source of prompts. With ``keep_text`` the
text is the new prompt's ``ground_truth``: its recorded answer, or a reference for other answers. A score can then judge
whether a text is a good answer to its prompt (the paper's self-curation).
"""

import polars as pl

from curate.generate._new_prompts import one_turn_prompt, prompt_in_reply, prompt_table
from curate.generate._reply_text import column, same_text, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import ask_user, quote
from schemas.json_text import blank

REQUEST = """The text between <passage> and </passage> is the answer of an AI assistant. Write the user's prompt that \
it answers: specific enough that just this text is a complete and fitting answer, and understood without seeing it.
Reply with the prompt alone, between <prompt> and </prompt>.

{text}"""


def prompts(prompt: pl.Series, *, keep_text: bool = True) -> Asking:
    """Ask for a prompt for each text and return the new prompts.

    Args:
        prompt: The texts.
        keep_text: Whether the text is the new prompt's ``ground_truth``.
    """
    given = [None if text is None or blank(text) else text for text in texts(prompt)]
    replies = yield Ask(column(text and ask_user(REQUEST.format(text=quote("passage", text))) for text in given))
    found = [prompt_in_reply(reply) if text else None for text, reply in zip(given, texts(replies), strict=True)]
    return prompt_table(
        one_turn_prompt(row, text, {"backtranslated": True}, ground_truth=source if keep_text else None)
        for row, (text, source) in enumerate(zip(found, given, strict=True))
        if text and source and not same_text(text, source)
    )
