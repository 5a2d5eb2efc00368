"""1.0 where the response refuses to answer, or speaks "as an AI"; 0.0 elsewhere.

A refusal counts in the first ``head`` characters only, as an answer may quote one later. "As an AI language model"
counts anywhere. In English and Chinese, and the commonest phrases in German, French and Spanish.
"""

import polars as pl

from curate.algorithms.parallel import in_blocks

BLOCK = 4096  # texts in a thread's block
REFUSALS = "|".join(
    [
        r"\b(?:sorry|afraid),? (?:but )?(?:i (?:can't|can ?not|do not|don't|won't|will not)|as an?\b)",
        r"\b(?:sorry|afraid),? (?:but )?i(?:'m| am) (?:not|unable|an ai|a language model)\b",
        r"\bi(?:'m| am) (?:not able|unable|not allowed|not permitted|not programmed|not designed) to\b",
        r"\bi (?:can't|can ?not|won't|will not) (?:\w+ ){0,2}(?:assist|help|provide|fulfill?|comply"
        r"|answer|create|write|generate|do that|do this|engage|discuss|support|participate|share"
        r"|give|offer|access|browse|open)\b",
        r"\bi (?:do not|don't) (?:have|possess) (?:the (?:ability|capability)|personal|access|real-time|feelings"
        r"|emotions)\b",
        r"\bi (?:must|have to|need to) (?:respectfully )?(?:decline|refuse)\b",
        r"\b(?:it is|it's|that is|that's) not (?:possible|appropriate|ethical) for me to\b",
        r"(?:抱歉|对不起).{0,20}(?:无法|不能)",
        r"我(?:无法|不能)(?:提供|回答|帮助|协助|满足|完成|访问)",
        r"\b(?:es )?tut mir (?:sehr )?leid, (?:aber )?(?:ich|das)\b",
        r"\bje suis désolée?, (?:mais )?je\b",
        r"\blo siento, (?:pero )?(?:no|yo)\b",
    ]
)
BOILERPLATE = "|".join(
    [
        r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"
        r"(?: (?:assistant|model|language|chatbot))?",
        r"\bi(?:'m| am) (?:just |only |merely )?an? (?:ai|artificial intelligence|(?:large )?language model)\b"
        r"[^.!?]{0,60}\b(?:so|and|but|cannot|can't|don't|do not|unable)\b",
        r"作为一[个名款](?:人工智能|ai|语言模型|大型语言模型)",
    ]
)


def score(response: pl.Series, *, head: int = 250) -> pl.Series:
    """Return 1.0 or 0.0 for each response, null for a null one. A refusal counts in the first ``head`` characters."""
    texts = response.cast(pl.String)
    blocks = in_blocks(len(texts), BLOCK, lambda low, high: _refused(texts[low:high], head))
    return pl.concat(blocks or [_refused(texts, head)]).alias("value")


def _refused(texts: pl.Series, head: int) -> pl.Series:
    texts = texts.str.to_lowercase().str.replace_all("[’‘ʼ]", "'")
    return (texts.str.head(head).str.contains(REFUSALS) | texts.str.contains(BOILERPLATE)).cast(pl.Float64)
