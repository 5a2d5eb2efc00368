"""Prints the part of ``gristmill check`` that runs references through verifiers, and warns of those that fail."""

from typing import TYPE_CHECKING

from schemas.counted import counted
from schemas.progress import StageWarning

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from curate.api.run import Plan
    from schemas.recipe import Recipe
    from train.plan import PlannedTraining
    from train.references import CheckedReferences, FailedReference

SHOWN = 5  # failing rows of each verifier and source
HEAD = 60  # characters of a reference
KINDS = 3  # kinds of reference that are named, the most frequent


def show_references(recipe: "Recipe", found: "Plan", shown: "Console") -> list[StageWarning]:
    """Print which share of references passes and the rows that fail; return a warning for each verifier with some."""
    from cli.tables import table
    from train.references import check_references

    checked = list(check_references(recipe, found.references))
    if not checked:
        return []
    of = f"{found.references.height:,} of {found.prompts:,} prompts" if found.references.height < found.prompts else ""
    title = "\nEach prompt's own reference through its verifier" + (f" ({of}, at equal distances)" if of else "")
    shown.print(title)
    shown.print(_of_sources(checked))
    failing = [(one.verifier, row) for one in checked for row in one.rows[:SHOWN]]
    if failing:
        lines = [(f"{row.place} ({name})", *_texts(row), _head(row.why, 2 * HEAD)) for name, row in failing]
        left = sum(one.failed + one.suspicious + one.unjudged for one in checked) - len(failing)
        shown.print(table("\nReferences that do not pass", ["row", "reference", "ground_truth", "why"], lines))
        if left:
            shown.print(f"... and {left:,} more")
    return [StageWarning(f"score.{one.verifier}", text) for one in checked if (text := _warning(one))]


def early_rewards(recipe: "Recipe", found: "Plan", plans: "list[PlannedTraining]") -> list[StageWarning]:
    """Return warnings of rewards that are constant over the sources' prompts, for datasets that are not built yet."""
    from train.refusals.constant_reward import constant_rewards

    waiting = [one for one in plans if one.rewards and one.rows.is_empty()]
    if not waiting or found.references.is_empty():
        return []
    rows = found.references.drop("prompt").rename({"place": "row_id", "messages": "prompt"})
    warnings = []
    for one in waiting:
        for said in constant_rewards(recipe, one.name, rows, one.rewards):
            text = said if isinstance(said, str) else f"{said.text}; {said.remedy}"
            warnings.append(StageWarning(f"train.{one.name}", f"prompts of the sources: {text}"))
    return warnings


def _texts(row: "FailedReference") -> tuple[str, str]:
    """Return the head of a reference, and of the ground truth where it is not the reference itself."""
    reference = _head(row.text) if row.reference != "none" else "none"
    return reference, "the same" if row.text == row.truth else _head(row.truth)


def _of_sources(checked: "list[CheckedReferences]") -> "Table":
    """Return the table with a row for each verifier and source; the two names are never cut."""
    from cli.tables import table

    columns = ["verifier", "source", "reference", "pass", "fail", "suspicious", "can't be judged", "not run"]
    lines = [_line(one) for one in checked]
    if not any(one.suspicious for one in checked):
        columns.remove("suspicious")
        lines = [(*line[:5], *line[6:]) for line in lines]
    made = table(None, columns, lines)
    for column in made.columns:
        column.overflow, column.no_wrap = "fold", False
    for column, place in zip(made.columns[:2], (0, 1), strict=True):
        column.no_wrap, column.min_width = True, max(len(columns[place]), *(len(line[place]) for line in lines))
    return made


def _line(one: "CheckedReferences") -> tuple[str, ...]:
    run = one.passed + one.failed + one.suspicious
    found = one.kinds.most_common()
    kinds = [f"{_short(kind)} {count:,}" for kind, count in found[:KINDS]]
    kinds += [f"{len(found) - KINDS} other kinds {sum(count for _, count in found[KINDS:]):,}"] if found[KINDS:] else []
    left = (
        (one.without_truth, "without ground_truth"),
        (one.without_reference, "without reference"),
        (one.skipped, "more programs"),
        (one.unmarked, "with no marked answer"),
    )
    not_run = ", ".join(f"{count:,} {what}" for count, what in left if count)
    share = f"{one.passed:,} of {run:,} ({_percent(one.passed, run)})" if run else "none was run"
    return (
        one.verifier,
        _head(one.source),
        ", ".join(kinds) or "none",
        f"not checked: {one.problem}" if one.problem else share,
        f"{one.failed:,}",
        f"{one.suspicious:,}",
        f"{one.unjudged:,}",
        not_run,
    )


def _short(kind: str) -> str:
    """Return where a reference is from in a few characters: ``recorded``, ``truth``, ``canonical_solution``."""
    return {"recorded answer": "recorded", "ground_truth": "truth"}.get(kind, kind.rsplit(".", 1)[-1])


def _warning(one: "CheckedReferences") -> str:
    """Return what is wrong with the references of a source, or an empty text."""
    if one.problem:
        return f"{one.source}: the references were not checked: {one.problem}"
    parts = []
    run = one.passed + one.failed + one.suspicious
    if one.failed:
        first = next((f" (the first: {row.place})" for row in one.rows if not row.unjudged and not row.suspicious), "")
        do = "does not pass its" if one.failed == 1 else "do not pass their"
        parts.append(f"{one.failed:,} of {counted(run, 'reference')} {do} own verifier{first}")
    if one.suspicious:
        reason, count = one.doubts.most_common(1)[0]
        first = next((f" (the first: {row.place})" for row in one.rows if row.suspicious), "")
        truths = "1 ground truth is" if one.suspicious == 1 else f"{one.suspicious:,} ground truths are"
        parts.append(f"{truths} suspicious{first}: {_head(reason, 120)} ({count:,})")
    if one.unjudged:
        reason, count = one.reasons.most_common(1)[0]
        others = f"; {len(one.reasons) - 1:,} other reasons" if len(one.reasons) > 1 else ""
        prompts = "1 prompt" if one.unjudged == 1 else f"{one.unjudged:,} prompts"
        parts.append(f"{prompts} can't be judged, so no answer is rewarded: {_head(reason, 160)} ({count:,}{others})")
    return f"{one.source}: " + "; ".join(parts) if parts else ""


def _percent(part: int, whole: int) -> str:
    """Return a share as text; 100% only where all pass."""
    share = 100 * part / whole
    return f"{int(share * 10) / 10:g}%"


def _head(text: str, length: int = HEAD) -> str:
    from cli.tables import safe

    return safe(text, length)
