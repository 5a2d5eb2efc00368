import json
from dataclasses import replace

import polars as pl
import pytest

from tests.optional import needs
from tests.train.examples.conversations import turn
from tests.train.examples.templates import chat

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")
from train.examples.loss_settings import LossSettings  # noqa: E402
from train.examples.prompt_examples import prompt_dataset, prompt_examples, trace_opening  # noqa: E402

WHOLE = LossSettings(every_token=False, completion_only=False, max_length=None, keep_end=False)
SYSTEM, ASKED = turn("system", "Be brief."), turn("user", "one?")


def prompts(*conversations: list) -> pl.DataFrame:
    """RL prompts."""
    ids = [f"r_{i}" for i in range(len(conversations))]
    return pl.DataFrame({"row_id": ids, "prompt": [json.dumps(messages) for messages in conversations]})


def test_prompts_are_fitted_to_the_template():
    examples = prompt_examples(prompts([SYSTEM, ASKED], [ASKED]), chat("gemma"), WHOLE, 1000)
    assert examples.columns == {"row_index": [0, 1], "prompt": [[turn("user", "Be brief.\n\none?")], [ASKED]]}
    assert examples.changes == {"system text in the first user turn": 1}
    assert prompt_examples(prompts([SYSTEM, ASKED]), chat("smollm2"), WHOLE, 1000).columns["prompt"] == [
        [SYSTEM, ASKED]
    ]


def test_the_mark_by_which_a_template_opens_a_trace():
    plain = chat("smollm2")
    source = plain.template.source + "{% if add_generation_prompt %}<think>\n{% endif %}"
    opens = replace(plain, template=replace(plain.template, source=source))
    assert trace_opening(prompts([ASKED]), opens, WHOLE) == "<think>"
    assert trace_opening(prompts([ASKED]), plain, WHOLE) == trace_opening(prompts(), opens, WHOLE) == ""


def test_a_prompt_that_leaves_no_room_or_is_refused_is_left_out():
    rows = prompts([ASKED], [turn("user", "x" * 100)], [ASKED, ASKED])
    examples = prompt_examples(rows, chat("gemma"), WHOLE, 60, first_index=4)
    assert examples.columns["row_index"] == [4] and examples.counts["rows"] == 1
    assert "tokens leaves no room for an answer" in examples.dropped["r_1"]
    assert examples.dropped["r_2"].startswith("the model's chat template refuses it: Conversation roles must alternate")


def test_the_length_counts_the_header_of_the_answer():
    text = chat("qwq").template.render([ASKED], add_generation_prompt=True)
    length = len(chat("qwq").encode(text).ids)
    assert text.endswith("<think>\n")
    assert prompt_examples(prompts([ASKED]), chat("qwq"), WHOLE, length).counts["all_tokens"] == length
    assert list(prompt_examples(prompts([ASKED]), chat("qwq"), WHOLE, length - 1).dropped) == ["r_0"]


@needs("datasets")
@pytest.mark.slow
def test_messages_keep_their_own_keys_in_the_dataset():
    named = {**ASKED, "name": "Ada"}
    found = prompt_dataset(prompt_examples(prompts([ASKED], [named]), chat("smollm2"), WHOLE, 1000))
    assert found.to_list() == [{"row_index": 0, "prompt": [ASKED]}, {"row_index": 1, "prompt": [named]}]
    assert prompt_dataset(prompt_examples(prompts(), chat("smollm2"), WHOLE, 1000)) is None
