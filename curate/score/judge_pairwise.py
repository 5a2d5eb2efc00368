"""The share of pairwise comparisons that a response wins, as a model judges: with other candidates or the reference.

Each comparison is made in both orders (arXiv 2306.05685). A response wins if both verdicts say so; if they disagree it
is a tie and a flip. Ties count half, so the value is between 0 and 1. ``against: reference`` compares with
``ground_truth``; calls that it expects are shown as calls. ``rounds: m`` compares each candidate with about m others
instead of all, chosen at random by their texts and the seed. Equal texts are a tie without a request. In a panel of
models the majority decides, if more than half of them gave a verdict in both orders. A judge is shown tools, tool calls
and results, and reasoning traces with ``reasoning: true`` only (``judge`` says why). ``weighted: true`` uses the
probability of each verdict, averaged over both orders, instead of wins, ties and losses.

``detail`` is JSON: ``wins``, ``ties``, ``losses``, ``flips`` (of all judges), ``unparsed`` (comparisons left out), and
in ``replies`` those that could not be read. A comparison of two candidates counts in both rows. The share that flipped:

    SELECT sum((detail ->> 'flips')::INT) / sum((detail ->> 'wins')::INT + (detail ->> 'ties')::INT
           + (detail ->> 'losses')::INT) AS flipped FROM scores WHERE scorer = 'judge_pairwise'
"""

import json
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal, NamedTuple

import polars as pl

from curate.score._comparisons import Comparison, Prompt, candidate_pairs, prompts_by_id, reference_pairs
from curate.score._judge_calls import Answer, judge_answers, judge_models, sampling
from curate.score._judge_prompts import Context, ask_better
from curate.score._parse_verdicts import read_verdict
from curate.score._rubrics import Rubric, rubrics
from curate.score._shown_references import shown_reference
from curate.score._shown_turns import shown_responses
from curate.score._token_probabilities import letter_shares
from curate.steps.model_calls import ModelCalls, Scoring
from schemas.errors import UserError


class Verdict(NamedTuple):
    """One judge's verdict on a comparison, from both orders.

    Attributes:
        first: 1 if the first text wins, 0 if the other does, 0.5 if neither.
        likely: The same by the probabilities of the verdicts, between 0 and 1.
        flipped: Whether the orders disagreed.
    """

    first: float
    likely: float
    flipped: bool


@dataclass
class Record:
    """The results of a text's comparisons.

    Attributes:
        wins: Comparisons won.
        ties: Comparisons without a winner.
        losses: Comparisons lost.
        flips: Verdicts, of all judges, in which the two orders disagreed.
        unparsed: Comparisons left out, as too few verdicts could be read.
        points: Sum over comparisons of 1 for a win, 0.5 for a tie, 0 for a loss, or of the probabilities of a win.
        replies: Replies that could not be read.
    """

    wins: int = 0
    ties: int = 0
    losses: int = 0
    flips: int = 0
    unparsed: int = 0
    points: float = 0.0
    replies: list[dict[str, Any]] = field(default_factory=list)

    def add(self, won: float, points: float, times: int) -> None:
        """Count ``times`` comparisons: won (1), lost (0) or neither (0.5), each worth ``points``."""
        self.wins += times * (won == 1)
        self.ties += times * (won == 0.5)
        self.losses += times * (won == 0)
        self.points += times * points


Records = dict[tuple[str, str], Record]  # by the prompt's id and the text
Result = tuple[float | None, str | None, str | None]  # value, detail, error


