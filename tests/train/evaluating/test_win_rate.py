"""Win rates: a judge compares each model's answers with the first model's, and what that says, length bias included."""

import json
from typing import Any

import polars as pl
import pytest

from curate.steps.model_calls import Embed, ModelCalls
from schemas.errors import UserError
from tests.train.evaluating.made_rows import made_rows, made_stage, made_table
from tests.train.tables import recipe_with
from train.answer_scorers import AnswerScorer
from train.evaluating.comparison import compare_models
from train.evaluating.paired_values import evaluation_rows
from train.evaluating.win_rate import win_rates
from train.evaluating.win_rows import answer_judge, win_rows

SECTIONS = "evaluate: {models: [student], dataset: rl, by: [words], judge: JUDGE}\n"


def judge_of(folder, given: str = "oracle") -> AnswerScorer:
    """The judge of a recipe."""
    models = "oracle: {model: tiny, engine: openai, base_url: 'http://localhost:1/v1'}"
    judge = answer_judge(recipe_with(folder, SECTIONS.replace("JUDGE", given), models))
    assert judge
    return judge


def answers(texts: list[str | None], **columns: Any) -> pl.DataFrame:
    """A model's answers, one a prompt, as an evaluation has them."""
    count = range(len(texts))
    table = pl.DataFrame(
        {
            "row": list(count), "sample_index": 0, "response": texts, "row_id": [f"r{at}" for at in count],
            "prompt_id": [f"p{at}" for at in count], "split": "test", "prompt": "ask", "finish_reason": "stop",
            "tokens": 3, "messages": '[{"role": "user", "content": "ask"}]',
        },
        schema_overrides={"response": pl.String},
    )  # fmt: skip
    nothing = ["error", "completion", "reasoning_content", "ground_truth", "tools", "metadata"]
    table = table.with_columns(pl.lit(None, pl.String).alias(name) for name in nothing)
    table = table.with_columns(value=pl.lit(None, pl.Float64))  # of a reply: models that give a number have it
    error = pl.when(pl.col("response").is_null()).then(pl.lit("the server is gone"))
    return table.with_columns(error=error).with_columns(pl.lit(value).alias(name) for name, value in columns.items())


class Judge:
    """Says that the better text is the one that ``better`` says, or always the first one shown; counts requests."""

    def __init__(self, better=None):
        self.better, self.asked = better, 0

    def __call__(self, call: ModelCalls | Embed) -> pl.DataFrame:
        from curate.models.gateway import replies_frame
        from schemas.requests import Reply
        from tests.scripted_server import compared

        assert isinstance(call, ModelCalls)
        replies: list[Reply | None] = []
        for request in call.requests:
            a, b = compared(json.loads(request)) or ("", "")
            self.asked += 1
            verdict = "A" if self.better is None else "A" if self.better(a) > self.better(b) else "B"
            replies.append(Reply(key=str(self.asked), text=f"I say [[{verdict}]]", finish_reason="stop"))
        return replies_frame(replies)


def test_the_better_answer_wins_in_both_orders(tmp_path):
    judge = Judge(len)
    tables = {"base": answers(["a", "bbbb", "c"]), "tuned": answers(["aa", "bb", "c"])}
    found = win_rows(tables, judge_of(tmp_path), judge)
    assert found.select("model", "prompt_id", "value").rows() == [
        ("tuned", "p0", 1.0), ("tuned", "p1", 0.0), ("tuned", "p2", 0.5)
    ]  # fmt: skip
    assert judge.asked == 4  # both orders of two pairs; equal answers are a tie without a request
    assert json.loads(found["detail"][0])["wins"] == 1 and found["scorer"].unique().to_list() == ["judge/win_rate"]


def test_a_judge_that_prefers_a_place_decides_nothing(tmp_path):
    tables = {"base": answers(["a", "b"]), "tuned": answers(["aa", "bb"])}
    found = win_rows(tables, judge_of(tmp_path), Judge())
    assert found["value"].to_list() == [0.5, 0.5]
    assert [json.loads(text)["flips"] for text in found["detail"]] == [1, 1]


def test_each_model_and_sample_is_a_comparison_of_its_own(tmp_path):
    two = [answers(["a", "b"]), answers(["x", "y"]).with_columns(sample_index=pl.lit(1))]
    base = pl.concat([one.cast({"sample_index": pl.Int64}) for one in two])
    longer = base.with_columns(response=pl.col("response") + "+")
    longest = base.with_columns(response=pl.col("response") + "++")
    judge = Judge(len)
    found = win_rows({"base": base, "one": longer, "two": longest}, judge_of(tmp_path), judge)
    assert found.height == 8 and found["value"].to_list() == [1.0] * 8 and judge.asked == 16


