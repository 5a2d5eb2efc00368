"""Control tokens and placeholders in the rows of a dataset: the step in the warning leaves them out, and it is gone."""

import re

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.errors import UserError
from tests.choosing import recipe
from tests.jobs import query

pytestmark = pytest.mark.slow  # whole runs

PLAIN = [{"prompt": f"plain {n}", "completion": f"answer {n}"} for n in range(4)]
SFT, PAIRS, PROMPTS = "made: {type: sft}", "made: {type: preference}", "made: {type: prompt}"
REASONING = [{"role": "assistant", "content": "4", "reasoning_content": "2 and 2 <|im_end|>"}]
SYSTEM = [{"role": "system", "content": "You are {{name}}."}, {"role": "user", "content": "Hi"}]
EARLIER = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello</s>"},
    {"role": "user", "content": "Bye"},
]
MANY = " ".join(f"<|extra_{n}|>" for n in range(12))
MANY_NAMES = " ".join(f"{{{{field {n}}}}}" for n in range(12))
LEFTOVERS = [
    ("the answer", {"prompt": "q", "completion": "Hi<|im_end|>"}, SFT, "completions", "completion"),
    ("the prompt", {"prompt": "[INST] q", "completion": "Hi"}, SFT, "prompts", "messages"),
    ("the system text", {"prompt": SYSTEM, "completion": "Hi"}, SFT, "prompts", "messages"),
    ("an earlier turn", {"prompt": EARLIER, "completion": "Hi"}, SFT, "prompts", "messages"),
    ("the reasoning", {"prompt": "2+2?", "completion": REASONING}, SFT, "completions", "completion"),
    ("several tokens", {"prompt": "q", "completion": "[INST] a<|im_end|>]~b]"}, SFT, "completions", "completion"),
    ("prompt and answer", {"prompt": "[INST] q", "completion": "a</s>"}, SFT, "completions", "concat"),
    ("many tokens", {"prompt": "q", "completion": MANY + " [INST]"}, SFT, "completions", "completion"),
    ("many placeholders", {"prompt": "q", "completion": MANY_NAMES}, SFT, "completions", "completion"),
    ("a token with quotes", {"prompt": "q", "completion": "a <｜it's\"x\\y\"｜> b"}, SFT, "completions", "completion"),
    ("a token that is not printed", {"prompt": "q", "completion": "<｜x\u200ey｜>"}, SFT, "completions", "completion"),
    ("the rejected answer", {"prompt": "q", "chosen": "a", "rejected": "b {{he}}"}, PAIRS, "completions", "completion"),
    ("a prompt alone", {"prompt": "q {{name}}"}, PROMPTS, "prompts", "messages"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "dataset", "section", "column"), [case[1:] for case in LEFTOVERS],
                         ids=[case[0] for case in LEFTOVERS])  # fmt: skip
def test_the_step_in_the_warning_leaves_the_rows_out(tmp_path, row, dataset, section, column):
    good = [{"prompt": f"p{n}", "chosen": f"a {n}", "rejected": f"b {n}"} for n in range(4)]
    rows = [*(good if dataset == PAIRS else PLAIN), row]
    job, store = recipe(tmp_path, rows, dataset), Store(tmp_path / "store")
    (before,) = [one.text for one in plan(job).warnings]
    made = run(job, store)
    (warning,) = [one.text for one in made.warnings]
    assert [one.text for one in run(job, store).warnings] == [warning], "also where all is reused"
    assert re.match(
        r"1 (row|pair|prompt) holds (control tokens of a chat template|placeholders of a template): ", warning
    )
    assert before == warning.replace(" pair ", " candidate ")
    assert f"add as the last step under {section}: `- filter: {{" in warning and f"({column}" in warning
    pasted(job, section, step(warning))
    assert plan(job.path).warnings == [] == plan(job.path, store).warnings, "before it is run"
    made = run(job.path, store)
    assert made.warnings == [] == plan(job.path, store).warnings and made.datasets["made"].height == 4
    assert query(store, f"SELECT count(*) FROM decisions WHERE stage = '{section}.filter' AND NOT kept").item() >= 1


def step(warning: str) -> str:
    return warning.partition("`")[2].removesuffix("`")


def pasted(job, section: str, line: str) -> None:
    """Add a step at the end of a section of the recipe's file."""
    text = job.path.read_text(encoding="utf-8")
    at = "  - source: rows.jsonl\n" + ("completions:\n" if section == "completions" else "")
    job.path.write_text(text.replace("  - source: rows.jsonl\n", f"{at}  {line}\n"), encoding="utf-8")


def test_tokens_and_placeholders_are_two_warnings_and_two_steps(tmp_path):
    rows = [*PLAIN, {"prompt": "q", "completion": "{{name}}<|im_end|>"}]
    job = recipe(tmp_path, rows, SFT)
    tokens, names = [one.text for one in plan(job).warnings]
    assert "<|im_end|> (1); a tokenizer may take" in tokens and "{{name}} (1); they are learnt as they" in names
    pasted(job, "completions", step(tokens))
    assert plan(job.path).warnings == [], "the row is out for either"


def test_rows_that_a_condition_leaves_out_are_not_warned_of(tmp_path):
    rows = [*PLAIN, {"prompt": "q", "completion": "Hi<|im_end|>"}]
    job, store = (
        recipe(tmp_path, rows, "made: {type: sft, where: \"response <> 'Hi<|im_end|>'\"}"),
        Store(tmp_path / "s"),
    )
    assert plan(job).warnings == [] == run(job, store).warnings == plan(job, store).warnings
    assert "control tokens in 1 text" in plan(job).stages[0].note


def test_each_dataset_has_the_count_of_its_own_rows(tmp_path):
    rows = [*PLAIN, *({"prompt": f"q{n} [INST]", "completion": f"Hi{n}"} for n in range(3))]
    where = "short: {type: sft, where: \"response = 'Hi1'\"}\nall: {type: sft}\nrl: {type: prompt}"
    found = [str(one) for one in run(recipe(tmp_path, rows, where), Store(tmp_path / "s")).warnings]
    starts = ["datasets.short: 1 row holds", "datasets.all: 3 rows hold", "datasets.rl: 3 prompts hold"]
    assert len(found) == 3 and all(map(str.startswith, found, starts))


def test_prompts_are_warned_of_before_a_model_is_asked(tmp_path):
    more = "models: {m: smollm2-135m}\ncompletions:\n  - generate: {use: sample, model: m}\n"
    job = recipe(tmp_path, [{"prompt": "q"}, {"prompt": "I am {{name}}"}], SFT, more)
    (only,) = plan(job).warnings
    assert only.text.startswith("1 prompt holds placeholders of a template: {{name}} (1); ")
    pasted(job, "prompts", step(only.text))
    assert plan(job.path).warnings == []


def test_a_wrong_condition_is_still_a_mistake(tmp_path):
    rows = [{"prompt": "q", "completion": "Hi<|im_end|>"}]
    with pytest.raises(UserError, match=r"filter\.x"):
        plan(recipe(tmp_path, rows, SFT, 'completions:\n  - filter: {x: "nothing = 1"}\n'))