def score(
    prompt_id: pl.Series,
    response: pl.Series,
    messages: pl.Series,
    ground_truth: pl.Series,
    completion: pl.Series,
    tools: pl.Series,
    reasoning_content: pl.Series,
    *,
    model: str | list[str],
    against: Literal["others", "reference"] = "others",
    rounds: int | None = None,
    rubric: str = "quality",
    reasoning: bool = False,
    explain: bool = True,
    weighted: bool = False,
    temperature: float = 0.0,
    max_tokens: int | None = None,
    seed: int = 0,
) -> Scoring:
    """Return ``value`` (0 to 1, null where nothing could be compared), ``detail``, ``error`` and a ``note`` on flips.

    Args:
        prompt_id: The prompt of each candidate.
        response: The candidates.
        messages: The prompts, as JSON text.
        ground_truth: Reference answers, or null.
        completion: The candidates' turns, as JSON text, or null.
        tools: The prompts' tools, as JSON text, or null.
        reasoning_content: The candidates' traces, or null.
        model: The judge, or several.
        against: What candidates are compared with.
        rounds: Other candidates that each is compared with; None for all.
        rubric: One of the rubrics of ``judge``, or the user's own text.
        reasoning: Whether the judge is shown reasoning traces, those of earlier turns too.
        explain: Whether the judge explains itself before the verdict.
        weighted: Whether to use the probabilities of verdicts.
        temperature: Temperature of the judge.
        max_tokens: Limit of a reply; None for 1024, or for 32 without an explanation.
        seed: Seed of the choice of comparisons.

    Raises:
        UserError: For a rubric or number that is not valid.
    """
    models, criterion = judge_models(model), _one_rubric(rubric)
    if rounds is not None and rounds < 1:
        raise UserError(f"rounds: expected 1 or more, found {rounds}")
    how = sampling(explain=explain, weighted=weighted, temperature=temperature, max_tokens=max_tokens)
    rows = _rows(prompt_id, response, completion, reasoning_content if reasoning else None)
    shown, unread = _references(prompt_id, ground_truth, tools, against)
    prompts = prompts_by_id(prompt_id, rows["text"], messages, shown, tools, seed)
    comparisons = candidate_pairs(prompts, rounds) if against == "others" else reference_pairs(prompts)
    requests = _requests(comparisons, prompts, criterion, explain, reasoning)
    records = {(name, one): Record() for name, prompt in prompts.items() for one in prompt.texts}
    verdicts_of: list[list[Verdict | None]] = [[] for _ in comparisons]
    for name in models:
        answers = judge_answers((yield ModelCalls(requests, name, sampling=how)), how, explain=explain)
        _add_verdicts(verdicts_of, name, comparisons, answers, records, last=explain)
    _count_all(comparisons, verdicts_of, records, weighted)
    return _results_by_row(prompts, records, against, rows, unread).with_columns(note=_flipped(verdicts_of))


def _rows(prompt_id: pl.Series, response: pl.Series, completion: pl.Series, traces: pl.Series | None) -> pl.DataFrame:
    """Return each row's prompt, its candidate as a judge is shown it, and why there is nothing to show."""
    shown = shown_responses(response, completion, traces)
    text = pl.Series([given.text for given in shown], dtype=pl.String).str.strip_chars()
    why = pl.Series([given.problem for given in shown], dtype=pl.String)
    return pl.DataFrame({"prompt": prompt_id, "text": text, "why": why})


def _references(
    prompt_id: pl.Series, ground_truth: pl.Series, tools: pl.Series, against: str
) -> tuple[pl.Series, dict[str, str]]:
    """Return each row's reference as a judge is shown it, and by prompt why there is none; none if not asked for."""
    if against != "reference":
        return pl.Series([None] * len(prompt_id), dtype=pl.String), {}
    rows = zip(ground_truth.cast(pl.String), tools.cast(pl.String), strict=True)
    shown = [shown_reference(truth, offered) for truth, offered in rows]
    unread = {name: one.problem for name, one in zip(prompt_id, shown, strict=True) if one.problem}
    return pl.Series([one.text for one in shown], dtype=pl.String), unread


def _requests(
    comparisons: list[Comparison], prompts: dict[str, Prompt], rubric: Rubric, explain: bool, reasoning: bool
) -> pl.Series:
    """Return two requests for each comparison, one for each order of its texts."""
    contexts = {name: Context(prompt.turns, prompt.tools, reasoning) for name, prompt in prompts.items()}
    requests = [
        ask_better(rubric, contexts[pair.prompt], *texts, explain=explain)
        for pair in comparisons
        for texts in ((pair.one, pair.other), (pair.other, pair.one))
    ]
    return pl.Series("asks", requests, dtype=pl.String)


def _one_rubric(rubric: str) -> Rubric:
    found = rubrics(rubric, None)
    if len(found) > 1:
        raise UserError(f"rubric: expected one, not {rubric}")
    return found[0]


def _results_by_row(
    prompts: dict[str, Prompt], records: Records, against: str, rows: pl.DataFrame, unread: dict[str, str]
) -> pl.DataFrame:
    """Return the value, detail and error of each row: of its prompt and text, or why it has none."""
    results = {
        (name, one): _result(prompts[name], one, record, against, unread.get(name))
        for (name, one), record in records.items()
    }
    found = [results.get((name, text), (None, None, why)) for name, text, why in rows.iter_rows()]
    return pl.DataFrame(found, {"value": pl.Float64, "detail": pl.String, "error": pl.String}, orient="row")