def test_empty_answers_lose_and_failed_ones_are_not_compared(tmp_path):
    judge = Judge(len)
    tables = {
        "base": answers(["", "b", " ", None, "e"]), "tuned": answers(["a", "<think>so</think>", "", "d", None])
    }  # fmt: skip
    found = win_rows(tables, judge_of(tmp_path), judge)
    assert found["value"].to_list() == [1.0, 0.0, 0.5, None, None] and judge.asked == 0
    assert found["error"].to_list() == [
        None, None, None, "the answer of base failed: the server is gone", "the server is gone"
    ]  # fmt: skip


def test_settings_of_the_judge_are_those_of_the_scorer(tmp_path):
    judge = judge_of(tmp_path, "{model: oracle, rubric: Which is kinder?, explain: false}")
    assert judge.scorer.settings["rubric"] == "Which is kinder?" and not judge.scorer.settings["explain"]
    for given, said in (
        ("{model: oracle, rubrick: x}", "did you mean 'rubric'?"),
        ("{model: oracle, against: reference}", "'against' has no use here"),
        ("orcale", "did you mean 'oracle'?"),
        ("{rubric: x}", "evaluate.judge.model is missing"),
        ("3", "evaluate.judge"),
    ):
        with pytest.raises(UserError) as error:
            judge_of(tmp_path, given)
        assert said in str(error.value), given


def judged(store, values: list[float], lengths: tuple[str, str] = ("short", "a longer answer")) -> pl.DataFrame:
    """Rows of an evaluation with verdicts."""
    scored = made_table({"base": [0.5] * len(values)}, response=lengths[0])
    detail = json.dumps({"wins": 0, "flips": 1})
    verdicts = made_table({"tuned": values}, "judge/win_rate", response=lengths[1], detail=detail)
    return evaluation_rows(made_stage(store, pl.concat([scored, verdicts], how="diagonal_relaxed")))


def test_the_win_rate_has_an_interval_and_a_verdict(store):
    found = win_rates(judged(store, [1.0] * 30 + [0.5] * 10)).to_dicts()[0]
    assert (found["won"], found["tied"], found["lost"], found["not_compared"]) == (30, 10, 0, 0)
    assert found["win_rate"] == 0.875 and 0.5 < found["low"] < 0.875 < found["high"] <= 1
    assert found["verdict"] == "wins more often" and found["flips"] == 40
    assert (found["longer_won"], found["decided"]) == (1.0, 30) and 0.5 < found["longer_low"] <= found["longer_high"]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.0] * 20, "loses more often"),
        ([1.0, 0.0] * 10, "no difference shown"),
        ([1.0] * 9, "too few to tell"),
        ([None] * 12, "too few to tell"),
    ],
)
def test_other_verdicts(store, values, verdict):
    found = win_rates(judged(store, values)).to_dicts()[0]
    assert found["verdict"] == verdict and found["against"] == "base"
    assert found["low"] is None or 0 <= found["low"] <= found["win_rate"] <= found["high"] <= 1


def test_the_longer_answers_share_is_of_decided_comparisons(store):
    found = win_rates(judged(store, [1.0, 1.0, 0.0, 0.5], ("a very long answer", "short"))).to_dicts()[0]
    assert (found["longer_won"], found["decided"]) == (pytest.approx(1 / 3), 3)
    found = win_rates(judged(store, [1.0, 0.0], ("same", "same"))).to_dicts()[0]
    assert (found["longer_won"], found["decided"]) == (None, 0)


def test_prompts_of_one_family_are_one_of_the_interval(store):
    """Twenty verdicts on the prompts of one family say no more than one."""
    rows = judged(store, [1.0] * 20)
    assert win_rates(rows)["verdict"][0] == "wins more often"
    assert win_rates(rows.with_columns(cluster=pl.lit("one")))["verdict"][0] == "too few to tell"


def test_verdicts_are_no_scores(store):
    stage = made_stage(store, pl.concat([made_table({"base": [1], "tuned": [1]}),
                                         made_table({"tuned": [0.5]}, "judge/win_rate")]))  # fmt: skip
    assert compare_models(stage)["scorer"].unique().to_list() == ["right"]
    assert win_rates(made_rows(store, {"base": [1, 0], "tuned": [1, 1]})).is_empty()
