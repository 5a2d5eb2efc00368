"""Recorded verdicts and preferences: whether a dataset of SFT rows would take answers that are recorded as bad."""

import re
from dataclasses import dataclass

import polars as pl

from curate.pipeline.run_state import RunState
from curate.sources.facts import score_facts
from curate.sources.rows.layout_names import RANKS, VERDICTS
from curate.sources.source_summary import score_ranges
from curate.steps import sql_conditions
from curate.storage.rows import read_all
from curate.storage.stage import Stage
from schemas.errors import UserError
from schemas.recipe import Dataset, Step

SOURCE_LABEL = "prompts.source."
VERDICT_VALUES = (-1.0, 0.0, 1.0)
LISTED = 6  # scores that a message lists; it counts the others
# Words of a score's name that say the bad thing, so that 1 is bad: ``wrong``, ``is_refusal``, ``contains_pii``.
BAD_WORDS = frozenset(
    """abusive bad bias biased biases broken bug buggy bugs contaminated contamination contradiction contradictions
    corrupt corrupted crash crashed crashes dangerous defect defective defects degenerate dislike disliked downvoted
    duplicate duplicated error errors fail failed fails failure failures fake false flagged flaw flawed flaws
    garbage hallucinated hallucination hallucinations harmful hate hateful illegal incoherent incomplete incorrect
    insult insults invalid irrelevant issues jailbreak jailbroken leak leakage leaked leaks lie lies low malformed
    misinformation mislabeled mislabelled misleading mistake mistakes noisy nonsense nsfw obscene offensive pii
    plagiarised plagiarism plagiarized poor profane profanity racism racist refusal refusals refused refuses reject
    rejected repetitive rude secret secrets sexism sexist sexual spam threat timeout toxic toxicity truncated typo
    typos undesirable unfaithful unfinished ungrounded unhelpful unreadable unreliable unsafe unsupported untrue
    unverified violence violent vulnerabilities vulnerability vulnerable worse worst wrong""".split()
)
NOT_WORDS = ("not", "non", "no", "without")
FREE_WORDS = ("free", "freedom")  # ``error_free`` is good, ``free_text`` neither


def is_source(stage: Stage) -> bool:
    """Return whether a stage holds the rows of a source."""
    return stage.manifest["label"].startswith(SOURCE_LABEL)


def recorded_scores(state: RunState, names: tuple[str, ...]) -> list[str]:
    """Return those of these scores that came with a source, in the order of ``names``."""
    held = state.completions.scores
    return [name for name in names if any(is_source(stage) for stage in held.get(name, []))]


def check_verdicts(state: RunState, name: str, entry: Dataset) -> None:
    """Refuse SFT rows of all candidates where some are recorded as wrong or rejected, and the recipe says nothing.

    A ``where`` or a ``select`` of the dataset is a choice, ``select: all`` too; so is a ``filter`` or ``select`` step
    of ``completions:`` that names the score. ``by`` is none: by itself it leaves out no row.

    Raises:
        UserError: The dataset would take such answers; the message has the two lines to choose from.
    """
    if entry.type != "sft" or entry.where or entry.select or entry.control_of:
        return
    held = recorded_scores(state, tuple(state.completions.scores))
    names = [*(one for one in (*VERDICTS, *RANKS) if one in held), *(one for one in held if one not in VERDICTS)]
    names = [
        one for one in dict.fromkeys(names) if not any(_chooses_by(step, one) for step in state.recipe.completions)
    ]
    if not names:
        return
    values = read_all(state.completions, names)
    verdicts = [verdict for one in names if (verdict := _verdict(one, values[one]))]
    if not verdicts:
        return
    first = verdicts[0]
    generated = any(step.verb == "generate" for step in state.recipe.completions)
    unscored = generated or values[first.score].null_count() > 0
    column = column_in_sql(first.score)
    condition = f"{column} {first.good}" + (f" or {column} is null" if unscored else "")
    without = "a preference, such as ties" if first.score == "preference" else first.score
    takes = first.takes + (f", and answers without {without}" if unscored else "")
    others = [f"{one.score} {one.bad} ({one.count:,})" for one in verdicts[1:]]
    also = f" (recorded too: {_listed(others)})" if others else ""
    came = (
        f"; scores of the sources: {_listed(score_ranges(score_facts(_scores(state, held))))}" if len(held) > 1 else ""
    )
    raise UserError(
        f"{state.recipe.where('datasets', name)}: datasets.{name}: {first.count:,} of {values.height:,} candidates are "
        f"recorded with {first.score} {first.bad}{also}; choose: `where: {_yaml_text(condition)}` (takes {takes}) or "
        f"`select: all` (takes all){came}"
    )


