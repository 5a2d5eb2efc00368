"""The table of sampled answers, and the counts of those that taught nothing."""

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from curate.pipeline.scorer import no_model_calls
from schemas.errors import UserError
from tests.optional import needs
from tests.train.tables import rl_rows
from tests.train.test_rewards import call, scorer_of
from train.online.rewards import reward_function
from train.online.rollout_summary import rollout_counts, say_rollouts, wholly_cut
from train.online.rollouts import RecordedRollouts, Rollouts
from train.online.sampled_answers import SampledAnswers
from train.options.reward_weights import reward_weights

LENGTH = scorer_of(lambda response: response.str.len_chars(), "response")


def test_an_answer_has_its_prompt_advantage_and_phase():
    rollouts = Rollouts(rl_rows(3))
    reward = reward_function("r", LENGTH, SampledAnswers(rollouts, 9), no_model_calls)
    for at, phase, rows, advantages in (
        (0, "train", [1, 1], [0.5, -0.5]),
        (0, "train", [1, 1], [0.25, -0.25]),  # the same prompt, sampled again at the same step
        (1, "eval", [2, 2], [1.0, -1.0]),  # after step 1
        (1, "train", [0, 0], [2.0, -2.0]),
    ):
        call(reward, ["a", "bc"], rows, at)
        rollouts.end_batch(phase, advantages)
    found = rollouts.recorded()
    assert found.select("step", "phase", "prompt_id", "sample_index", "tokens", "advantage").rows() == [
        (1, "train", "p_1", 0, 1, 0.5),
        (1, "train", "p_1", 1, 2, -0.5),
        (1, "train", "p_1", 2, 1, 0.25),
        (1, "train", "p_1", 3, 2, -0.25),
        (1, "eval", "p_2", 0, 1, 1.0),
        (1, "eval", "p_2", 1, 2, -1.0),
        (2, "train", "p_0", 0, 1, 2.0),
        (2, "train", "p_0", 1, 2, -2.0),
    ]
    again = Rollouts(rl_rows(3))
    again.restore(found)
    assert again.recorded().equals(found)


def test_an_answer_that_ends_with_its_last_token_is_not_cut():
    rollouts = Rollouts(rl_rows(1))
    reward = reward_function("r", LENGTH, SampledAnswers(rollouts, 2), no_model_calls)
    rollouts.ends = frozenset([7])
    ids = [[1, 7], [1, 1], [1], [7]]
    said = [[{"role": "assistant", "content": "x"}]] * 4
    reward(completions=said, completion_ids=ids, row_index=[0] * 4, trainer_state=SimpleNamespace(global_step=0))
    assert rollouts.recorded()["finish_reason"].to_list() == ["stop", "length", "stop", "stop"]


@needs("torch")
@pytest.mark.slow
@pytest.mark.parametrize("a_token", [False, True])
def test_advantages_are_read_as_the_trainer_uses_them(a_token: bool):
    import torch

    class Base:
        def _generate_and_score_completions(self, inputs: list) -> dict:
            whole = {"advantages": torch.tensor([1.0, -1.0])}
            of_tokens = torch.tensor([[1.0, 3.0, 9.0], [-1.0, 9.0, 9.0]])
            mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
            return {"advantages": of_tokens, "completion_mask": mask} if a_token else whole

    class Recorded(RecordedRollouts, Base):
        model = SimpleNamespace(training=False)

    trainer: Any = Recorded()
    trainer.rollouts = Rollouts(rl_rows(1))
    call(reward_function("r", LENGTH, SampledAnswers(trainer.rollouts, 9), no_model_calls), ["a", "bc"], [0, 0], 4)
    trainer._generate_and_score_completions([])
    found = trainer.rollouts.recorded().select("step", "phase", "advantage").rows()
    assert found == [(4, "eval", 2.0 if a_token else 1.0), (4, "eval", -1.0)]


@needs("torch")
@pytest.mark.slow
def test_sampled_answers_are_restored_in_a_process_of_several(tmp_path):
    import torch

    class Base:
        def _save_checkpoint(self, *args: Any) -> None:
            (tmp_path / "checkpoint-1").mkdir()

        def _load_optimizer_and_scheduler(self, checkpoint: str) -> None: ...

    class Recorded(RecordedRollouts, Base):
        args: Any = SimpleNamespace(output_dir=tmp_path, steps_per_generation=2, device=torch.device("cpu", 1))
        state = SimpleNamespace(global_step=1)
        num_iterations = 1

    saved, loaded = Recorded(), Recorded()
    saved._step, saved._buffered_inputs = 3, [{"ids": torch.tensor([[1, 2]])}]
    saved._save_checkpoint()
    loaded._load_optimizer_and_scheduler(str(tmp_path / "checkpoint-1"))
    assert loaded._step == 3 and loaded._buffered_inputs
    assert loaded._buffered_inputs[0]["ids"].tolist() == [[1, 2]]


def test_a_reward_without_any_value_is_said_at_once():
    said: list[str] = []
    rollouts = Rollouts(rl_rows(1), said.append)

    def broken(response):
        raise RuntimeError("no such thing")

    for name, scorer in (("r", LENGTH), ("broken", scorer_of(broken, "response"))):
        call(reward_function(name, scorer, SampledAnswers(rollouts, 9), no_model_calls), ["a", "b"], [0, 0])
    rollouts.end_batch("train", [1.0, -1.0])
    (line,) = said
    assert line.startswith("the reward broken has no value for any of the first 2 answers") and "no such thing" in line


