"""Rows with what a chat template prints nothing of: refused, left out, or trained on, as the recipe says."""

import json
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import UserError
from tests.optional import needs
from tests.train.examples.conversations import TOOLS, call, pair, row, turn
from tests.train.examples.templates import SMOLLM2, template
from tests.train.tables import preference_rows, recipe_with, rl_rows, sft_rows, write_stage

pytest.importorskip("jinja2")
from curate.models.chat.chat_template import ChatTemplate  # noqa: E402
from train.rows.unshown import check_shown  # noqa: E402

ASKED, ANSWER = turn("user", "one?"), turn("assistant", "ONE")
TRACED = {**ANSWER, "reasoning_content": "because"}
CALLED = turn("assistant", "", tool_calls=[call("callone01", "look", at="sky")])
BOTH = turn("assistant", "", tool_calls=[call("callone01", "look", at="sky"), call("calltwo02", "look", at="sea")])
RESULT = turn("tool", "blue", tool_call_id="callone01")


def fates(name: str, rows: pl.DataFrame, choice: str = "leave_out", dataset_type: str = "sft") -> dict[str, str]:
    """The rows that are left out, with the reason."""
    return dict(check_shown(rows, dataset_type, template(name), choice, "recipe.yaml: train.s", "student").rows())


@pytest.mark.parametrize(
    ("name", "messages", "tools", "lost"),
    [
        ("smollm2", [ASKED, ANSWER], None, ""),
        ("smollm2", [ASKED, ANSWER], TOOLS, "tools"),
        ("smollm2", [ASKED, CALLED], None, "tool calls"),
        ("smollm2", [ASKED, CALLED, RESULT, ANSWER], TOOLS, "tools and no tool calls"),
        ("gemma", [ASKED, CALLED, RESULT, ANSWER], TOOLS, "tools and no tool calls and no tool results"),
        ("smollm2", [ASKED, {**CALLED, "weight": 0}, RESULT, ANSWER], None, "tool calls"),
        ("smollm2", [ASKED, TRACED], None, "reasoning"),
        ("smollm2", [ASKED, TRACED, ASKED, ANSWER], None, "reasoning"),
        ("smollm2", [ASKED, {**TRACED, "weight": 0}, ASKED, ANSWER], None, ""),
        ("qwen2.5", [ASKED, CALLED, RESULT, ANSWER], TOOLS, ""),
        ("qwen2.5", [ASKED, {**CALLED, "reasoning_content": "to know"}], TOOLS, "reasoning"),
        ("qwen3", [ASKED, TRACED, ASKED, {**CALLED, "reasoning_content": "to know"}], TOOLS, ""),
        ("llama3.1", [ASKED, CALLED, RESULT, ANSWER], TOOLS, ""),
        ("llama3.1", [ASKED, BOTH], TOOLS, "parallel tool calls"),
        ("llama3.1", [ASKED, {**CALLED, "content": "Let me look."}], TOOLS, "text beside tool calls"),
        ("mistral", [ASKED, BOTH], TOOLS, ""),
    ],
)
def test_what_a_template_does_not_print_of_a_row_is_named(name: str, messages: list, tools: list | None, lost: str):
    expected = {"r_0": f"the model's chat template prints no {lost}"} if lost else {}
    assert fates(name, row(messages, tools=tools)) == expected
    assert fates(name, row(messages, tools=tools), "ignore") == {}


def test_the_refusal_names_what_is_missing_and_the_remedies():
    rows = pl.concat([row([ASKED, ANSWER]), row([ASKED, CALLED]).with_columns(row_id=pl.lit("r_1"))])
    with pytest.raises(UserError) as error:
        fates("smollm2", rows, "refuse")
    message = str(error.value)
    assert message.startswith(
        "recipe.yaml: train.s: the chat template of 'student' prints no tool calls, which 1 of 2 "
    )
    for part in ("(row r_1: tool calls)", "chat_template: in models.student", "unshown: leave_out", "unshown: ignore"):
        assert part in message
    assert "in_text" not in message and "\n" not in message
    with pytest.raises(UserError, match="unshown: in_text"):
        fates("smollm2", row([ASKED, TRACED]), "refuse")
    assert fates("smollm2", row([ASKED, ANSWER]), "refuse") == {}


def test_traces_in_the_text_leave_other_things_refused():
    assert fates("smollm2", row([ASKED, TRACED]), "in_text") == {}
    with pytest.raises(UserError, match="prints no tool calls, which"):
        fates("smollm2", row([ASKED, {**CALLED, "reasoning_content": "to know"}]), "in_text")


@pytest.mark.parametrize("choice", ["refuse", "leave_out", "ignore", "in_text"])
def test_a_template_that_prints_no_conversation_is_refused(choice: str):
    for source, said in (("{{ raise_exception('no chat') }}", "no chat"), ("{{ bos_token }}", "neither as text")):
        with pytest.raises(UserError, match=f"'student' can't print a question and its answer.*{said}"):
            check_shown(row([ASKED, ANSWER]), "sft", ChatTemplate(source), choice, "train.s", "student")


