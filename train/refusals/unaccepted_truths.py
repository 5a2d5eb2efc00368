"""Finds rows of online RL whose ground truth their own verifier does not accept, so that no right answer is rewarded.

Each prompt's own reference is run through the rewards that are verifiers, as ``gristmill check`` runs those of the
sources (``train.references``): all of them where that is cheap, and a sample of the programs. The rows whose reference
no verifier accepts, or which none can judge, are left out of the training.

Of several verifiers those decide that read a kind of ground truth of their own (``OWN_KIND``), where they can read it;
any text equals itself, so that ``math`` accepts what is meant for them too.
"""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from schemas.errors import OneLine
from train.answer_scorers import AnswerScorer
from train.reference_answers import reference_answers
from train.references import reference_values, some_programs
from train.refusals.made_answers import asks_models, reading_of, unanswered, verifier_of
from train.refusals.out_of_time import out_of_time
from train.refusals.refusal import Refusal
from train.refusals.text_truths import doubted, is_mathematical
from train.row_mentions import first_rows, share

NAME = "unaccepted_truths"
FATE = "its own verifier does not accept its ground truth"
ACCEPTED, OPEN, NOTHING = "accepted", "no reference was run", "there is no ground truth"
LATE = "its program ran out of time"
UNJUDGED = "can't be judged: "
OWN_KIND = ("code", "constraints", "json_schema", "tool_call")  # tests, constraints, a schema, calls
MOST_ALLOWED = 0.5  # of the rows that were judged, the share that may be left out


class Unaccepted(NamedTuple):
    """Verdicts of verifiers on the ground truths of a training.

    Attributes:
        rows: The rows whose ground truth is not accepted: ``row_id``, ``why``.
        judged: How many rows were judged.
        without: How many have no ground truth.
        skipped: How many programs were not run.
        problems: Why a verifier could not be run, by its name.
        late: The rows whose program ran out of time, and that no other verifier accepts: they are not judged.
    """

    rows: pl.DataFrame
    judged: int
    without: int
    skipped: int
    problems: dict[str, str]
    late: tuple[str, ...] = ()

    @property
    def fates(self) -> pl.DataFrame:
        """The rows to leave out, with their fate."""
        return self.rows.select("row_id", fate=pl.lit(FATE, pl.String))

    def refusal(self) -> Refusal | None:
        """Return the refusal where more than half of the ground truths are not accepted."""
        if self.rows.height <= MOST_ALLOWED * self.judged:
            return None
        remedy = "mend the ground truths, or take the verifier that reads their form ('gristmill check' shows them)"
        return Refusal(NAME, self.text(), remedy)

    def text(self) -> str:
        """Return how many ground truths are not accepted, and which; empty where all are."""
        if self.rows.is_empty():
            return ""
        count, (reason, _) = self.rows.height, self.rows["why"].value_counts(sort=True).row(0)
        more = f"; {self.skipped:,} more programs were not run" if self.skipped else ""
        do = "is not accepted by its" if count == 1 else "are not accepted by their"
        rows = first_rows(self.rows["row_id"], count)
        return (
            f"{count:,} of {self.judged:,} ground truths ({share(count, self.judged)}) {do} own verifier ({rows}: "
            f"{reason}){more}"
        )


def unaccepted_truths(rows: pl.DataFrame, rewards: Mapping[str, AnswerScorer], seed: int) -> Unaccepted:
    """Return the rows whose ground truth none of the verifiers among a training's rewards accepts.

    Args:
        rows: Rows of type 'prompt'.
        rewards: The rewards that count, by name.
        seed: The recipe's seed.
    """
    said: dict[str, list[tuple[str, str]]] = {row_id: [] for row_id in rows["row_id"]}
    skipped, problems = 0, dict[str, str]()
    for name, scorer in rewards.items():
        verifier = verifier_of(scorer)
        if verifier is None or asks_models(scorer):
            continue
        answers = reference_answers(verifier, unanswered(rows), reading_of(scorer))
        left = 0
        if verifier == "code":
            left, answers = some_programs(answers)
        try:
            scored = reference_values(scorer, answers, seed)
        except OneLine as error:  # such as a sandbox that cannot be started
            problems[name] = str(error)
            continue
        skipped += left
        columns = [answers["row_id"], answers["reference"], answers["ground_truth"]]
        passed = answers["ground_truth"].filter((scored["value"] >= 1).fill_null(False))
        broken = doubted(passed) if verifier == "math" else {}
        for row_id, *row in zip(*columns, *(scored[one] for one in ("value", "error", "detail")), strict=True):
            said[row_id].append((verifier, _said(*row, broken)))
    truths = dict(unanswered(rows).select("row_id", "ground_truth").iter_rows())
    heard = {row_id: _heard(every, truths[row_id] or "") for row_id, every in said.items()}
    # A verifier that could not be run, or whose reference was not, might accept what another does not.
    open_rows = {row_id for row_id, every in heard.items() if problems or OPEN in every or LATE in every}
    lost = {row_id: why for row_id, every in heard.items() if row_id not in open_rows and (why := _why(every))}
    judged = len(lost) + sum(ACCEPTED in every for every in heard.values())
    table = pl.DataFrame({"row_id": [*lost], "why": [*lost.values()]}, {"row_id": pl.String, "why": pl.String})
    without = sum(bool(every) and set(every) == {NOTHING} for every in heard.values())
    late = tuple(row_id for row_id, every in heard.items() if LATE in every and ACCEPTED not in every)
    return Unaccepted(table, judged, without, skipped, problems, late)


def _heard(said: list[tuple[str, str]], truth: str) -> list[str]:
    """Return what those verifiers say of a row whose kind of ground truth it is, ``OWN_KIND`` first.

    Where one that reads a kind of its own cannot read it, ``math`` must find more in it than its own spelling.
    """
    kinds = [what for verifier, what in said if verifier in OWN_KIND]
    own = [what for what in kinds if what != NOTHING and not what.startswith(UNJUDGED)]
    if own:
        return own
    spelled = bool(kinds) and (("math", ACCEPTED) in said) and not is_mathematical(truth)
    return kinds + [what for verifier, what in said if verifier not in (*OWN_KIND, *(["math"] if spelled else []))]


def _said(
    reference: str | None,
    truth: str | None,
    value: float | None,
    error: str | None,
    detail: str | None,
    broken: Mapping[str, str],
) -> str:
    """Return what a verifier says of a row: ``ACCEPTED``, ``OPEN``, ``LATE``, ``NOTHING``, or why it rejects it.

    Args:
        reference: Where the reference is from, or None.
        truth: The ground truth.
        value: The reference's value.
        error: Why it has none.
        detail: The scorer's detail.
        broken: Why ground truths seem broken though their references pass.
    """
    if out_of_time(error, detail):
        return LATE
    if value is None:
        return f"{UNJUDGED}{error}" if truth and truth.strip() else NOTHING
    if reference is None:
        return OPEN
    if value < 1:
        return f"its reference scores {value:.3g}"
    return f"passes, but {broken[truth]}" if truth is not None and truth in broken else ACCEPTED


def _why(said: list[str]) -> str:
    """Return why no verifier accepts a ground truth; empty where one does, or where there is none."""
    reasons = [one for one in said if one != NOTHING]
    return "" if ACCEPTED in reasons or not reasons else reasons[0]
