"""Reads recorded verdicts that are text: numbers, words for good and bad, signs, shares, and grades such as 4/5."""

import polars as pl

from curate.sources.rows.layout_names import WORDS
from schemas.errors import UserError, short_repr

GOOD = """right positive like liked likes upvote upvoted win wins won success successful succeeded valid accept
    accurate accepted acceptable approve approved helpful preferred better solved ok okay thumbsup ✓ ✔ ✅ ☑ 👍 🟢"""
BAD = """wrong negative dislike disliked dislikes downvote downvoted lose loses lost loss failure unsuccessful invalid
    reject inaccurate unacceptable disapprove disapproved unhelpful dispreferred worse unsolved thumbsdown mistaken
    ✗ ✘ ❌ ✖ ☒ 👎 🔴"""
# Words that say whether something is so, of a column whose name says what: ``has_error: yes`` is bad.
SAYS_SO = {"true": 1.0, "yes": 1.0, "t": 1.0, "y": 1.0, "false": 0.0, "no": 0.0, "f": 0.0, "n": 0.0}
FOUND = {"positive": 1.0, "negative": 0.0}  # a finding too, of a column whose name says the bad thing
ALL_WORDS = WORDS | dict.fromkeys(GOOD.split(), 1.0) | dict.fromkeys(BAD.split(), 0.0) | SAYS_SO
# What raters write where they give no verdict.
NONE = frozenset(
    """n/a na nan none null nil unknown unsure not_sure unclear undecided skip skipped unrated not_rated unjudged
    unlabeled unlabelled missing - -- – — ? .""".split()
)
NOT_READ = 0.1  # the share of verdicts that may be left out because nobody can say what they mean
GRADE = r"^([+-]?\d+(?:\.\d+)?)\s*(?:/|out of|of)\s*(\d+(?:\.\d+)?)(?:\s*(?:stars?|points?))?$"
UNIT = r"^([+-]?\d+(?:\.\d+)?)\s*(?:stars?|points?|pts?\.?)$"
STARS = r"^([★⭐]+)[☆\s]*$"


def read_verdicts(text: pl.Series, column: str) -> tuple[pl.Series, list[str], bool]:
    """Return verdicts as numbers, the higher the better; notes on what was left out; and whether a name may turn them.

    Numbers stay, ``90%`` is 0.9 and ``4 stars`` 4. ``4/5`` is 4 where all such grades have one scale, else 0.8.

    Args:
        text: The verdicts as text, stripped, without nulls.
        column: Their name, for messages.

    Returns:
        The numbers (null where a verdict is left out), the notes, and whether verdicts of 0 and 1 say only whether
        something is so: not where a word such as ``correct`` says by itself what is good.

    Raises:
        UserError: More than ``NOT_READ`` of the verdicts can't be read, or all of a kind; or none is a verdict.
    """
    number = text.cast(pl.Float64, strict=False).fill_nan(None)
    number = number.set(number.is_infinite().fill_null(False), None)
    word = text.str.to_lowercase().str.strip_chars(" \t\r\n*_\"'`.!️").str.replace_all(r"[\s-]+", "_")
    said = word.replace_strict(ALL_WORDS, default=None, return_dtype=pl.Float64)
    read = pl.select(pl.coalesce(number, said, _grades(text.str.to_lowercase()))).to_series()
    plain = text.str.to_lowercase().str.replace_all(r"\s+", "_")
    missing = read.is_null() & (plain.is_in(NONE) | word.is_in(NONE) | (text == ""))
    unread = text.filter(read.is_null() & ~missing)
    known = read.drop_nulls()
    if len(unread) and (known.n_unique() < 2 or len(unread) > NOT_READ * (len(unread) + len(known))):
        raise UserError(_refusal(unread, len(known), column))
    notes = [_left_out(unread, "which is no number")] if len(unread) else []
    notes += [_left_out(text.filter(missing), "which is no verdict")] if missing.any() else []
    own = word.filter(said.is_not_null() & number.is_null())
    return read, notes, own.is_in([*SAYS_SO, *FOUND]).all()


def _grades(text: pl.Series) -> pl.Series:
    """Return grades and shares as numbers: ``90%``, ``4/5``, ``4 out of 5``, ``4 stars``, ``★★★★``; null for others."""
    frame = pl.DataFrame({"text": text}).select(
        "text",
        grade=pl.col("text").str.extract(GRADE, 1).cast(pl.Float64, strict=False),
        scale=pl.col("text").str.extract(GRADE, 2).cast(pl.Float64, strict=False),
        share=pl.col("text").str.extract(r"^([+-]?\d+(?:\.\d+)?)\s*%$").cast(pl.Float64, strict=False) / 100,
        unit=pl.col("text").str.extract(UNIT).cast(pl.Float64, strict=False),
        stars=pl.col("text").str.extract(STARS).str.len_chars().cast(pl.Float64),
    )
    scale = frame["scale"].drop_nulls()
    divided = pl.col("grade") if scale.n_unique() < 2 else pl.col("grade") / pl.col("scale")
    divided = pl.when(pl.col("scale") > 0).then(divided)
    return frame.select(read=pl.coalesce(divided, "share", "unit", "stars"))["read"]


def _refusal(unread: pl.Series, known: int, column: str) -> str:
    counts = unread.rename("text").value_counts(name="n").sort("n", "text", descending=[True, False])
    shown = [short_repr(text) for text in counts["text"].head(3)]
    if not known:
        return (
            f"agree: {column} has {shown[0]}, which is no verdict; expected numbers, true or false, or words such as "
            f"correct and incorrect"
        )
    many = f"{len(unread):,} of {len(unread) + known:,} values"
    return (
        f"agree: {column} has {many} that can't be read as verdicts, such as {', '.join(shown)}; figures without them "
        f"would be wrong: write them as numbers, true or false, or words such as correct and incorrect"
    )


def _left_out(text: pl.Series, why: str) -> str:
    left = "1 verdict is" if len(text) == 1 else f"{len(text):,} verdicts are"
    return f"{left} left out, such as {short_repr(text[0])}, {why}"
