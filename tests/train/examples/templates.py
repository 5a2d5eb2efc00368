"""Small chat templates in the styles of known families, and a byte-level tokenizer that has their marks."""

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from curate.models.chat.chat_template import ChatTemplate

if TYPE_CHECKING:
    from curate.models.chat.chat import Chat

CALLS = (
    "{% for c in m.tool_calls or [] %}{{ '\\n' if m.content or not loop.first }}<tool_call>\n"
    '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}'
)
# What Qwen's templates print after the system text: questions, answers with calls, results as the user's turns.
QWEN_TURNS = (
    "{% for m in messages %}{% if m.role == 'user' or (m.role == 'system' and not loop.first) %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% elif m.role == 'assistant' %}<|im_start|>assistant\n{{ TRACE }}{{ m.content }}" + CALLS + "<|im_end|>\n"
    "{% elif m.role == 'tool' %}{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}<|im_start|>user"
    "{% endif %}\n<tool_response>\n{{ m.content }}\n</tool_response>"
    "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}<|im_end|>\n{% endif %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{{ OPENED }}{% endif %}"
)
QWEN_SYSTEM = (
    "{% set first = messages[0].content if messages and messages[0].role == 'system' else 'You are Qwen.' %}"
    "{% if tools %}<|im_start|>system\n{{ first }}\n<tools>{% for t in tools %}\n{{ t | tojson }}{% endfor %}\n</tools>"
    "<|im_end|>\n{% else %}<|im_start|>system\n{{ first }}<|im_end|>\n{% endif %}"
)
LAST_QUERY = (
    "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
)
QWEN3_TRACE = (
    "{% if loop.index0 > ns.last and (loop.last or m.reasoning_content) %}"
    "<think>\n{{ (m.reasoning_content or '') | trim }}\n</think>\n\n{% endif %}"
)
# The generation prompt begins the answer (as QwQ's does), and an earlier turn is printed without its trace.
FORCED = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% if loop.last %}<think>\n"
    "{{ m.reasoning_content or '' }}</think>\n{% endif %}{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
