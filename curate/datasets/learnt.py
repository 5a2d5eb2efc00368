"""SFT rows and their learnt turns: candidates with a last turn to learn, marks for ``learn: last``, the counts.

A row's turns say themselves what is learnt (``schemas.learnt_turns``): every turn of the assistant without
``"weight": 0``, in the prompt and in the completion.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from curate.datasets.candidate_table import Candidates, candidates_kept, with_columns
from curate.datasets.decision_writer import DecisionWriter
from schemas.json_text import dump, parse
from schemas.learnt_turns import is_learnt, mark_unlearnt

NOT_LEARNT = (
    "its last turn is not to be learnt (weight: 0); to learn those before it, cut this turn or mark it weight: 1"
)
# JSON text escapes the quotes in a text, so that these are keys; what stands below a further key may have them too.
ANSWERED = '"role": ?"assistant"'
KEYS = r'(?:[^\\]|\\\\)" ?:'
PLAIN_KEYS = '"(?:role|content)" ?:'


@dataclass
class Learnt:
    """How many turns of the assistant a dataset's rows have: those that are learnt, and those that are context only.

    Attributes:
        turns: The turns that are learnt.
        calls: Those of them that call tools.
        context: The turns that are context only.
        earlier: Of the turns that are learnt, those of prompts.
        left_out: The turns of candidates that are left out, as their last turn is marked as context only.
    """

    turns: int = 0
    calls: int = 0
    context: int = 0
    earlier: int = 0
    left_out: int = 0

    def of_rows(self, parts: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Yield SFT rows as they are, counting their turns."""
        for part in parts:
            before = self.turns
            self._count(part["prompt"])
            self.earlier += self.turns - before
            self._count(part["completion"])
            yield part

    def _count(self, texts: pl.Series) -> None:
        plain = is_plain(texts)
        self.turns += int(texts.filter(plain).str.count_matches(ANSWERED).sum())
        self._look(texts.filter(~plain))

    def _look(self, texts: pl.Series) -> None:
        for text in texts:
            for turn in parse(text):
                if is_learnt(turn):
                    self.turns += 1
                    self.calls += bool(turn.get("tool_calls"))
                else:
                    self.context += turn["role"] == "assistant"

    def note(self, rows: int) -> str:
        """Return what is learnt where that is not one turn a row: ``, 957 assistant turns learnt (211 with ...)``."""
        if (self.turns, self.calls, self.context) == (rows, 0, 0):
            return ""
        of_calls = f" ({self.calls:,} with tool calls)" if self.calls else ""
        context = f", {self.context:,} context only" if self.context else ""
        return f", {self.turns:,} assistant turn{'' if self.turns == 1 else 's'} learnt{of_calls}{context}"

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def is_plain(messages: pl.Series) -> pl.Series:
    """Return whether messages (JSON text) have a role and a text each, and nothing else that could look like a turn."""
    return messages.str.count_matches(KEYS) == messages.str.count_matches(PLAIN_KEYS)


def count_answered(messages: pl.Series) -> int:
    """Return how many turns of messages (JSON text) are the assistant's, learnt or not."""
    plain = is_plain(messages)
    turns = (turn for text in messages.filter(~plain) for turn in parse(text))
    return int(messages.filter(plain).str.count_matches(ANSWERED).sum()) + sum(
        turn["role"] == "assistant" for turn in turns
    )


def learnable(candidates: Candidates, decisions: DecisionWriter) -> tuple[Candidates, str, int]:
    """Leave out candidates whose last turn is marked as not to be learnt, each with a decision.

    Returns:
        The candidates that are left, a note on the others, and how many turns of the assistant those others have, with
        their prompts'.
    """
    slices = with_columns(candidates, candidates.short, ["completion"])
    kept = [last_is_learnt(part["completion"]) for part in slices]
    learnt = np.concatenate([part.to_numpy() for part in kept]) if kept else np.ones(0, bool)
    if learnt.all():
        return candidates, "", 0
    reason = pl.when("kept").then(None).otherwise(pl.lit(NOT_LEARNT))
    decided = candidates.frame.select(row_id="completion_id", kept=pl.Series(learnt)).with_columns(reason=reason)
    decisions.write("learnt", decided)
    others = with_columns(candidates, candidates.short.filter(~pl.Series(learnt)), ["messages", "completion"])
    turns = sum(count_answered(part[name]) for part in others for name in ("messages", "completion"))
    out = int((~learnt).sum())
    note = (
        f"; {out:,} left out ({turns:,} assistant turn{'' if turns == 1 else 's'}): {'its' if out == 1 else 'their'} "
        "last turn is marked as not to be learnt"
    )
    return candidates_kept(candidates, learnt), note, turns


def last_is_learnt(completions: pl.Series) -> pl.Series:
    """Return for each completion whether its last turn is learnt."""
    marked = completions.str.contains('"weight"', literal=True).fill_null(False)
    learnt = [not flag or _ends_learnt(parse(text)) for flag, text in zip(marked, completions, strict=True)]
    return pl.Series(learnt, dtype=pl.Boolean)


def _ends_learnt(turns: list[dict]) -> bool:
    """Return whether the last turn of the assistant, where there is one, is learnt."""
    return next((is_learnt(turn) for turn in reversed(turns) if turn["role"] == "assistant"), True)


def with_context(prompts: pl.Series) -> pl.Series:
    """Return prompts (JSON text) in which the assistant's turns are marked as context only."""
    answered = prompts.str.contains(ANSWERED).fill_null(False)
    marked = [_marked(text) for text in prompts.filter(answered)]
    if not marked:
        return prompts
    return prompts.clone().scatter(answered.arg_true(), pl.Series(marked, dtype=pl.String))  # in place


def _marked(text: str) -> str:
    turns = [mark_unlearnt(turn) if turn["role"] == "assistant" else turn for turn in parse(text)]
    return dump(turns, "messages")
