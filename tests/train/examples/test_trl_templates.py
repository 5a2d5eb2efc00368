"""The chat templates that TRL ships, as they are, and its patched ones, which mark what TRL learns."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.optional import needs
from tests.train.examples.conversations import TOOLS, call, turn

pytest.importorskip("jinja2")
from curate.models.chat.chat_template import ChatTemplate  # noqa: E402
from curate.models.chat.fit_messages import fit  # noqa: E402
from curate.models.chat.template_support import support_of  # noqa: E402
from train.examples.learnt_tokens import render_learnt  # noqa: E402

pytestmark = [needs("trl"), pytest.mark.slow]

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
DIALOGUE = [turn("user", "q one?"), turn("assistant", "A one."), turn("user", "q two?"), turn("assistant", "A two.")]
CALLED = turn("assistant", "", tool_calls=[call("callone01", "look", at="sky")])
RESULT = turn("tool", "blue", tool_call_id="callone01", name="look")
WITH_CALLS = [turn("user", "q one?"), CALLED, RESULT, turn("assistant", "A two.")]
NAMES = (
    "cohere2", "deepseek_r1_distill", "deepseekv3", "gemma", "gemma3", "glm4moe", "gptoss", "lfm2", "lfm2_v2", "llama3",
    "llama3_1", "llama3_2", "phi3", "qwen2_5", "qwen3", "qwen3_5_nothink", "qwen3_5_think", "qwen3_instruct_2507",
)  # fmt: skip
# Where TRL learns what is learnt here. It also learns the header of gpt-oss, DeepSeek and Qwen3.5's open <think>, a
# newline of Qwen2.5's header, and prints gpt-oss's and Phi's earlier answers with another end mark than their last one.
SAME = ("cohere2", "gemma", "gemma3", "glm4moe", "lfm2", "lfm2_v2", "llama3", "qwen3", "qwen3_instruct_2507")


def source(name: str) -> str:
    """A template of TRL."""
    spec = find_spec("trl")
    assert spec and spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0]) / "chat_templates" / f"{name}.jinja"
    if not file.exists():
        pytest.skip(f"this TRL has no {file.name}")
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("messages", [DIALOGUE, WITH_CALLS], ids=["dialogue", "calls"])
def test_what_is_learnt_is_what_trl_marks(name: str, messages: list):
    from transformers.utils.chat_template_utils import render_jinja_template

    template = ChatTemplate(source(f"{name}_training"), tuple(SPECIAL.items()))
    if messages is WITH_CALLS and not support_of(template).tool_calls:
        pytest.skip("it prints no calls")
    options: dict[str, Any] = {"chat_template": template.source, "return_assistant_tokens_mask": True, **SPECIAL}
    rendered: Any = render_jinja_template([messages], **options)
    (text,), (spans,) = rendered
    found = [
        one.text[start:end] for one in render_learnt(template, messages, None, [1, 3]) for start, end in one.learnt
    ]
    assert found == [text[start:end] for start, end in spans]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("messages", [DIALOGUE, WITH_CALLS], ids=["dialogue", "calls"])
def test_both_answers_are_learnt_behind_the_models_prompt(name: str, messages: list):
    template = ChatTemplate(source(name), tuple(SPECIAL.items()))
    support = support_of(template)
    tools = TOOLS if messages is WITH_CALLS else None
    if tools and not support.tool_calls:
        pytest.skip("it prints no calls")
    fitted, _ = fit(messages, support)
    found = render_learnt(template, fitted, tools, [1, 3])
    turns = [(one.text[: part.start], one.text[part.start : part.end], part) for one in found for part in one.turns]
    assert [part.message for _, _, part in turns] == [1, 3]
    for before, answer, part in turns:
        prompt = template.render(fitted[: part.message], tools, add_generation_prompt=True)
        assert prompt.startswith(before) and prompt.removeprefix(before).strip() in ("", "<think>")
        assert template.render(fitted[: part.message + 1], tools).endswith(answer)
        other = {"A one.", "A two.", "q one?", "q two?", "blue"} - {fitted[part.message]["content"]}
        assert not any(word in answer for word in other)
    (_, first, _), (_, last, _) = turns
    assert ("look" in first and "sky" in first if tools else "A one." in first) and "A two." in last
