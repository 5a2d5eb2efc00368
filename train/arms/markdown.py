"""A comparison as Markdown, for a paper or a pull request."""

from collections.abc import Sequence

import polars as pl

from schemas.markdown import plain
from train.arms.sentences import interval, p_text, sentences
from train.evaluating.signed import signed

HEAD = ("split", "scorer", "arms", "means", "difference (95%)", "for new prompts (95%)", "p", "verdict")


def markdown(recipe: str, rows: pl.DataFrame, warnings: Sequence[str] = ()) -> str:
    """Return a comparison as Markdown: the verdicts as a table, what was trained, each seed, and how it was computed.

    Args:
        recipe: The recipe's name.
        rows: The rows of ``comparisons``.
        warnings: Signs of damage (``train.arms.write.damage_lines``).
    """
    whole, each = rows.filter(pl.col("seed").is_null()), rows.filter(pl.col("seed").is_not_null())
    seeds = each["seed"].unique(maintain_order=True).to_list()
    parts = [f"## {plain(recipe)}: {plain(', '.join(_arms(rows)))}", "", *_table(HEAD, _verdicts(whole))]
    parts += ["", *_table(("arm", "trainings", "steps", "trained tokens", "note"), amounts(rows))]
    parts += ["", *_table(("split", "scorer", "arms", *(f"seed {seed}" for seed in seeds)), _seeds(each, seeds)), ""]
    parts += [f"- {plain(line)}" for line in sentences(rows, starts=False)]
    parts += [f"- **Warning**: {plain(line)}" for line in warnings]
    return "\n".join([*parts, "", *method(whole), ""])


def amounts(rows: pl.DataFrame) -> list[tuple[str, ...]]:
    """Return for each arm: its name, its trainings, its steps and trained tokens (means over seeds), and a note."""
    found: dict[str, tuple[str, ...]] = {}
    each = rows.filter(pl.col("seed").is_not_null())
    for name in _arms(rows):
        of_start = each.filter(pl.col("arm") == name, pl.col("versus_training_id").is_null())
        own = of_start.unique("seed", maintain_order=True)
        steps, tokens = own["steps"].mean(), None if own["tokens"].has_nulls() else own["tokens"].mean()
        found[name] = (
            name,
            f"{own.height:,}",
            "-" if steps is None else f"{steps:,.0f}",
            "not known" if tokens is None else f"{tokens:,.0f}",
            "on top of another arm: more tokens" if own["on_top"].any() else "",
        )
    return [*found.values()]


def method(whole: pl.DataFrame) -> list[str]:
    """Return how the figures were computed, as a paragraph of Markdown."""
    seeds = whole["seeds"].max()
    prompts = " to ".join(dict.fromkeys(f"{n:,}" for n in (whole["prompts"].min(), whole["prompts"].max()) if n))
    return [
        f"All arms start from the same model, have the steps and trained tokens of the table above on {seeds} seeds "
        f"(the order of rows, the adapter's start, sampling), and answer the same {prompts or 'no'} held-out prompts. "
        f"A difference is the mean over seeds of the difference of that seed; its interval, and the verdict, are "
        f"Student's t over these ({seeds - 1 if isinstance(seeds, int) else 'no'} degrees of freedom), for these "
        f"prompts. That for new prompts adds the spread over prompts, clustered by family. p is Holm's correction over "
        f"splits, scorers and pairs of arms; for the differences to the start model, and for retention, apart."
    ]


def _verdicts(whole: pl.DataFrame) -> list[tuple[str, ...]]:
    return [
        (
            row["split"] or "",
            row["scorer"],
            f"{row['arm']} - {row['versus']}",
            f"{number(row['mean'])}, {number(row['versus_mean'])}",
            f"{signed(row['difference'])} ({interval(row['low'], row['high'])})",
            interval(row["new_low"], row["new_high"]),
            p_text(row["p_holm"]),
            row["verdict"],
        )
        for row in whole.iter_rows(named=True)
    ]


def _seeds(each: pl.DataFrame, seeds: list[int]) -> list[tuple[str, ...]]:
    keys = ["split", "scorer", "arm", "versus"]
    found = []
    for names, rows in each.group_by(keys, maintain_order=True):
        held = dict(rows.select("seed", "difference").iter_rows())
        split, scorer, arm, versus = (str(name or "") for name in names)
        found.append((split, scorer, f"{arm} - {versus}", *(signed(held.get(seed)) for seed in seeds)))
    return found


def _arms(rows: pl.DataFrame) -> list[str]:
    """Return the names of the arms in their order, which is that of their differences to the start model."""
    of_start = rows.filter(pl.col("seed").is_not_null(), pl.col("versus_training_id").is_null())
    return of_start["arm"].unique(maintain_order=True).to_list()


def number(value: float | None) -> str:
    """Return a mean score: ``0.550``; ``-`` for none."""
    return "-" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows]
