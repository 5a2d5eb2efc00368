"""What was found in the rows of a source, beside the rows: counts that add up over the parts it is read in."""

from collections import Counter
from dataclasses import dataclass, field, fields

import polars as pl

from curate.sources.template_leftovers import LeftoverCounts
from schemas.reply_calls import BROKEN_CALL

TRACE = '"reasoning_content":"'  # in JSON text: the quotes of a text in it are escaped
ADDED_LATER = ("notes", "warnings")


@dataclass
class ScoreFacts:
    """What a recorded score holds: its rows, those without a value, its range and its sum.

    ``yes`` counts the values that are 1, ``no`` those that are 0.
    """

    rows: int = 0
    nulls: int = 0
    yes: int = 0
    no: int = 0
    low: float | None = None
    high: float | None = None
    total: float = 0.0

    def add(self, other: "ScoreFacts") -> None:
        """Add the facts of further rows."""
        for name in ("rows", "nulls", "yes", "no", "total"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.low = min((one for one in (self.low, other.low) if one is not None), default=None)
        self.high = max((one for one in (self.high, other.high) if one is not None), default=None)


@dataclass
class Facts:
    """What was found in the rows of a source, or of a part of it.

    Attributes:
        prompts: How many prompts were read.
        completions: How many recorded candidates.
        repeats: How many rows were joined to an earlier prompt.
        refused: How many rows were refused.
        row_formats: How many rows of each format were recognised.
        prompt_keys: The keys that prompts were under, with the number of rows.
        unclear: The keys of verdicts, system texts and further prompts that were not understood, with the number of
            rows; they are in the metadata.
        unused: The keys that look like an answer and went to the metadata, with the number of rows.
        truths: The keys that went to the ground truth, with the number of rows.
        truths_alone: Of rows without an answer: the key that went to the ground truth and the key of the prompt, with
            the number of prompts.
        alone: How many prompts have a ground truth and no candidate.
        changed: The keys whose values JSON does not have (bytes, infinity), kept in another form, with the number of
            rows.
        cut: How many conversations lost turns at their end that nothing answers, or that hold nothing.
        cut_turns: How many turns these are.
        unanswered: How many prompts without a candidate would be cut behind an answered turn.
        unanswered_truths: How many more would be, but for their ``ground_truth``.
        marks: The marks of turns that were not understood (``schemas.learnt_turns``), with the number of turns.
        calls: What happened to tool calls and their results (``curate.sources.rows.row_calls``), with their number.
        traces: How many reasoning traces are kept apart.
        scores: The recorded scores, by their names.
        leftovers: The control tokens and placeholders in prompts, and in candidates.
        notes: What the readers of the files decided: the split that was read, files and keys that were left out.
        warnings: What a user should look at, such as a file that is not read to its end.
    """

    prompts: int = 0
    completions: int = 0
    repeats: int = 0
    refused: int = 0
    row_formats: Counter[str] = field(default_factory=Counter)
    prompt_keys: Counter[str] = field(default_factory=Counter)
    unclear: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    truths: Counter[str] = field(default_factory=Counter)
    truths_alone: Counter[tuple[str, str]] = field(default_factory=Counter)
    alone: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    cut_turns: int = 0
    unanswered: int = 0
    unanswered_truths: int = 0
    marks: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    traces: int = 0
    scores: dict[str, ScoreFacts] = field(default_factory=dict)
    leftovers: tuple[LeftoverCounts, LeftoverCounts] = field(
        default_factory=lambda: (LeftoverCounts(), LeftoverCounts())
    )
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def add(self, other: "Facts") -> None:
        """Add the facts of a later part; what the readers of the files said is not added (``ADDED_LATER``)."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if one.name in ADDED_LATER:
                continue
            if isinstance(mine, Counter):
                mine.update(theirs)
            elif one.name == "scores":
                for name, score in theirs.items():
                    mine.setdefault(name, ScoreFacts()).add(score)
            elif one.name == "leftovers":
                for here, there in zip(mine, theirs, strict=True):
                    here.add(there)
            else:
                setattr(self, one.name, mine + theirs)

    def look_at(
        self, prompts: pl.DataFrame, completions: pl.DataFrame, scores: pl.DataFrame, decisions: pl.DataFrame
    ) -> None:
        """Add what the tables of a part say by themselves: numbers of rows, scores, traces, leftovers."""
        self.prompts += prompts.height
        self.completions += completions.height
        reasons = decisions.filter(~pl.col("kept") & (pl.col("reason") != BROKEN_CALL))["reason"]
        repeats = int(reasons.str.contains("^(exact copy|same prompt)").sum())
        self.repeats += repeats
        self.refused += len(reasons) - repeats
        for name, score in score_facts(scores).items():
            self.scores.setdefault(name, ScoreFacts()).add(score)
        for held, table in zip(self.leftovers, (prompts, completions), strict=True):
            messages = table["messages"]
            traced = messages.filter(messages.str.contains(TRACE, literal=True))  # to look takes less than to count
            self.traces += int(traced.str.count_matches(TRACE, literal=True).sum())
            held.look_at(messages)


def score_facts(scores: pl.DataFrame) -> dict[str, ScoreFacts]:
    """Return what each scorer's values hold, in the order in which the scorers come."""
    value = pl.col("value")
    held = scores.group_by("scorer", maintain_order=True).agg(
        rows=pl.len(),
        nulls=value.null_count(),
        yes=(value == 1).sum(),
        no=(value == 0).sum(),
        low=value.min(),
        high=value.max(),
        total=value.sum(),
    )
    return {row.pop("scorer"): ScoreFacts(**row) for row in held.iter_rows(named=True)}
