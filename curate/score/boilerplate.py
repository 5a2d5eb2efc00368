"""The number of stock phrases of assistants in the response: "as an AI language model", "I hope this helps" ...

In English and Chinese, and for "as an AI" the commonest phrases in German, French and Spanish. ``detail`` lists the
phrases found. ``refusal`` tells whether an answer is refused; this counts phrases, which good answers may have too.
"""

import json

import polars as pl

from curate.algorithms.text.found_items import check_kinds

AI = r"(?:ai|artificial intelligence|(?:large |ai |neural )?language model|virtual assistant)"
# Kind -> its pattern, for texts in lower case with straight apostrophes (Rust, linear).
FORMS = {
    "as_an_ai": rf"\bas an? {AI}\b(?: (?:language )?(?:model|assistant|chatbot))?"
    rf"|\bi(?:'m| am) (?:just |only |merely )?an? {AI}\b"
    r"|(?:作为|身为)(?:一[个名款位种])?(?:大型|人工智能|ai|语言|智能)[^，。,.\n]{0,12}?(?:模型|助手|助理|机器人|程序|系统|ai)"
    r"|我(?:只)?是(?:一[个名款位种])?(?:大型|由[^，。\n]{1,12}开发的)?(?:人工智能|ai|语言模型)"
    r"|\bals (?:ein )?ki(?:-\w+)?\b|\ben tant qu(?:e modèle de langage|'ia)\b|\bcomo (?:un )?modelo de lenguaje\b",
    "cutoff": r"\b(?:my )?knowledge cut-?off\b|\b(?:as of )?my last (?:knowledge )?(?:update|training)\b"
    r"|\bmy training data\b|我的(?:知识|训练数据)(?:截止|截至|更新|库)|截[止至](?:到)?我的(?:知识|训练)",
    "opening": r"^\s*(?:sure|certainly|absolutely|of course|great question|good question)(?: thing)?[!,.]"
    r"|^\s*(?:当然(?:可以)?|好的|没问题|非常好的问题)[!！,，。]",
    "closing": r"\bi hope (?:this|that|it) helps\b|\blet me know if (?:you|there)\b|\bis there anything else\b"
    r"|\bfeel free to (?:ask|reach out|let me know)\b|\bhappy to help\b"
    r"|希望(?:这|以上|我的)?[^，。！\n]{0,12}(?:对(?:你|您)|能)[^，。！\n]{0,6}(?:帮助|有用)"
    r"|(?:还有|有)(?:任何|其他|什么)[^，。\n]{0,6}问题[^。\n]{0,12}(?:告诉|问|联系|提出)",
}
# Kind -> texts of which every match contains one, in any case: a fast first check.
MARKS = {
    "as_an_ai": [
        "an ai",
        "n artificial intelligence",
        "language model",
        "virtual assistant",
        "作为",
        "身为",
        "我是",
        "我只是",
        "als ki",
        "als ein ki",
        "en tant qu",
        "modelo de lenguaje",
    ],
    "cutoff": ["cutoff", "cut-off", "my last ", "my training data", "我的知识", "我的训练"],
    "opening": ["sure", "certainly", "absolutely", "of course", "t question", "d question", "当然", "好的", "没问题"],
    "closing": [
        "i hope th",
        "i hope it",
        "let me know if ",
        "feel free to ",
        "anything else",
        "happy to help",
        "希望",
        "问题",
    ],
}


def score(response: pl.Series, *, kinds: list[str] | None = None) -> pl.DataFrame:
    """Return ``value`` (the number of phrases), ``detail`` (JSON, a list of them) and ``error``.

    Args:
        response: The texts.
        kinds: Kinds of phrases to count, of ``as_an_ai``, ``cutoff``, ``opening`` and ``closing``; None for all.

    Raises:
        UserError: For a kind that does not exist.
    """
    kinds = check_kinds(kinds, list(FORMS), "boilerplate")
    text = response.cast(pl.String)
    marks = [mark for kind in kinds for mark in MARKS[kind]]
    rows = text.str.contains_any(marks, ascii_case_insensitive=True).fill_null(False).arg_true()
    some = text.gather(rows).str.to_lowercase().str.replace_all("’", "'", literal=True)
    found = some.str.extract_all("|".join(FORMS[kind] for kind in FORMS if kind in kinds))
    listed = pl.Series(
        [json.dumps(one, ensure_ascii=False) if one else None for one in found.to_list()], dtype=pl.String
    )
    none = text.is_null()
    value = pl.Series("value", [0.0]).new_from_index(0, len(text)).scatter(rows, found.list.len().cast(pl.Float64))
    detail = pl.Series("detail", [None], dtype=pl.String).new_from_index(0, len(text)).scatter(rows, listed)
    return pl.DataFrame({"value": value.set(none, None), "detail": detail, "error": none}).with_columns(
        error=pl.when("error").then(pl.lit("no response"))
    )
