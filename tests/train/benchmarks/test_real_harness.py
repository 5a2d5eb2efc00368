"""lm-evaluation-harness itself, from its own environment, on tasks with local data and a tiny served model."""

import json
import re

import pytest

from schemas.errors import UserError
from tests.optional import needs
from tests.with_lm_eval import PYTHON, with_lm_eval
from train.evaluating.benchmark_comparison import compare_benchmarks

pytestmark = [needs("torch", "transformers")]

WRITTEN = r"""
task: echoes
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\n"], max_gen_toks: 6, do_sample: false}
filter_list:
  - {name: letter, filter: [{function: regex, regex_pattern: "([a-z])"}, {function: take_first}]}
  - {name: whole, filter: [{function: take_first}]}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
metadata: {version: 1.5}
"""
GIVEN = r"""
task: choices
dataset_path: json
dataset_kwargs: {data_files: {test: rows.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: 0
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
metadata: {version: 2}
"""
ROWS = [
    {"question": "the cat", "answer": "a", "choices": ["red", "blue", "seven lines"]},
    {"question": "a dog sings", "answer": "t", "choices": ["blue", "red", "now"]},
    {"question": "answer in lower case", "answer": "s", "choices": ["please", "cat", "dog reads"]},
]


@pytest.fixture
def local(bench):
    """Two tasks beside the recipe."""
    bench.python = PYTHON
    (bench.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (bench.folder / "echoes.yaml").write_text(WRITTEN)
    (bench.folder / "choices.yaml").write_text(GIVEN)
    return bench


def likelihood(model, tokenizer, question, choice):
    """The log-likelihood of a choice after a question, as the harness parts their tokens."""
    import torch

    context, whole = tokenizer(question)["input_ids"], tokenizer(f"{question} {choice}")["input_ids"]
    with torch.inference_mode():
        chances = model(torch.tensor([whole])).logits[0].float().log_softmax(-1)
    return sum(chances[at - 1, whole[at]].item() for at in range(len(context), len(whole)))


@with_lm_eval
def test_the_harness_asks_the_served_model(local, tiny):
    import transformers

    stages, said, usage = local.run("./echoes.yaml, ./choices.yaml")
    assert said.warnings == [] and len(stages) == 2
    written, given = (stage.read("evaluations") for stage in stages)
    assert set(written["scorer"]) == {"echoes.exact_match.letter", "echoes.exact_match.whole"}
    for text, value, target in (
        written.filter(scorer="echoes.exact_match.letter").select("response", "value", "detail").rows()
    ):
        letter = re.search("[a-z]", text)
        assert value == float((letter[0] if letter else "[invalid]") == json.loads(target)["target"])
    assert json.loads(written["detail"][0])["version"] == "1.5"
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    for row, response in zip(ROWS, given.sort("row_id")["response"], strict=True):
        chances = {choice: likelihood(model, tokenizer, row["question"], choice) for choice in row["choices"]}
        assert response.strip() == max(chances, key=lambda choice: chances[choice])
    table = compare_benchmarks(stages)
    assert table["harness"].to_list() == table["mean"].to_list() and table["version"].to_list() == ["1.5", "1.5", "2"]
    assert usage.requests == 3 + 9
    again, said, usage = local.run("./echoes.yaml, ./choices.yaml")
    assert [stage.stage_id for stage in again] == [stage.stage_id for stage in stages] and usage.requests == 0
    (local.folder / "rows.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    assert local.plan("./echoes.yaml")[0].stage_id != stages[0].stage_id, "other data are another benchmark"


@with_lm_eval
def test_what_the_harness_does_not_have_is_said(local):
    with pytest.raises(UserError, match="has no task 'gsm8kk'; did you mean 'gsm8k'"):
        local.plan("gsm8kk")
    local.python = PYTHON
    (local.folder / "rows.jsonl").unlink()
    stages, said, _ = local.run("./echoes.yaml")
    assert stages == [] and "its data are not there" in said.warnings[0]


@with_lm_eval
def test_given_answers_may_be_asked_as_turns_of_a_chat(local):
    (stage,), said, _ = local.run("./choices.yaml", apply_chat_template="true", num_fewshot=1, limit=2)
    rows = stage.read("evaluations")
    assert said.warnings == [] and rows["row_id"].to_list() == ["choices:0", "choices:1"]
    assert all(prompt.startswith("<|im_start|>user\n") for prompt in rows["prompt"])
    assert all(prompt.endswith("<|im_start|>assistant\n") for prompt in rows["prompt"])
    assert json.loads(rows["detail"][0])["num_fewshot"] == 1