def rollouts_of(*answers: tuple[int, str, int, dict[str, float | None]]) -> pl.DataFrame:
    """Answers to train on, as (step, row id, sample index, values of its rewards)."""
    rows = [
        {"step": step, "row_id": row, "sample_index": index, "reward": reward, "value": value, "phase": "train"}
        | {
            "error": None if value is not None else f"no tests in\n'{row}'",
            "finish_reason": "stop" if index else "length",
        }
        for step, row, index, values in answers
        for reward, value in values.items()
    ]
    return pl.DataFrame(rows, schema_overrides={"value": pl.Float64, "error": pl.String})


MIXED = rollouts_of(
    (1, "a", 0, {"math": 1.0, "code": None}),
    (1, "a", 1, {"math": 0.0, "code": None}),
    (1, "b", 0, {"math": 1.0, "code": 0.0}),  # the weighted sums are equal, the rewards are not
    (1, "b", 1, {"math": 0.0, "code": 2.0}),
    (2, "b", 0, {"math": 1.0, "code": 1.0}),
    (2, "b", 1, {"math": 1.0, "code": 1.0}),
    (2, "c", 0, {"math": None, "code": None}),
    (2, "c", 1, {"math": None, "code": 1.0}),  # one of them cannot be compared
)
WEIGHTS = {"math": 1.0, "code": 0.5}


def test_what_taught_nothing_is_counted():
    counts = rollout_counts(MIXED, WEIGHTS, 2, summed=True)
    assert counts == {
        "answers": 8,
        "unrewarded": 1,
        "cut_answers": 4,
        "groups": 4,
        "flat_groups": 3,
        "samplings": 2,
        "flat_samplings": 1,
        "prompts": 3,
        "flat_prompts": 2,
    }
    apart = rollout_counts(MIXED, WEIGHTS, 2, summed=False)
    assert (apart["flat_groups"], apart["flat_prompts"]) == (2, 1)
    assert set(rollout_counts(MIXED.clear(), WEIGHTS, 2, summed=True).values()) == {0}
    held_out = MIXED.with_columns(phase=pl.lit("eval"))
    assert rollout_counts(pl.concat([MIXED, held_out]), WEIGHTS, 2, summed=True) == counts


@pytest.mark.parametrize("groups", [True, False])
def test_what_taught_nothing_is_said_with_what_to_set(groups: bool):
    said: list[str] = []
    job: Any = SimpleNamespace(name="g", progress=SimpleNamespace(say=said.append))
    counts = rollout_counts(MIXED, WEIGHTS, 2, summed=True)
    say_rollouts(job, MIXED, counts, SimpleNamespace(max_completion_length=64), groups=groups)
    maths, code, none, *flat, cut = said
    assert maths == "train g: the reward math has no value for 2 of 8 answers: 2 x no tests in '...'"
    assert code == "train g: the reward code has no value for 3 of 8 answers: 3 x no tests in '...'"
    assert none == "train g: 1 of 8 answers have no reward at all, so nothing is learnt from them"
    assert cut.startswith("train g: 4 of 8 answers were cut off at max_completion_length (64 tokens): raise it")
    assert len(flat) == groups
    if flat:
        assert flat[0].startswith("train g: 3 of 4 groups taught nothing, since all answers to the prompt had the same")
        assert "(1 of 2 samplings wholly; 2 of 3 prompts each time): raise num_generations or temperature" in flat[0]


@pytest.mark.parametrize("every", [True, False])
def test_cut_answers_that_are_masked_are_not_to_be_masked_again(every: bool):
    said: list[str] = []
    progress = SimpleNamespace(say=said.append, warn=lambda one: said.append(f"warning: {one.stage}: {one.text}"))
    job: Any = SimpleNamespace(name="g", progress=progress)
    rows = MIXED.filter(pl.col("finish_reason") == "length") if every else MIXED
    config = SimpleNamespace(max_completion_length=64, mask_truncated_completions=True)
    say_rollouts(job, rows, rollout_counts(rows, WEIGHTS, 2, summed=True), config, groups=True)
    told = "warning: train.g: nothing was learnt: 4 of 4" if every else "train g: 4 of 8"
    what = "answers were cut off and taught nothing (mask_truncated_completions): raise max_completion_length"
    assert said[-1] == f"{told} {what} (64 tokens)"
    assert wholly_cut(rows).to_list() == (["a", "b", "c"] if every else [])
    assert wholly_cut(rows.with_columns(phase=pl.lit("eval"))).to_list() == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0], "expected a list of 2 numbers, one for each of math, code; found 1: [1.0]"),
        ([1, 2, 3], "found 3: [1, 2, 3]"),
        ({"math": 1.0, "code": 0.5}, "found {'math': 1.0, 'code': 0.5}"),
        (1.0, "found 1.0"),
        ([1.0, "0.5"], "found [1.0, '0.5']"),
        ([1.0, True], "found [1.0, True]"),
        ([1.0, float("nan")], "found [1.0, nan]"),
        ([0, 0.0], "all are 0, so nothing would be learnt"),
    ],
)
def test_weights_are_a_number_for_each_reward(given: Any, message: str):
    with pytest.raises(UserError) as error:
        reward_weights(["math", "code"], given, "r.yaml:9")
    assert str(error.value).startswith("r.yaml:9: reward_weights: ") and message in str(error.value)
    assert reward_weights(["math", "code"], None, "r.yaml:9") == {"math": 1.0, "code": 1.0}
    assert reward_weights(["math", "code"], [2, -0.5], "r.yaml:9") == {"math": 2.0, "code": -0.5}
