"""The letter of a multiple-choice answer, as people write it."""

import re

import polars as pl

IS_CHOICE = r"^[\s($\\*]*(?:(?:text|textbf|mathrm|mathbf)\{)?\(?[A-J]\)?\}?[)$*.\s]*$"
CHOICE = re.compile(
    r"[(\[]([A-J])[)\]]|\*\*\(?([A-J])[.):]*\*\*|^\s*([A-J])[.)]?\s*$|\bbut\s+([A-J])\b"
    r"|^\s*([A-J])\s+is\s+(?:the\s+)?(?:correct|right|best)"
    r"|(?:\b(?:[Oo]ption|[Cc]hoice|[Cc]hoose|[Ss]elect|[Pp]ick|[Aa]nswer)|[选選])\s*(?:is\s+|[:：]\s*)?([A-J])(?![\w'])",
    re.MULTILINE,
)
FIRST = re.compile(r"\s*[(\[*]*([A-J])[)\].*]*[ \t]*\n")  # a first line that is nothing but a letter
# "B", "(B) 42", "option B: 42", "B because"; not "A number", "B + 1", "C = 5".
LEADING = (
    r"^[\s$*\"'\\]*(?:(?:text|textbf|mathrm|mathbf|rm|bf)\s*\{)?\s*(?:[Oo]ption\s+|[Cc]hoice\s+)?"
    r"(?:[(\[](?P<held>[A-J])[)\]]|(?P<bare>[A-J])(?:[\s$}]*$|[).:;}\]*]|,\s|\s+(?:because|since|as|is|for)\b|\s+\()"
    r"|(?P<small>[a-j])[\s$.*]*$|\((?P<held_small>[a-j])\)[\s$.*]*$)"
)
SEVERAL = (
    r"\b[A-J]\s*[:=]\s*\S.*\b[A-J]\s*[:=]"
    r"|\b[A-J]\)?\s*(?:,|/|;|&|\bor\b|\band\b)\s*(?:and\s+|or\s+)?\(?[A-J]\b"
)


def letters_alone(answer: pl.Series, gold: pl.Series) -> pl.Series:
    """Return the answers with the letter alone where the right answer is one: "(B) 42" is B, "B or C" stays."""
    rows = (gold.str.contains(IS_CHOICE) & answer.is_not_null()).fill_null(False).arg_true()
    if not len(rows):
        return answer
    some = answer.gather(rows)
    groups = some.str.extract_groups(LEADING).struct.unnest()
    letters = groups.select(pl.coalesce(pl.all())).to_series().str.to_uppercase()
    letters = letters.set(some.str.contains(SEVERAL), None)
    return answer.scatter(rows, letters.zip_with(letters.is_not_null(), some))


def last_choice(text: str) -> str | None:
    """Return the letter that a text's first line is, else the last one written as a choice; None without one."""
    if first := FIRST.match(text):
        return first[1]
    letters = [next(filter(None, found.groups())) for found in CHOICE.finditer(text)]
    return letters[-1] if letters else None