# Marks the assistant's text for transformers, and uses a special token, loop controls and JSON with line ends.
MARKERS = (
    "{{ bos_token or '' }}{% if tools %}{{ tools | tojson(indent=2) }}\n{% endif %}"
    "{% for m in messages %}\n{% if m.role == 'system' %}{% continue %}{% endif %}\n"
    "<|im_start|>{{ m.role }}\n{% generation %}{% if m.reasoning_content is defined and loop.last %}<think>"
    "{{ m.reasoning_content }}</think>{% endif %}{{ m.content | trim }}{% endgeneration %}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _qwen(trace: str, opened: str = "") -> str:
    turns = QWEN_TURNS.replace("{{ TRACE }}", trace).replace("{{ OPENED }}", opened)
    return QWEN_SYSTEM + LAST_QUERY + turns


SMOLLM2 = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA31 = (
    "{{ bos_token }}{% set system = '' %}{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}"
    "<|start_header_id|>system<|end_header_id|>\n\n{{ system | trim }}<|eot_id|>"
    "{% if tools %}<|start_header_id|>user<|end_header_id|>\n\nTools:\n{{ tools | tojson }}\n\n"
    "{{ messages[0].content | trim }}<|eot_id|>{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}{% if m.tool_calls %}{% if m.tool_calls | length != 1 %}"
    "{{ raise_exception('This model only supports single tool-calls at once!') }}{% endif %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
    '{"name": "{{ m.tool_calls[0].function.name }}", "parameters": {{ m.tool_calls[0].function.arguments | tojson }}}'
    "<|eot_id|>{% else %}<|start_header_id|>{{ 'ipython' if m.role == 'tool' else m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
MISTRAL = (
    "{% set system = messages[0].content if messages[0].role == 'system' else none %}"
    "{% set turns = messages[1:] if messages[0].role == 'system' else messages %}"
    "{% set asked = turns | selectattr('role', 'equalto', 'user') | list %}"
    "{% for m in turns | rejectattr('role', 'equalto', 'tool') | selectattr('tool_calls', 'undefined') %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user and assistant') }}{% endif %}{% endfor %}"
    "{{ bos_token }}{% for m in turns %}{% if m.role == 'user' %}"
    "{% if tools and m == asked[-1] %}[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
    "[INST] {% if loop.last and system %}{{ system }}\n\n{% endif %}{{ m.content }}[/INST]"
    "{% elif m.tool_calls is defined %}[TOOL_CALLS] [{% for c in m.tool_calls %}"
    "{% if c.id is not defined or c.id | length != 9 %}{{ raise_exception('ids of length 9!') }}{% endif %}"
    '{{ (c.function | tojson)[:-1] }}, "id": "{{ c.id }}"}{{ "" if loop.last else ", " }}{% endfor %}]{{ eos_token }}'
    "{% elif m.role == 'assistant' %} {{ m.content | trim }}{{ eos_token }}"
    "{% elif m.role == 'tool' %}"
    "{% if m.tool_call_id is not defined or m.tool_call_id | length != 9 %}{{ raise_exception('9!') }}{% endif %}"
    '[TOOL_RESULTS] {"content": {{ m.content }}, "call_id": "{{ m.tool_call_id }}"}[/TOOL_RESULTS]'
    "{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}"
)
DATED = SMOLLM2.replace("You are a helpful assistant.", "Today is {{ strftime_now('%d %B %Y') }}.")
# The generation prompt opens the trace, and the template drops it from the turn.
QWQ = _qwen("", "<think>\n")
# The generation prompt opens the trace, and the template prints it.
THINKING = _qwen(
    "{% if loop.index0 > ns.last %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}", "<think>\n"
)
# Channels; the last turn has an end mark of its own; traces before calls are dropped once an answer follows.
GPT_OSS = (
    "<|start|>system<|message|>Tools: {{ tools | tojson if tools else 'none' }}<|end|>"
    "{% for m in messages %}{% if m.role == 'assistant' and m.tool_calls %}"
    "{% set answers = messages[loop.index0:] | rejectattr('tool_calls') | selectattr('role', 'equalto', 'assistant') %}"
    "{% if m.reasoning_content and not answers | list %}"
    "<|start|>assistant<|channel|>analysis<|message|>{{ m.reasoning_content }}<|end|>{% endif %}"
    "<|start|>assistant to=functions.{{ m.tool_calls[0].function.name }}<|channel|>commentary json<|message|>"
    "{{ m.tool_calls[0].function.arguments | tojson }}<|call|>"
    "{% elif m.role == 'assistant' %}{% if m.reasoning_content and loop.last %}"
    "<|start|>assistant<|channel|>analysis<|message|>{{ m.reasoning_content }}<|end|>{% endif %}"
    "<|start|>assistant<|channel|>final<|message|>{{ m.content }}{{ '<|return|>' if loop.last else '<|end|>' }}"
    "{% elif m.role == 'tool' %}<|start|>functions to=assistant<|channel|>commentary<|message|>"
    "{{ m.content | tojson }}<|end|>{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
# The last message has no end mark, and there is no generation prompt behind the assistant's.
NO_END = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% if not loop.last or add_generation_prompt %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt and messages[-1].role != 'assistant' %}<|im_start|>assistant\n{% endif %}"
)
# No marks, but words: the header's end and the answer's beginning may be one token.
PLAIN = (
    "{% for m in messages %}{{ 'USER' if m.role == 'user' else 'ASSISTANT' if m.role == 'assistant' else 'SYSTEM' }}:"
    " {{ m.content }}{{ eos_token if m.role == 'assistant' else ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
# Prints more in the last answer than in earlier ones, so that each answer is learnt in a sequence of its own.
LAST_LONGER = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}(the){% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SOURCES = {
    "smollm2": SMOLLM2,
    "qwen2.5": _qwen(""),
    "qwen3": _qwen(QWEN3_TRACE),
    "llama3.1": LLAMA31,
    "gemma": GEMMA,
    "mistral": MISTRAL,
    "dated": DATED,
    "qwq": QWQ,
    "thinking": THINKING,
    "gpt-oss": GPT_OSS,
    "no end": NO_END,
    "plain": PLAIN,
}
SPECIAL = (("bos_token", "<s>"), ("eos_token", "</s>"))
MARKS = (
    "<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
    "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>",
)  # fmt: skip
# Tokens that go over the border between a header and an answer, as merges of the bytes before them.
MERGES = [("Ċ", "Ċ"), (":", "Ġ"), (":Ġ", "w"), ("Ġ", "w"), ("w", "0"), ("Ċ", "w"), ("ĊĊ", "w")]


def template(name: str) -> ChatTemplate:
    """The template of a style."""
    return ChatTemplate(SOURCES[name], SPECIAL)


@cache
def chat(name: str) -> "Chat":
    """The template of a style with a tokenizer that has the marks of all styles as special tokens."""
    from curate.models.chat.chat import Chat

    return Chat(template(name), tokenizer())


@cache
def tokenizer():
    """A byte-level BPE tokenizer with a few merges that straddle."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters, *(one + other for one, other in MERGES)])}
    made = Tokenizer(models.BPE(vocabulary, MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS])
    return made


def with_template(model: Path, folder: Path, source: str) -> Path:
    """Copy a model's folder with another chat template, and return the copy."""
    shutil.copytree(model, folder)
    (folder / "chat_template.jinja").write_text(source, encoding="utf-8")
    return folder
