import json
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from curate.pipeline.scorer import Scorer, no_model_calls
from curate.steps.code_hash import Definition
from curate.steps.find_step import Step
from schemas.errors import UserError
from tests.train.tables import recipe_with, rl_rows
from train.answer_scorers import AnswerScorer, answer_scorers
from train.online.rewards import reward_function
from train.online.rollouts import Rollouts
from train.online.sampled_answers import SampledAnswers


def scorer_of(function, *reads: str) -> AnswerScorer:
    """Return a user's own scorer, as an evaluation or a training has it."""
    code = Definition(Path(__file__), "scorer_of")
    step = Step("score", "mine", "score", function, reads, {}, (), "", code)
    return AnswerScorer((Scorer("mine", step, {}, {name: (name,) for name in reads}, "x"),))


def reward_of(scorer: AnswerScorer, rollouts: Rollouts, length: int, name: str = "r", opening: str = ""):
    """Return its reward function; the scorer makes no model calls."""
    return reward_function(name, scorer, SampledAnswers(rollouts, length, opening), no_model_calls)


def call(reward, answers: list[str], rows: list[int], at: int = 0) -> list:
    return reward(
        prompts=[],
        completions=[[{"role": "assistant", "content": a}] for a in answers],
        completion_ids=[[1] * len(a) for a in answers],
        row_index=rows,
        trainer_state=SimpleNamespace(global_step=at),
        log_extra=None,
        log_metric=None,
    )


def test_a_scorer_is_a_reward_unchanged():
    rollouts = Rollouts(rl_rows(3))
    scorer = scorer_of(
        lambda response, ground_truth: response.str.len_chars() + ground_truth.cast(pl.Int64),
        "response",
        "ground_truth",
    )
    reward = reward_of(scorer, rollouts, 100, "length")
    assert reward.__name__ == "length"
    assert call(reward, ["ab", "abc", "", "x"], [2, 2, 0, 1]) == [4.0, 5.0, 0.0, 2.0]
    found = rollouts.recorded()
    assert found.select("step", "row_id", "sample_index", "response", "reward", "value", "error").rows() == [
        (1, "r_2", 0, "ab", "length", 4.0, None),
        (1, "r_2", 1, "abc", "length", 5.0, None),
        (1, "r_0", 0, "", "length", 0.0, None),
        (1, "r_1", 0, "x", "length", 2.0, None),
    ]


def test_a_trace_that_the_prompt_opens_is_no_answer():
    rollouts = Rollouts(rl_rows(1))
    scorer = scorer_of(lambda response: response.str.len_chars(), "response")
    texts = ["It may be 42</think>41", "It may be 42", "<think>42?</think>7"]
    assert call(reward_of(scorer, rollouts, 100, opening="<think>"), texts, [0, 0, 0]) == [2.0, 0.0, 1.0]
    assert rollouts.recorded()["response"].to_list() == texts
    assert call(reward_of(scorer, rollouts, 100), ["It may be 42"], [0]) == [12.0]


def test_a_scorer_may_read_every_column_of_an_answer():
    seen = {}

    def scorer(prompt, messages, finish_reason, completion_tokens, metadata, reasoning_content):
        seen.update(prompt=prompt, finish_reason=finish_reason, completion_tokens=completion_tokens, messages=messages)
        return pl.Series([1.0] * len(prompt))

    names = ("prompt", "messages", "finish_reason", "completion_tokens", "metadata", "reasoning_content")
    call(reward_of(scorer_of(scorer, *names), Rollouts(rl_rows(2)), 3), ["ab", "abc"], [0, 1])
    assert seen["prompt"].to_list() == ["answer the 0", "answer a 1"]
    assert json.loads(seen["messages"][1]) == [{"role": "user", "content": "answer a 1"}]
    assert seen["finish_reason"].to_list() == ["stop", "length"]
    assert seen["completion_tokens"].to_list() == [2, 3]


def test_nan_is_none_and_has_an_error():
    rollouts = Rollouts(rl_rows(2))
    reward = reward_of(scorer_of(lambda response: pl.Series([float("nan"), 1.0]), "response"), rollouts, 9)
    assert call(reward, ["a", "b"], [0, 1]) == [None, 1.0]
    assert rollouts.recorded()["error"].null_count() == 1


def test_a_scorer_that_raises_gives_nulls_and_its_error():
    def broken(response):
        raise RuntimeError("no such thing")

    rollouts = Rollouts(rl_rows(2))
    assert call(reward_of(scorer_of(broken, "response"), rollouts, 9), ["a", "b"], [0, 1]) == [None, None]
    assert all("RuntimeError: no such thing" in error for error in rollouts.recorded()["error"])


def test_a_scorer_may_give_a_table():
    table = pl.DataFrame({"value": [0.5, None], "detail": ["d", None], "error": [None, "e"]})
    answers = pl.DataFrame({"response": ["a", "b"]})
    found = scorer_of(lambda response: table, "response").values(answers, no_model_calls)
    assert found.select("value", "detail", "error").rows() == [(0.5, "d", None), (None, None, "e")]


def test_a_record_from_before_a_kill_is_continued():
    first, second = Rollouts(rl_rows(2)), Rollouts(rl_rows(2))
    scorer = scorer_of(lambda response: response.str.len_chars(), "response")
    call(reward_of(scorer, first, 9), ["a", "b"], [0, 1], at=0)
    second.restore(first.recorded())
    call(reward_of(scorer, second, 9), ["c"], [0], at=1)
    found = second.recorded().select("step", "row_id", "sample_index").rows()
    assert found == [(1, "r_0", 0), (1, "r_1", 0), (2, "r_0", 0)]


def test_scorers_have_their_settings_and_known_columns_only(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(
        "def score(response, *, k: int = 1):\n    return response.str.len_chars() * k\n"
        "\ndef other(response, quality):\n    return quality\n"
    )
    monkeypatch.chdir(tmp_path)
    recipe = recipe_with(tmp_path, "completions:\n  - score: {use: own.mine, as: length, k: 4}\n")
    found = answer_scorers(recipe, ["length", "own.mine"], "r.yaml:9")
    settings = [(name, one.scorer.settings) for name, one in found.items()]
    assert settings == [("length", {"k": 4}), ("own.mine", {"k": 1})]
    with pytest.raises(UserError, match="there twice"):
        answer_scorers(recipe, ["length", "length"], "r.yaml:9")
    with pytest.raises(UserError, match="no column .* called 'quality'"):
        answer_scorers(recipe, ["own.mine.other"], "r.yaml:9")
