"""How far a score in a store can be relied on: its agreement with recorded verdicts, by a human or another judge."""

import math
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from curate.algorithms.statistics.figures import Figure
from curate.algorithms.statistics.orders import percentiles
from curate.api.agreement_figures import FIGURES, Verdicts, figures, threshold
from curate.api.length_bias import length_bias, length_sentence
from curate.api.verdict_words import read_verdicts
from curate.datasets.recorded_verdicts import is_bad_name
from curate.select.recorded_pairs import pair
from curate.sources.rows.layout_names import RANKS
from curate.storage.sql_views import connect
from curate.storage.store import Store
from curate.storage.verdict_rows import VerdictRows, read_texts, read_verdict_rows, scorers
from schemas.errors import UserError

PREFERENCE = "preference"  # the score of recorded pairs
TEXT = pl.String


@dataclass(frozen=True)
class Agreement:
    """How a score agrees with verdicts.

    Attributes:
        scorer: The score.
        column: The verdicts.
        kind: ``verdicts``, ``grades`` or ``pairs`` (``curate.api.agreement_figures.Verdicts``).
        answers: How many answers the scorer was run on.
        compared: How many answers, or pairs, are compared.
        prompts: Of how many prompts they are.
        nulls: Why answers have no score, with their number.
        without_verdict: How many answers have a score and no verdict.
        at: Of verdicts, the score from which an answer counts as good.
        figures: The figures with their intervals (``curate.api.agreement_figures.FIGURES``).
        disagreements: The most confident disagreements, the clearest first, with their texts.
        notes: What else there is to know, in sentences.
    """

    scorer: str
    column: str
    kind: str
    answers: int
    compared: int
    prompts: int
    nulls: dict[str, int]
    without_verdict: int
    at: float | None
    figures: pl.DataFrame
    disagreements: pl.DataFrame
    notes: list[str] = field(default_factory=list)


def agreement(
    store: Store,
    scorer: str,
    column: str,
    *,
    by: str | None = None,
    at: float | None = None,
    good: float | None = None,
    top: int = 5,
    recipe: str | None = None,
) -> Agreement:
    """Compare a score with verdicts on the same answers.

    Args:
        store: The store.
        scorer: The name of a score of answers.
        column: The verdicts: another score, ``preference`` (or ``chosen``) for recorded pairs, a column of completions
            or prompts, or ``metadata.KEY``. Numbers, true and false, or words such as ``correct``.
        by: A column or a metadata path; its values have figures of their own.
        at: The score from which an answer counts as good; by default as many answers count as good as are.
        good: The verdict from which an answer is good, where verdicts are grades.
        top: How many disagreements to return.
        recipe: Only what runs of this recipe made.

    Raises:
        UserError: There is no such score or column, no answer has both, too many verdicts can't be read, or ``at`` or
            ``good`` is no finite number.
    """
    _check_numbers(at, good)
    asked, column = column, PREFERENCE if column in ("chosen", "rejected") else column
    if column == scorer:
        raise UserError(f"agree: {scorer!r} is compared with itself; name another score, a column or metadata.KEY")
    with connect(store, recipe) as con:
        if asked != column and column not in scorers(con):
            raise _no_pairs(scorer, scorers(con))
        held = read_verdict_rows(con, scorer, column, by)
        rows, notes = _numbers(held, scorer, column)
        made = _verdicts(rows, column, at, good)
        wrong = _disagreements(made, top)
        ids = [id for name in ("completion_id", "other_id") if name in wrong.columns for id in wrong[name]]
        texts = read_texts(con, ids)
    bias = length_bias(rows)
    table = pl.concat([figures(made, by), _length_rows(bias)])
    notes += [text for text in (_reversed(table), length_sentence(scorer, bias), _of_verdicts(rows, column)) if text]
    return Agreement(
        scorer,
        column,
        made.kind,
        held.answers,
        made.rows.height,
        made.rows["prompt"].n_unique(),
        held.errors,
        held.without_verdict,
        made.at,
        table,
        _with_texts(wrong, texts),
        notes,
    )


def _check_numbers(at: float | None, good: float | None) -> None:
    for name, number in (("at", at), ("good", good)):
        if number is not None and not math.isfinite(number):
            raise UserError(f"agree: {name} is {number}; expected a number")


def _no_pairs(scorer: str, known: list[str]) -> UserError:
    others = ", ".join(one for one in known if one != scorer)[:200]
    return UserError(
        f"agree: no answer in the store is recorded as chosen or rejected, so {scorer!r} has nothing to be "
        f"compared with; expected a source of pairs, or another score{f' ({others})' if others else ''}, a column "
        f"or metadata.KEY"
    )


