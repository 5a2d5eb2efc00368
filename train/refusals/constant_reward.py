"""Finds rewards that say the same of every answer, so that online RL would learn nothing of them.

No model is asked. What is known of a reward are the scores of the candidates that a run has made for the training's
prompts, and what it gives to answers that are made here (``made_answers``): a reward that has one value for all of both
is constant, if the candidates show how the training's model answers (``own_candidates``). Made answers alone say so of
a verifier, whose references should pass and the others not; of another reward, such as a format, they leave open
whether a model's answer would reach another value.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from schemas.counted import counted
from schemas.errors import OneLine
from schemas.recipe import Recipe
from train.answer_scorers import AnswerScorer
from train.options.reward_weights import reward_weights
from train.references import reference_values
from train.refusals.made_answers import asks_models, probe, verifier_of
from train.refusals.out_of_time import out_of_time
from train.refusals.own_candidates import why_open
from train.refusals.refusal import Refusal
from train.row_mentions import first_rows

NAME = "constant_reward"
ERRORS = 2  # of a scorer's errors, how many are named


@dataclass
class Probed:
    """The values that a reward gives to answers.

    Attributes:
        prompts: The prompts whose candidates have scores.
        candidates: The values of the candidates: the least and the most of each prompt.
        open: Why the candidates do not show that the reward is constant, or empty.
        made: The values of the answers that were made.
        references: How many of these are references.
        nulls: How many have no value.
        errors: Why, with their number.
        late: How many programs ran out of time; they say nothing.
        first: The first rows.
        problem: Why nothing was probed, or empty.
    """

    prompts: int = 0
    candidates: set[float] = field(default_factory=set)
    open: str = ""
    made: Counter[float] = field(default_factory=Counter)
    references: int = 0
    nulls: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    late: int = 0
    first: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def values(self) -> set[float]:
        """All values that were seen."""
        return self.candidates | {*self.made}


def counted_rewards(recipe: Recipe, name: str, rewards: Mapping[str, AnswerScorer]) -> dict[str, AnswerScorer]:
    """Return the rewards of a training whose weight is not 0; one of weight 0 is only recorded.

    Raises:
        UserError: The weights are not one for each reward, or are all 0.
    """
    given, where = recipe.train[name].settings.get("reward_weights"), f"{recipe.where('train', name)}: train.{name}"
    weights = reward_weights([*rewards], given, where)
    return {one: scorer for one, scorer in rewards.items() if weights[one]}


def constant_rewards(
    recipe: Recipe, name: str, rows: pl.DataFrame, rewards: Mapping[str, AnswerScorer]
) -> Iterator[Refusal | str]:
    """Yield a refusal, or a warning, for each reward of a training that may be constant.

    Args:
        recipe: The recipe.
        name: The training's name.
        rows: Its rows, of type 'prompt'.
        rewards: Its rewards, by name.
    """
    scored = {step.name for step in recipe.completions if step.verb == "score"}
    for one, scorer in counted_rewards(recipe, name, rewards).items():
        found = Probed()
        if one in scored:
            _take_candidates(found, rows, one)
            found.open = why_open(recipe, name, one, found.prompts)
        if not asks_models(scorer):
            _take_made(found, rows, scorer, recipe.seed)
        said = verdict(one, found, is_verifier=verifier_of(scorer) is not None)
        if said is not None:
            yield said


def verdict(reward: str, found: Probed, *, is_verifier: bool) -> Refusal | str | None:
    """Return the refusal or the warning that follows from what a reward says; None where nothing is wrong.

    Args:
        reward: The reward's name.
        found: What it says.
        is_verifier: Whether it is a verifier, whose references should pass.
    """
    if found.problem:
        return f"the reward {reward!r} was not probed: {found.problem}"
    if len(found.values) > 1:
        lowest = min(found.values)
        if found.candidates == {lowest}:
            return (
                f"the reward {reward!r} gave {lowest:g} to every candidate that a run has made for {found.prompts:,} "
                f"of these prompts: a model that answers alike learns nothing from it"
            )
        return None
    return _of_one_value(reward, found, is_verifier=is_verifier) if found.values else _without_values(reward, found)


def _without_values(reward: str, found: Probed) -> Refusal | str | None:
    """Return what follows where a reward has no value for any answer."""
    if not found.nulls:
        return (
            f"the reward {reward!r} was not probed: {counted(found.late, 'program')} ran out of time"
            if found.late
            else None
        )
    reasons = ", ".join(f"{error} ({count:,})" for error, count in found.errors.most_common(ERRORS))
    text = f"the reward {reward!r} has no value for any of {found.nulls:,} probed answers ({_rows(found)}): {reasons}"
    return Refusal(NAME, text, f"give the prompts what {reward!r} reads, or take another reward")


def _of_one_value(reward: str, found: Probed, *, is_verifier: bool) -> Refusal | str | None:
    """Return what follows where a reward has one value for all answers."""
    made, value = found.made.total() + found.nulls, next(iter(found.values))
    seen = [f"all candidates of {counted(found.prompts, 'prompt')}"] if found.candidates else []
    references = f", {found.references:,} of them references" if found.references else ""
    if is_verifier and not found.references:
        references = ", and no reference to run"
    seen += [f"{counted(made, 'answer')} made for the probe{references}"] if made else []
    text = f"the reward {reward!r} is {value:g} for every answer probed ({' and '.join(seen)}; {_rows(found)})"
    if found.late and not found.candidates:
        return (
            f"{text}; {found.late:,} more ran out of time, so that it is not known whether a right answer is rewarded"
        )
    wrong = is_verifier and not found.references and value == 0  # wrong answers alone say nothing of a verifier
    if (found.candidates and not found.open and not wrong) or (is_verifier and found.references):
        nulls = f"; {found.nulls:,} have no value" if found.nulls else ""
        truths = " and at the ground truths" if is_verifier else ""
        remedy = f"nothing would be learnt from it: look at the settings of {reward!r}{truths}"
        return Refusal(NAME, text + nulls, remedy)
    if wrong and found.candidates:
        return f"{text}: a model that answers alike learns nothing from it"
    if is_verifier and not found.candidates:
        return None
    why = f" ({found.open})" if found.candidates else ""
    return f"{text}: whether a model's answer can reach another value is not known{why}; if none can, nothing is learnt"


def _rows(found: Probed) -> str:
    return first_rows(found.first, len(found.first))


def _take_candidates(found: Probed, rows: pl.DataFrame, reward: str) -> None:
    """Take the least and the most score of each prompt's candidates, which its row has."""
    if "scores" not in rows.columns:
        return
    for row_id, text in rows.select("row_id", "scores").drop_nulls().iter_rows():
        scores = json.loads(text)
        ends = [scores.get(f"{reward}_{end}") for end in ("min", "max")]
        values = {float(one) for one in ends if isinstance(one, int | float)}
        if values:
            found.prompts += 1
            found.candidates |= values
            found.first += [row_id] if len(found.first) <= ERRORS else []


def _take_made(found: Probed, rows: pl.DataFrame, scorer: AnswerScorer, seed: int) -> None:
    """Score answers made for a few prompts."""
    try:
        answers = probe(rows, scorer, seed)
        scored = reference_values(scorer, answers, seed)
    except OneLine as error:  # such as a sandbox that cannot be started
        found.problem = str(error)
        return
    found.first = found.first or answers["row_id"].unique(maintain_order=True).head(ERRORS + 1).to_list()
    found.references = answers.filter(pl.col("kind") == "reference").height
    for value, error, detail in scored.select("value", "error", "detail").iter_rows():
        if out_of_time(error, detail):  # on an idle machine it might pass
            found.late += 1
        elif value is None:
            found.nulls += 1
            found.errors[str(error)] += 1
        else:
            found.made[value] += 1
