"""Scorers as the reward functions of TRL's trainers for online RL."""

from collections.abc import Callable
from typing import Any

from curate.pipeline.scorer import Answer
from train.answer_scorers import AnswerScorer
from train.job import TrainingJob
from train.online.rollouts import Rollouts
from train.online.sampled_answers import SampledAnswers


def reward_functions(
    job: TrainingJob, rollouts: Rollouts, max_tokens: int, opening: str
) -> list[Callable[..., list[float | None]]]:
    """Return a job's scorers as reward functions; ``SampledAnswers`` says what the other arguments are."""
    answers = SampledAnswers(rollouts, max_tokens, opening)
    return [reward_function(name, scorer, answers, job.answer) for name, scorer in job.rewards.items()]


def reward_function(
    name: str, scorer: AnswerScorer, answers: SampledAnswers, answer: Answer
) -> Callable[..., list[float | None]]:
    """Make a scorer a reward function, as TRL calls it.

    An exception would end the training, so a scorer that raises gives None for the batch, which TRL leaves out.

    Args:
        name: The reward's name.
        scorer: The scorer.
        answers: Makes the table of each batch; its ``rollouts`` record it.
        answer: Makes the scorer's model calls.
    """

    def reward(
        completions: list, completion_ids: list[list[int]], row_index: list[int], trainer_state: Any, **others: Any
    ) -> list[float | None]:
        sampled, read = answers.tables(completions, completion_ids, row_index)
        scored = scorer.values(read, answer)
        answers.rollouts.add(trainer_state.global_step + 1, sampled, name, scored)
        return scored["value"].to_list()

    reward.__name__ = name  # TRL merges the metrics of two rewards of one name; the recipe's names are unique
    return reward