def _flipped(verdicts_of: list[list[Verdict | None]]) -> pl.Expr:
    """Return, as a sentence or null, how many comparisons ended in a tie because the two orders disagreed."""
    read = [verdict for verdicts in verdicts_of for verdict in verdicts if verdict]
    said = f"{sum(v.flipped for v in read):,} of {len(read):,} comparisons flipped with the order" if read else None
    return pl.lit(said, pl.String)


def _sides(pair: Comparison, records: Records) -> list[tuple[Record, int, bool]]:
    """Return the records in which a comparison counts, how many times, and whether each is the first text's."""
    sides = ((pair.one, pair.one_count, True), (pair.other, pair.other_count, False))
    return [(records[pair.prompt, text], times, first) for text, times, first in sides if times]


def _add_verdicts(
    verdicts_of: list[list[Verdict | None]],
    judge: str,
    comparisons: list[Comparison],
    answers: list[Answer],
    records: Records,
    *,
    last: bool,
) -> None:
    """Add a judge's verdict on each comparison; where there is none, its replies are kept in the texts' records."""
    for number, pair in enumerate(comparisons):
        verdict, unread = _verdict(judge, answers[2 * number], answers[2 * number + 1], last=last)
        verdicts_of[number].append(verdict)
        for record, *_ in _sides(pair, records):
            record.replies += unread


def _verdict(judge: str, *both: Answer, last: bool) -> tuple[Verdict | None, list]:
    """Return a judge's verdict from its replies in the orders AB and BA; or None and the unreadable replies."""
    won, likely, unread = [], [], []
    for order, (reply, top, error) in zip(("AB", "BA"), both, strict=True):
        found = None if error or reply is None else read_verdict(reply, last=last)
        if reply is None or found is None or found.value is None:
            why = error or ("no reply" if found is None else found.problem)
            unread.append({"judge": judge, "order": order, "error": why, "reply": reply})
            continue
        is_letter = found.text in ("A", "B", "C")  # not "A>B" or "tie": the probabilities are of letters
        shares = letter_shares(top, reply, found.start) if is_letter and found.start >= 0 else {}
        first = (shares.get("A", 0) + shares.get("C", 0) / 2) / sum(shares.values()) if shares else found.value
        won.append(found.value if order == "AB" else 1 - found.value)
        likely.append(first if order == "AB" else 1 - first)
    if unread:
        return None, unread
    return Verdict(won[0] if won[0] == won[1] else 0.5, fmean(likely), won[0] != won[1]), []


def _count_all(
    comparisons: list[Comparison], verdicts_of: list[list[Verdict | None]], records: Records, weighted: bool
) -> None:
    """Count all comparisons in the records of their texts."""
    for pair, verdicts in zip(comparisons, verdicts_of, strict=True):
        _count(pair, verdicts, records, weighted)


def _count(pair: Comparison, verdicts: list[Verdict | None], records: Records, weighted: bool) -> None:
    """Count a comparison in the records of its texts. The majority of the judges that gave a verdict decides."""
    given = [verdict for verdict in verdicts if verdict]
    balance = sum(verdict.first - 0.5 for verdict in given)
    won = 0.5 if balance == 0 else float(balance > 0)
    points = fmean(verdict.likely for verdict in given) if weighted and given else won
    for record, times, first in _sides(pair, records):
        record.flips += times * sum(verdict.flipped for verdict in given)
        if 2 * len(given) > len(verdicts):
            record.add(won if first else 1 - won, points if first else 1 - points, times)
        else:
            record.unparsed += times


def _result(prompt: Prompt, text: str, record: Record, against: str, unread: str | None) -> Result:
    """Return a candidate's value, detail and error; ``unread`` is why there is no reference."""
    if not prompt.turns:
        return None, None, "no prompt"
    if against == "reference" and not prompt.reference:
        return None, None, unread or "no ground_truth"
    same = prompt.texts[text] - 1 if against == "others" else int(text == prompt.reference)
    record.add(0.5, 0.5, same)
    compared = record.wins + record.ties + record.losses
    if compared + record.unparsed == 0:
        return None, None, "one candidate only"
    counts = {name: getattr(record, name) for name in ("wins", "ties", "losses", "flips", "unparsed")}
    detail = json.dumps(counts | ({"replies": record.replies} if record.replies else {}), ensure_ascii=False)
    if not compared:
        return None, detail, f"nothing could be compared: {record.replies[0]['error']}"
    return record.points / compared, detail, None