@dataclass(frozen=True)
class _Verdict:
    """A score that says of some candidates that they are bad.

    Attributes:
        score: Its name.
        count: How many candidates are bad.
        bad: The values of the bad ones, such as ``= 0``.
        good: The condition on the values of the good ones, such as ``= 1``.
        takes: Who the good ones are.
    """

    score: str
    count: int
    bad: str
    good: str
    takes: str


def _verdict(score: str, values: pl.Series) -> _Verdict | None:
    """Return what a recorded score says, or None where all are good, or where the values are no verdicts.

    Of a rank the least is good. Other scores are verdicts if all values are 0 or 1 (or -1): 1 is good, or by a name
    that says the bad thing, 0. All may be bad by a known name only.
    """
    known = values.drop_nulls()
    if known.is_empty():
        return None
    if score in RANKS:
        least = known.min()
        count = known.filter(known > least).len()
        return _Verdict(score, count, f"above {least:g}", f"= {least:g}", "the best") if count else None
    ones = known.filter(known == 1).len()
    if ones == known.len() or not known.is_in(VERDICT_VALUES).all() or not (ones or score in VERDICTS):
        return None
    if is_bad_name(score):
        good = "= 0" if (known >= 0).all() else "< 1"
        return _Verdict(score, ones, "= 1", good, f"those with {score} {good.removeprefix('= ')}")
    bad = known.filter(known < 1)
    below = f"= {bad[0]:g}" if bad.n_unique() == 1 else "below 1"
    takes = "the preferred" if score == "preference" else f"those with {score} 1"
    return _Verdict(score, bad.len(), below, "= 1", takes)


def is_bad_name(score: str) -> bool:
    """Return whether a score's name says the bad thing: ``wrong``, ``isToxic``, ``not_correct``; not ``error_free``."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", score)]
    denied = any(word in NOT_WORDS for word in words)
    bad = any(word in BAD_WORDS for word in words)
    denied = denied or (bad and any(word in FREE_WORDS for word in words))
    return bad != denied


def _scores(state: RunState, names: list[str]) -> pl.DataFrame:
    """Return the recorded scores of the candidates of all sources."""
    stages = {id(stage): stage for name in names for stage in state.completions.scores[name] if is_source(stage)}
    return pl.concat([stage.read("scores", ["scorer", "value"]) for stage in stages.values()])


def _listed(parts: list[str]) -> str:
    more = len(parts) - LISTED
    return ", ".join(parts[:LISTED]) + (f" and {more} more" if more > 0 else "")


def column_in_sql(name: str) -> str:
    """Return a column's name as SQL reads it, in quotes where it is no plain word, or one of SQL's own."""
    if re.fullmatch(r"[A-Za-z_]\w*", name):
        try:
            sql_conditions.check(f"{name} = 1", {name: pl.Float64()}, "")
        except UserError:
            pass
        else:
            return name
    return '"' + name.replace('"', '""') + '"'


def _yaml_text(text: str) -> str:
    """Return a text in quotes, as a value in YAML: in double quotes, or single ones where it has double ones."""
    return "'" + text.replace("'", "''") + "'" if '"' in text else f'"{text}"'


def _chooses_by(step: Step, score: str) -> bool:
    """Return whether a step of ``completions:`` leaves candidates out by a score."""
    if step.verb == "filter":
        conditions = (str(condition) for condition in step.settings.values())
        return any(sql_conditions.mentioned(condition, [score]) for condition in conditions)
    return step.verb == "select" and step.settings.get("by") == score
