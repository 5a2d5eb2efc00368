"""1.0 where the response is in a given language, or else in the prompt's; 0.0 where it is in another.

Code, formulas, tags and web addresses are ignored. ``detail`` holds the confidence of the language model
(``curate/algorithms/text/language.py``).
"""

import polars as pl

from curate.algorithms.text.language import detect, languages
from schemas.errors import unknown

# Not natural language: code in fences or backticks, LaTeX between dollars, tags, web addresses. Rust, linear.
CODE = r"(?s)```.*?(?:```|\z)|~~~.*?(?:~~~|\z)"
OTHER = r"`[^`\n]*`|\$\$[^$]*\$\$|\$[^$\n]+\$|</?[A-Za-z][^<>\n]*>|(?:https?://|www\.)\S+"


def score(response: pl.Series, prompt: pl.Series, *, want: str | None = None, sure: float = 0.5) -> pl.DataFrame:
    """Return ``value`` (1.0 or 0.0, null where a language is not recognised), ``detail`` and ``error`` (why not).

    Args:
        response: The responses.
        prompt: The prompts.
        want: Code of the expected language (ISO 639-1, such as "de"); None for the prompt's language.
        sure: Confidence (0 to 1) below which a language counts as not recognised: a few words are easily mistaken.

    Returns:
        A frame whose ``detail`` is JSON: the response's ``language`` and the ``wanted`` one, with the confidence in
        each.

    Raises:
        UserError: For a code that does not exist.
    """
    if want is not None and want not in languages():
        raise unknown("language", want, languages())
    rows = pl.DataFrame({"text": response, "prompt": prompt}).with_columns(_detected(response))
    asked = (
        _prompt_languages(prompt)
        if want is None
        else pl.select(wanted=pl.repeat(want, rows.height), certain=pl.repeat(1.0, rows.height))
    )
    rows = rows.with_columns(asked)
    unsure = [
        pl.format("not sure of the {}'s language ({}, {})", pl.lit(what), code, pl.col(share).round(2))
        for what, code, share in (("response", "language", "probability"), ("prompt", "wanted", "certain"))
    ]
    error = (
        pl.when(pl.col("text").is_null())
        .then(pl.lit("no response"))
        .when(pl.col("language").is_null())
        .then(pl.lit("too little text to tell the response's language"))
        .when(pl.col("wanted").is_null() & pl.col("prompt").is_null())
        .then(pl.lit("no prompt"))
        .when(pl.col("wanted").is_null())
        .then(pl.lit("too little text to tell the prompt's language"))
        .when(pl.col("probability") < sure)
        .then(unsure[0])
        .when(pl.col("certain") < sure)
        .then(unsure[1])
    )
    detail = pl.struct(
        "language", "wanted", confidence=pl.col("probability").round(3), wanted_confidence=pl.col("certain").round(3)
    ).struct.json_encode()
    same = (pl.col("language") == pl.col("wanted")).cast(pl.Float64)
    return rows.select(
        value=pl.when(error.is_null()).then(same),
        detail=pl.when(pl.col("language").is_not_null()).then(detail),
        error=error,
    )


def _prompt_languages(prompt: pl.Series) -> pl.DataFrame:
    """Return the prompts' languages (``wanted``) and the confidence (``certain``); reads each distinct prompt once."""
    rows = prompt.cast(pl.String).alias("prompt").to_frame()
    every = rows.unique()
    every = every.with_columns(_detected(every["prompt"]))
    rows = rows.join(every, on="prompt", how="left", maintain_order="left")
    return rows.select(wanted="language", certain="probability")


def _detected(texts: pl.Series) -> pl.DataFrame:
    texts = texts.cast(pl.String)
    marked = texts.str.contains_any(["`", "~~~", "$", "<", "://", "www."])
    some = texts.filter(marked).str.replace_all(CODE, " ").str.replace_all(OTHER, " ")
    return detect(texts.scatter(marked.arg_true(), some))
