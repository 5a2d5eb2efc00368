from pathlib import Path

import polars as pl
import pytest

from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from tests.train.tables import recipe_with, rl_rows, sft_rows, write_stage
from train.evaluating.evaluation import evaluate_recipe, plan_evaluation

MODELS = {"student": ModelRef("student", "x@1", "/nowhere"), "s": ModelRef("s", "x@1>s", "/nowhere")}
SECTIONS = (
    "train:\n  s: {trainer: sft, dataset: sft, model: student}\n"
    "evaluate: {models: [student, s], dataset: rl, by: [own.mine.chars, own.mine.odd], n: 2, retention: false}\n"
)


class Answers(Gateway):
    """Answers every prompt, with one more letter for each further model; the last request fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, ref, messages, *, n, sampling, seed, label, tools=None):
        self.asked.append(ref.name)
        rows = [(row, k, "ab"[: k + 1] + "+" * len(self.asked)) for row in range(len(messages)) for k in range(n)]
        table = pl.DataFrame(rows, schema=["row", "sample_index", "response"], orient="row")
        last = (pl.col("row") == len(messages) - 1) & (pl.col("sample_index") == n - 1)
        return table.with_columns(
            reasoning_content=pl.lit(None, pl.String),
            finish_reason=pl.lit("stop"),
            prompt_tokens=pl.lit(3),
            completion_tokens=pl.lit(4),
            response=pl.when(last).then(None).otherwise("response"),
            error=pl.when(last).then(pl.lit("the model is gone")),
        )


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(
        "import polars as pl\n"
        "def chars(response):\n    return response.fill_null('').str.len_chars().cast(pl.Float64)\n"
        "def odd(ground_truth):\n    return ground_truth.cast(pl.Int64) % 2\n"
    )
    monkeypatch.chdir(tmp_path)


def test_models_answer_held_out_prompts_and_all_scorers_score(tmp_path: Path, store: Store, own: None):
    recipe, answers = recipe_with(tmp_path, SECTIONS), Answers()
    rows = rl_rows(6, held_out=3)
    rows = pl.concat([rows, rows.tail(1).with_columns(row_id=pl.lit("again"))])  # one prompt twice is asked once
    datasets = {"rl": write_stage(store, "rl_prompts", rows)}
    stage = evaluate_recipe(recipe, store, datasets, MODELS, Progress(), gateway=answers)
    found = stage.read("evaluations")
    assert found.height == 2 * 2 * 3 * 2  # models, scorers, prompts, samples
    assert found["row_id"].unique().sort().to_list() == ["r_3", "r_4", "r_5"]
    assert found.filter(pl.col("model") == "s")["training_id"].unique().to_list() == ["s"]
    assert found.filter(pl.col("model") == "student")["training_id"].null_count() == 12
    assert found.group_by("model").agg(pl.col("evaluation_id").n_unique())["evaluation_id"].to_list() == [1, 1]
    assert found["evaluation_id"].n_unique() == 2
    failed = found.filter(row_id="r_5", sample_index=1)
    assert failed["value"].null_count() == 4 and failed["error"].unique().to_list() == ["the model is gone"]
    assert found.filter(scorer="own.mine.odd", row_id="r_3")["value"].to_list() == [1.0] * 4
    first = found.filter(model="student", scorer="own.mine.chars", row_id="r_3").select("prompt", "response", "value")
    assert first.rows() == [("answer dog 3", "a+", 2.0), ("answer dog 3", "ab+", 3.0)]

    again = evaluate_recipe(recipe, store, datasets, MODELS, Progress(), gateway=answers)
    assert again.stage_id == stage.stage_id and answers.asked == ["student", "s"]


def test_a_set_score_sees_all_models_and_a_prompt_score_one(tmp_path, store, own):
    steps = (
        "completions:\n  - score: {use: own.mine.chars, as: chars}\n"
        "  - score: {use: combine, as: level, sql: chars, zscore: true}\n"
        "  - score: {use: pass_rate, by: chars, at: 4, as: long}\n"
    )
    recipe = recipe_with(tmp_path, steps + SECTIONS.replace("own.mine.chars, own.mine.odd", "level, long"))
    datasets = {"rl": write_stage(store, "rl_prompts", rl_rows(5, held_out=3))}
    found = evaluate_recipe(recipe, store, datasets, MODELS, Progress(), gateway=Answers()).read("evaluations")
    means = found.group_by("scorer", "model").agg(pl.col("value").mean())
    level, long = (dict(means.filter(scorer=name).select("model", "value").rows()) for name in ("level", "long"))
    assert found.filter(scorer="level")["value"].mean() == pytest.approx(0, abs=1e-9)
    assert level["student"] < -0.3 < 0.3 < level["s"]
    assert long["student"] == 0.0 and long["s"] > 0.3, "the answers of another model are not of its group"


def test_an_sft_dataset_takes_scorers_columns_from_prompts(tmp_path: Path, store: Store, own: None):
    recipe = recipe_with(tmp_path, SECTIONS.replace("dataset: rl", "dataset: sft"))
    datasets = {"sft": write_stage(store, "sft", sft_rows(3, held_out=1))}
    prompts = pl.DataFrame({"prompt_id": ["p_2"], "ground_truth": ["5"], "metadata": [None], "tools": [None]})
    stage = evaluate_recipe(recipe, store, datasets, MODELS, Progress(), prompts=prompts, gateway=Answers())
    assert stage.read("evaluations").filter(scorer="own.mine.odd", sample_index=0)["value"].to_list() == [1.0, 1.0]


def test_a_scorer_that_would_see_only_nulls_is_refused(tmp_path: Path, store: Store, own: None):
    recipe = recipe_with(tmp_path, SECTIONS.replace("dataset: rl", "dataset: sft"))
    datasets = {"sft": write_stage(store, "sft", sft_rows(3, held_out=1))}
    with pytest.raises(UserError, match="'own.mine.odd' reads ground_truth, which rows of type 'sft' do not carry"):
        plan_evaluation(recipe, store, datasets, MODELS)


@pytest.mark.parametrize(
    ("models", "held_out", "message"),
    [
        ({"student": MODELS["student"]}, 1, "the model 's' is not trained yet"),
        (MODELS, 0, "'split' (test) took none of them; give it a larger part"),
    ],
)
def test_a_missing_model_or_split_is_reported(tmp_path: Path, store: Store, own: None, models, held_out, message):
    datasets = {"rl": write_stage(store, "rl_prompts", rl_rows(4, held_out=held_out))}
    with pytest.raises(UserError) as error:
        plan_evaluation(recipe_with(tmp_path, SECTIONS), store, datasets, models)
    assert message in str(error.value)


def test_a_split_that_a_limit_leaves_empty_names_the_limit(tmp_path: Path, store: Store, own: None):
    datasets = {"rl": write_stage(store, "rl_prompts", rl_rows(4, held_out=0))}
    recipe = recipe_with(tmp_path, SECTIONS).model_copy(update={"limit": 4})
    with pytest.raises(UserError, match=r"or more than the first 4 rows of each source \(--limit\)"):
        plan_evaluation(recipe, store, datasets, MODELS)