def _numbers(held: VerdictRows, scorer: str, column: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows with their verdicts as numbers, the higher the better; and notes on how they were read."""
    text = held.rows["verdict"].str.strip_chars()
    verdict, notes, may_turn = read_verdicts(text, column)
    values = verdict.drop_nulls()
    if values.is_empty():
        why = "; ".join(f"{error} ({count:,})" for error, count in held.errors.items())
        raise UserError(
            f"agree: no answer has both {scorer!r} and {column!r}: of {held.answers:,} answers "
            f"{sum(held.errors.values()):,} have no score{f' ({why[:200]})' if why else ''} and "
            f"{held.without_verdict + len(text):,} no verdict"
        )
    name = column.rsplit(".", 1)[-1]
    if name in RANKS:
        verdict = -verdict
        notes.append(f"the least {column} is the best")
    elif may_turn and is_bad_name(name) and values.is_in([0.0, 1.0]).all():
        verdict = 1 - verdict
        notes.append(f"{column} says the bad thing: 0 is good, 1 is bad")
    rows = held.rows.with_columns(
        verdict=verdict,
        prompt=pl.col("prompt_id").rank("dense").cast(pl.Int64) - 1,
        cluster=pl.col("cluster").rank("dense").cast(pl.Int64) - 1,
    )
    return rows.drop_nulls("verdict"), notes


def _verdicts(rows: pl.DataFrame, column: str, at: float | None, good: float | None) -> Verdicts:
    """Return answers with verdicts, or the recorded pairs."""
    if column == PREFERENCE and good is None:
        return Verdicts("pairs", _pairs(rows))
    if good is not None:
        rows = rows.with_columns(verdict=(pl.col("verdict") >= good).cast(pl.Float64))
    elif rows["verdict"].n_unique() > 2:
        return Verdicts("grades", rows)
    else:
        best = rows["verdict"].max()
        always = rows["verdict"].n_unique() == 1 and best in (0.0, -1.0)
        rows = rows.with_columns(verdict=((pl.col("verdict") == best) & (not always)).cast(pl.Float64))
    return Verdicts("verdicts", rows, threshold(rows["score"], rows["verdict"]) if at is None else at)


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the recorded pairs whose two answers have a score."""
    found = pair(rows["prompt_id"], rows["completion_id"], rows["sample_index"], rows["verdict"])
    own = ["completion_id", "prompt_id", "prompt", "cluster", "score", "verdict", "length", "kind"]
    other = rows.select(rejected_id="completion_id", other="score", other_length="length")
    pairs = found.join(
        rows.select(own), left_on="chosen_id", right_on="completion_id", how="left", maintain_order="left"
    )
    pairs = pairs.join(other, on="rejected_id", how="left", maintain_order="left")
    if pairs.is_empty():
        raise UserError("agree: no pair of a chosen and a rejected answer has a score on both sides")
    return pairs.rename({"chosen_id": "completion_id", "rejected_id": "other_id"})


def _disagreements(made: Verdicts, top: int) -> pl.DataFrame:
    """Return the disagreements in which the score is surest: by the shares of scores and verdicts that are below."""
    rows = made.rows
    if made.kind == "pairs":
        both = percentiles(np.concatenate((rows["score"].to_numpy(), rows["other"].to_numpy())))
        gap = pl.Series("gap", both[rows.height :] - both[: rows.height])
        kept = ["prompt_id", "completion_id", "other_id", "score", "other"]
        found = rows.with_columns(gap).filter(pl.col("other") > pl.col("score"))
    else:
        kept = ["prompt_id", "completion_id", "score", "verdict"]
        place = pl.Series("place", percentiles(rows["score"].to_numpy()))
        if made.kind == "grades":
            gap = (place - pl.Series(percentiles(rows["verdict"].to_numpy()))).abs()
            found = rows.with_columns(gap.alias("gap"))
        else:
            gap = (place - rows["verdict"]).abs().alias("gap")
            found = rows.with_columns(gap).filter((pl.col("score") >= made.at) != (pl.col("verdict") == 1))
    ordered = found.select(*kept, "kind", "gap").sort("gap", "completion_id", descending=[True, False])
    return ordered.head(top)


def _with_texts(wrong: pl.DataFrame, texts: dict[str, tuple[str | None, str | None]]) -> pl.DataFrame:
    prompts = [texts.get(id, (None, None)) for id in wrong["completion_id"]]
    made = [pl.Series("prompt", [prompt for prompt, _ in prompts], TEXT)]
    if "other_id" in wrong.columns:
        made += [
            pl.Series("chosen", [text for _, text in prompts], TEXT),
            pl.Series("rejected", [texts.get(id, (None, None))[1] for id in wrong["other_id"]], TEXT),
        ]
        wrong = wrong.rename(
            {
                "completion_id": "chosen_id",
                "other_id": "rejected_id",
                "score": "chosen_score",
                "other": "rejected_score",
            }
        )
    else:
        made.append(pl.Series("response", [text for _, text in prompts], TEXT))
    return wrong.hstack(made)


def _length_rows(bias: dict[str, Figure]) -> pl.DataFrame:
    rows = [("", "all", f"Spearman's rho with the {name}", *found) for name, found in bias.items()]
    return pl.DataFrame(rows, schema=FIGURES, orient="row")


def _reversed(table: pl.DataFrame) -> str:
    """Return a note where a higher score goes with the worse verdict, for certain."""
    for name, middle in (("AUROC", 0.5), ("agreement", 0.5), ("Spearman's rho", 0.0)):
        of_all = table.filter(pl.col("by") == "", pl.col("figure") == name)
        if of_all.height and (name != "agreement" or "AUROC" not in table["figure"]):
            high = of_all["high"][0]
            if high is not None and high < middle:
                return "a higher score goes with the worse verdict: read the score with its sign turned"
    return ""


def _of_verdicts(rows: pl.DataFrame, column: str) -> str:
    """Return how the verdicts themselves go with the length: a bias is what the score has more than they do."""
    return length_sentence(f"{column} itself", length_bias(rows, "verdict"))
