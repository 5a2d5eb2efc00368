"""The further tables and the examples of an evaluation, as Markdown for a card."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.markdown import block, code, plain, table
from train.evaluating.shown import Shown, answer_shown

NAMES = ("split", "scorer", "model", "group")
LONGEST = 400  # characters of an answer, and of a prompt
WORDS = {"won": "Up", "lost": "Down"}


def detail_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return the lines below an evaluation's comparison.

    Args:
        evaluation: ``tables`` (``Shown``) and ``examples`` (rows of ``changed_examples``), where it has them.
    """
    lines = [line for shown in evaluation.get("tables", ()) for line in _table(shown)]
    return lines + [line for row in evaluation.get("examples", ()) for line in _example(row)]


def _table(shown: Shown) -> list[str]:
    rows = [
        [
            code(str(cell), cell=True)
            if head in NAMES
            else f"{cell:,}"
            if isinstance(cell, int)
            else plain(str(cell)) or " "
            for head, cell in zip(shown.columns, row, strict=True)
        ]
        for row in shown.rows
    ]
    notes = [line for note in shown.notes for line in (plain(note), "")]
    return [f"{plain(shown.title)}:", "", *table([plain(head) for head in shown.columns], rows), "", *notes]


def _example(row: Mapping[str, Any]) -> Sequence[str]:
    """Return a prompt and two answers, which the seed drew from those whose score changed."""
    title = f"{WORDS[row['verdict']]} by {code(row['scorer'])} on {code(row['split'])}, drawn by the seed:"
    texts = [
        f"prompt: {_cut(row['prompt'] or '')}",
        f"{row['first_model']}: {_cut(answer_shown(row['first_response']))}",
        f"{row['model']}: {_cut(answer_shown(row['response']))}",
    ]
    return [title, "", block("\n".join(" ".join(text.split()) for text in texts)), ""]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
