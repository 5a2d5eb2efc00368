"""What the labels that a person gave by hand (``curate.storage.hand_labels``) mean for the rows of a run.

A dropped row is out. An edited answer takes the place of the candidate that it was made from. A kept candidate passes
filters and conditions, and a rule that chooses answers takes it rather than the prompt's others. All of this, and which
of two candidates is better, is the score ``by_hand`` of candidates, from 0 to 1: 1 for a kept or an edited one, 0 for a
dropped one, else the share of its comparisons that it won.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from curate.storage.hand_labels import HandLabel, labels_path, read_labels
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.ids import content_id
from schemas.recipe import Recipe

SCORE = "by_hand"
MODEL = "by hand"  # of an edited candidate


@dataclass(frozen=True)
class Edit:
    """An edited candidate: its id, its text, and the label that it is from."""

    id: str
    text: str
    label: HandLabel


@dataclass(frozen=True)
class HandVerdicts:
    """What labels mean for rows, by id.

    Attributes:
        dropped: The labels of rows that are out.
        kept: The labels of rows that stay, with those of edited candidates, by their own ids.
        edits: The edited candidate that takes the place of a row; of one that was edited again, the last.
        scores: The score of each row that has one.
        preferred: The ids of the two candidates of each comparison, the better one first.
        labelled: The ids of all rows with a label that counts.
    """

    dropped: dict[str, HandLabel] = field(default_factory=dict)
    kept: dict[str, HandLabel] = field(default_factory=dict)
    edits: dict[str, Edit] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    preferred: frozenset[tuple[str, str]] = frozenset()
    labelled: frozenset[str] = frozenset()


def hand_verdicts(labels: Iterable[HandLabel]) -> HandVerdicts:
    """Return what labels mean for rows.

    Of keeping, dropping and editing a row, what was said last holds; but to keep an edited row is to keep its new form.
    """
    steps: dict[str, Edit] = {}
    fates: dict[str, HandLabel] = {}
    compared: list[HandLabel] = []
    for label in labels:
        if label.label == "edit":
            steps[label.row_id] = Edit(content_id("c", label.row_id, MODEL, label.text), label.text or "", label)
            fates.pop(label.row_id, None)
        elif label.label in ("keep", "drop"):
            fates[label.row_id] = label
            if label.label == "drop":
                steps.pop(label.row_id, None)
        elif label.label == "prefer":
            compared.append(label)
    made = {edit.id for edit in steps.values()}
    edits = {row: last for row in steps if row not in made and (last := _last(steps, row))}
    dropped = {row: label for row, label in fates.items() if label.label == "drop"}
    kept = {edit.id: edit.label for edit in edits.values() if edit.id not in dropped}
    kept |= {row: label for row, label in fates.items() if label.label == "keep" and row not in edits}
    forms = {row: _last(steps, row).id for row in steps}  # by each form that an answer had, the one that it has now
    won: dict[str, list[float]] = {}
    better: dict[tuple[str, ...], tuple[str, str]] = {}
    for label in compared:
        one, other = (forms.get(row, row) for row in (label.row_id, label.over or ""))
        if label.over not in forms:  # what was the worse one is as it should be once it is edited
            better[tuple(sorted((one, other)))] = (one, other)
        won.setdefault(one, []).append(1.0)
        won.setdefault(other, []).append(0.0)
    scores = {row: sum(shares) / len(shares) for row, shares in won.items()}
    scores |= dict.fromkeys(kept, 1.0) | dict.fromkeys([*dropped, *edits], 0.0)
    named = {row for label in (*fates.values(), *compared) for row in (label.row_id, label.over) if row}
    labelled = frozenset((named - forms.keys()) | edits.keys())
    return HandVerdicts(dropped, kept, edits, scores, frozenset(better.values()), labelled)


def _last(steps: dict[str, Edit], row: str) -> Edit:
    """Return the last edit of a row that was edited, and whose edited form may have been edited too."""
    edit = steps[row]
    while edit.id in steps:
        edit = steps[edit.id]
    return edit


def read_verdicts(recipe: Recipe, store: Store) -> HandVerdicts:
    """Return what the labels mean that count in a recipe: those of the store, or of the file that it names.

    Raises:
        UserError: The labels cannot be read, or the recipe has a step of the score's name.
    """
    if recipe.by_hand is False:
        return HandVerdicts()
    where = recipe.where("by_hand")
    named = next((step for step in (*recipe.prompts, *recipe.completions) if step.name == SCORE), None)
    if named is not None:
        raise UserError(f"{recipe.step_where(named)}: {SCORE!r} is the name of the score that by_hand gives; use 'as'")
    if recipe.by_hand is True:
        return hand_verdicts(read_labels(labels_path(store)))
    path = recipe.path.parent / Path(recipe.by_hand).expanduser()
    if not path.is_file():
        raise UserError(
            f"{where}: by_hand: {path}: no such file; 'gristmill view' saves one; true takes the store's own"
        )
    return hand_verdicts(read_labels(path, own=False))