def test_pairs_and_prompts_are_looked_at_too():
    rows = pair([ASKED], [CALLED], [ANSWER], TOOLS)
    assert fates("smollm2", rows, dataset_type="preference") == {
        "r_0": "the model's chat template prints no tools and no tool calls"
    }
    assert fates("qwen2.5", rows, dataset_type="preference") == {}
    prompts = pl.DataFrame({"row_id": ["r_0"], "prompt": [json.dumps([ASKED, CALLED, RESULT])]})
    assert fates("smollm2", prompts, dataset_type="prompt") == {"r_0": "the model's chat template prints no tool calls"}
    assert fates("smollm2", prompts.with_columns(prompt=pl.lit(json.dumps([ASKED]))), dataset_type="prompt") == {}


def test_words_about_calls_in_a_text_are_no_calls():
    said = turn("user", 'What is "tool_calls" and "role": "tool" and "reasoning_content"?')
    assert fates("gemma", row([said, ANSWER])) == {}


SECTIONS = "train:\n  s: {trainer: sft, dataset: sft, model: student%s}\n"


@pytest.fixture
def planned(tmp_path: Path, store):
    """Plans a training whose row 1 has a call, with a model that has a template only."""
    from curate.models.model_ref import ModelRef
    from train.plan import plan_trainings

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text(SMOLLM2)
    completion = pl.when(pl.col("row_id") == "r_1").then(pl.lit(json.dumps([CALLED]))).otherwise("completion")
    stage = write_stage(store, "sft", sft_rows(3).with_columns(completion=completion))

    def plan(more: str):
        recipe = recipe_with(tmp_path / "recipes", SECTIONS % more)
        (found,) = plan_trainings(recipe, store, {"sft": stage}, {"student": ModelRef("student", "x@0", str(folder))})
        return found

    return plan


def test_such_rows_are_refused_when_the_training_is_planned(planned):
    with pytest.raises(UserError, match=r"recipe\.yaml.*train\.s: the chat template of 'student' prints no tool calls"):
        planned("")
    assert planned(", unshown: leave_out").rows.height == 3, "its fates are told by the training"


def test_a_training_on_top_of_another_names_the_first_model(planned):
    with pytest.raises(
        UserError, match=r"train\.t: the chat template of 'student' .*chat_template: in models\.student"
    ):
        planned(", unshown: ignore, lora: true}\n  t: {trainer: sft, dataset: sft, model: s")


def test_the_key_of_a_training_depends_on_the_choice(planned):
    keys = {choice: planned(f", unshown: {choice}").stage_id for choice in ("leave_out", "ignore")}
    assert len(set(keys.values())) == 2
    with pytest.raises(UserError, match="unshown"):
        planned(", unshown: perhaps")


@needs("trl")
@pytest.mark.slow
def test_a_training_leaves_such_rows_out_or_trains_on_the_rest(tmp_path: Path, store, ref):
    from schemas.progress import Progress
    from train.run import train_recipe

    completion = pl.when(pl.col("row_id") == "r_1").then(pl.lit(json.dumps([{**CALLED, "content": "one"}])))
    rows = {
        "sft": ("sft", sft_rows(4).with_columns(completion=completion.otherwise("completion"))),
        "dpo": ("preferences", preference_rows(4).with_columns(chosen=completion.otherwise("chosen"))),
    }
    options = "per_device_train_batch_size: 4, max_steps: 1"
    for name, (table, content) in rows.items():
        stage = write_stage(store, table, content)
        for choice, fate in (
            ("leave_out", "the model's chat template prints no tool calls"),
            ("ignore", "trained"),
        ):
            text = f"train:\n  s: {{trainer: {name}, dataset: {name}, model: student, unshown: {choice}, {options}}}\n"
            recipe = recipe_with(tmp_path / name, text)
            (done,) = train_recipe(recipe, store, {name: stage}, {"student": ref}, None, Progress())
            found = dict(done.read("training_rows").select("row_id", "fate").rows())
            assert found == {"r_0": "trained", "r_1": fate, "r_2": "trained", "r_3": "trained"}


def test_no_prompt_of_a_recipe_is_suspect_without_calls():
    assert fates("gemma", rl_rows(3), "refuse", "prompt") == {}


def test_traces_in_the_text_are_refused_where_they_are_cut_off():
    cuts = "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<end>{% endfor %}"
    no_text = (
        "{% for m in messages %}<|{{ m.role }}|>{% if m.tool_calls %}{{ m.tool_calls | tojson }}"
        "{% else %}{{ m.content }}{% endif %}<end>{% endfor %}"
    )
    called = row([ASKED, {**CALLED, "reasoning_content": "to know"}])
    for source, rows in ((cuts, row([ASKED, TRACED])), (no_text, called)):
        with pytest.raises(UserError, match="prints no reasoning") as error:
            check_shown(rows, "sft", ChatTemplate(source), "in_text", "recipe.yaml: train.s", "student")
        assert "in_text" not in str(error.value)
    kept = row([ASKED, TRACED])
    assert check_shown(kept, "sft", ChatTemplate(no_text), "in_text", "recipe.yaml: train.s", "student").is_empty()
