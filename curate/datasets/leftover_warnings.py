"""Warnings about control tokens and placeholders in the rows of a dataset, with the step that leaves the rows out.

What to search for is what the sources hold. Where none holds any, no row is read.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from curate.datasets.dataset_spec import NOUNS
from curate.datasets.selection_rule import makes_pairs
from curate.pipeline.run_state import RunState
from curate.sources.template_leftovers import Search, search_for
from curate.steps import sql_conditions
from curate.storage.rows import read_batches, read_parts
from curate.storage.stage import Stage
from schemas.errors import UserError, printable
from schemas.recipe import Dataset
from schemas.rows import DATASET_TABLES

NAMED = 6  # tokens that a warning names; it counts the others
KINDS = {
    "control_tokens": ("control tokens of a chat template", "a tokenizer may take them for the ends of turns"),
    "placeholders": ("placeholders of a template", "they are learnt as they stand"),
}
ANSWERS = {"sft": ("completion",), "preference": ("chosen", "rejected"), "unpaired": ("completion",), "prompt": ()}


@dataclass
class _Found:
    """How many rows hold something that was searched for, how many hold each name, and in which of the two columns."""

    rows: int = 0
    names: Counter[str] = field(default_factory=Counter)
    columns: set[str] = field(default_factory=set)


def leftover_warnings(state: RunState, entry: Dataset, stage: Stage | None) -> list[str]:
    """Return a warning for the control tokens in a dataset's rows, and one for the placeholders.

    Args:
        state: The state after a run or a plan.
        entry: The dataset in the recipe.
        stage: The dataset, or None where it is not made yet: then the rows that reach it are searched.
    """
    warnings = []
    for kind, search in _searches(state).items():
        texts = _texts_of(entry, stage) if stage else _texts_to_come(state, entry, search.pattern)
        found = _search(texts, search)
        if found.rows:
            warnings.append(_warning(kind, found, NOUNS[entry.type] if stage else _noun_to_come(state, entry)))
    return warnings


def _noun_to_come(state: RunState, entry: Dataset) -> str:
    if not state.completions.stages:
        return "prompts"
    return "candidates" if makes_pairs(entry) else NOUNS[entry.type]  # a candidate is no pair


def _searches(state: RunState) -> dict[str, Search]:
    """Return for each kind what the sources hold of it."""
    made = {}
    for kind in KINDS:
        held = [one[kind] for stage in state.prompts.stages if kind in (one := stage.manifest.get("leftovers", {}))]
        names, patterns = ([text for one in held for text in one[part]] for part in ("names", "patterns"))
        if names or patterns:
            made[kind] = Search(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(patterns)))
    return made


def _texts_of(entry: Dataset, stage: Stage) -> Iterator[pl.DataFrame]:
    """Yield the prompts and the answers of a dataset, as JSON text."""
    answers = ANSWERS[entry.type]
    for rows in read_parts(stage, DATASET_TABLES[entry.type], ["prompt", *answers]):
        yield rows.select("prompt", answer=pl.concat_str(answers) if answers else pl.lit(""))


def _texts_to_come(state: RunState, entry: Dataset, pattern: str) -> Iterator[pl.DataFrame]:
    """Yield the prompts and the answers with a pattern that reach a dataset, but for those that SQL leaves out.

    A plan makes no step; so the conditions of the recipe's filters, and of the dataset, are asked here.
    """
    alone = entry.type == "prompt" or not state.completions.stages
    rows, prompts = (state.prompts, None) if alone else (state.completions, state.prompts)
    steps = state.recipe.prompts if alone else [*state.recipe.prompts, *state.recipe.completions]
    out = [str(condition) for step in steps if step.verb == "filter" for condition in step.settings.values()]
    known = list(rows.columns(prompts))
    wanted = [entry.where] if entry.where else []
    needed = [name for condition in [*out, *wanted] for name in sql_conditions.mentioned(condition, known)]
    texts = ["messages"] if alone else ["messages", "completion"]
    for batch in read_batches(rows, list(dict.fromkeys([*texts, *needed])), prompts):
        held = batch.filter(pl.any_horizontal(pl.col(texts).str.contains(pattern)))
        for condition in out:
            held = held.filter(~_holds(held, condition, default=False))
        for condition in wanted:
            held = held.filter(_holds(held, condition, default=True))
        yield held.select(prompt="messages", answer=pl.lit("") if alone else pl.col("completion"))


def _holds(rows: pl.DataFrame, condition: str, *, default: bool) -> pl.Series:
    """Return for which rows a condition holds; ``default`` where it needs columns that are not there yet."""
    try:
        return sql_conditions.holds(rows, condition, "")
    except UserError:
        return pl.Series([default]).new_from_index(0, rows.height)


def _search(texts: Iterator[pl.DataFrame], search: Search) -> _Found:
    found, pattern = _Found(), search.pattern
    for part in texts:
        held = part.filter(pl.any_horizontal(pl.all().str.contains(pattern)))
        found.rows += held.height
        found.columns |= {name for name in held.columns if held[name].str.contains(pattern).any()}
        for row in held.select(pl.concat_str(pl.all()).str.extract_all(pattern)).to_series().to_list():
            found.names.update(set(row))
    return found


def _warning(kind: str, found: _Found, noun: str) -> str:
    what, effect = KINDS[kind]
    named = [f"{printable(name)} ({count:,})" for name, count in found.names.most_common(NAMED)]
    more = len(found.names) - NAMED
    shown = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    holds = f"{noun.removesuffix('s')} holds" if found.rows == 1 else f"{noun} hold"
    section = "completions" if "answer" in found.columns else "prompts"
    condition = _condition(found)
    quoted = json.dumps(condition, ensure_ascii=not condition.isprintable())  # YAML reads it as JSON does
    return (
        f"{found.rows:,} {holds} {what}: {shown}; {effect}. To leave them out, add as the last step under {section}: "
        f"`- filter: {{{kind}: {quoted}}}`"
    )


def _condition(found: _Found) -> str:
    """Return the SQL condition that holds for the rows that hold any of the names."""
    both = found.columns == {"prompt", "answer"}
    texts = "concat(messages, completion)" if both else "completion" if "answer" in found.columns else "messages"
    search = search_for([name for name, _ in found.names.most_common()])
    parts = [f"contains({texts}, {_sql_text(name)})" for name in search.names]
    if search.patterns:
        parts.append(f"regexp_matches({texts}, {_sql_text('|'.join(search.patterns))})")
    return " or ".join(parts)


def _sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
