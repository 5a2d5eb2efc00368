"""Closing marks of a trace: tables of real traces whose opening mark the template wrote, and of mentions in answers."""

import pytest

from schemas.reasoning import split_reasoning


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Okay, so I add.\n</think>\n\nThe answer is 4.", "The answer is 4."),
        ("Okay, 1/n shrinks.\n</think>\n\nThe limit is \\boxed{0}.", "The limit is \\boxed{0}."),
        ("Hmm.\n</think>\nSo 4.", "So 4."),
        ("Hmm, 2+2=4.</think>\n\n4", "4"),
        ("Hmm, 2+2=4. </think>\n\n4", "4"),
        ("Hmm, 2+2=4.</think>The answer is 4.", "The answer is 4."),
        ("Hmm, 2+2=4.</think> The answer is 4.", "The answer is 4."),
        ("Hmm, 2+2=4.\n</think> The answer is 4.", "The answer is 4."),
        ("Hmm, it is 4.\n\n</think>\n\n**Answer:** 4", "**Answer:** 4"),
        ("So x = $4$</think>\n\n$4$", "$4$"),
        ("So x = $4$ </think>\n\n$4$", "$4$"),
        ("所以答案是4。\n</think>\n\n答案是4。", "答案是4。"),
        ("所以答案是4。</think>答案是4。", "答案是4。"),
        ("嗯，用户问天气</think>\n\n今天晴。", "今天晴。"),
        ("First a\n- b\n- So 4.</think>\n\n4", "4"),
        ("I run it:\n```python\nprint(4)\n```\n</think>\n\n```python\nprint(4)\n```", "```python\nprint(4)\n```"),
        ("Okay.\n\nIt's 4, that's it.\n\nLet me write the answer:\n</think>\n\nIt's 4.", "It's 4."),
        ('The user says "hi". I greet.\n</think>\n\n"Hi!" to you.', '"Hi!" to you.'),
        ("They ask about the </think> tag.\nI explain it.\n</think>\n\nIt ends a trace.", "It ends a trace."),
        ("We use `</think>` here.\n</think>\n\nDone.", "Done."),
        ('I say "Hello!"</think>\n\nHello!', "Hello!"),
        ("I should look it up.\n</think>\n\n", ""),
        ("I look it up.\n</think>\n<tool_call>\n{}\n</tool_call>", "<tool_call>\n{}\n</tool_call>"),
        ("Add.</think><answer>4</answer>", "<answer>4</answer>"),
        ("hm, well</think>so", "so"),
        ("It's 4.\n</think>\n\\boxed{4}", "\\boxed{4}"),
        ("Add 2 and 2.\r\n</think>\r\n\r\n4", "4"),
        ("Now -4.</think>-4", "-4"),
        ("Let's verify: 3*3 = 9 ✓\n</think>\n\n9", "9"),
        ("Let's verify: 3*3 = 9 ✓</think>\n\n9", "9"),
        ("...done…</think>\n\n# Title\nx", "# Title\nx"),
        ("**Final**: 4 **</think>\n\n4", "4"),
        ("It must be (B)</think>\n\n(B)", "(B)"),
        ("No wait, is it? Yes!\n</think>\n\nyes", "yes"),
        ("So he dogs' bowl. That's it.</think>That's 4.", "That's 4."),
        ("</think>\n\nHi", "Hi"),
        ("\n</think>\n\nHi", "Hi"),
        ("Okay.\n\nThe user wants a poem. I write one.\n</think>", ""),
    ],
)
def test_a_trace_that_the_template_opened_is_split_off(text, answer):
    trace = text.removesuffix(answer).rstrip().removesuffix("</think>").strip()
    assert split_reasoning(text) == (trace or None, answer)


@pytest.mark.parametrize(
    "text",
    [
        'trace = text.split("</think>\\n")[-1]',
        "t = re.sub('.*</think>', '', t)",
        "t = re.sub(r'.*</think>', '', t)",
        'Use this: re.sub(r".*?</think>\\s*", "", text, flags=re.S) and go.',
        "Tags:\n</think> closes the trace.",
        "- </think>: closing",
        "- </think> closing",
        "* </think> - the closing mark",
        "1. </think> ends it",
        "| </think> | end |",
        "| tag | meaning |\n|---|---|\n| </think> | end |",
        "End tag: </think>",
        "End tag:</think>",
        "End tag: </think>\n\nUse it well.",
        "The model writes </think>\nand then the answer.",
        "The closing tag is </think>\n\nIt ends the trace.",
        "if token == </think>: stop",
        "stop = ['</think>', 'x']",
        'stop=["a", "</think>"]',
        "    </think>\nis how it ends",
        "Here:\n\n    why\n    </think>\n    so\n",
        "Here:\n\twhy\n\t</think>\n",
        "// </think> ends it",
        "# </think>\nis a comment",
        "<!-- </think> -->",
        "请用</think>结束思考。",
        "标签</think>表示结束。",
        "思考以 </think> 结束",
        "End the trace with this line:\n</think>\nThen write the answer.",
        "End the trace with this line:\n\n</think>\n\nThen write the answer.",
        "Models end it with </think>, then answer.",
        "Models end it (</think>).",
        "> </think>\nis quoted",
        "Use tags. </think> closes the trace.",
        "It has two parts: trace + </think> + answer.",
        "Regex: /.*<\\/think>/ or .*</think>",
        "`x</think>y`",
        "grep -c '</think>' file",
        'Output: {"content": "why</think>so"}',
        "trace, _, answer = text.partition('</think>')",
        'The string "why.\\n</think>\\n\\nso" is what R1 returns.',
        "Its tag is </think> (with a slash).",
        "</think> is the closing tag.",
        "</think>: the closing tag",
        "</think>",
        "\n</think>\n",
        "What does R1 write behind its trace? </think>",
        "Step 1: think.\nStep 2: </think>\nStep 3: answer.",
        "sed 's#.*</think>##' out.txt",
        'idx = text.rfind("</think>\\n\\n")',
        "id\ttoken\n151668\t</think>\n151645\tend",
        "stop:\n  - </think>\n  - x",
        "### </think>\nEnds it.",
        "First think.\nThen write this line:\n</think>\nand go on.",
        "**</think>** ends it",
        "x = text[n:]  # behind </think>\ny = 1",
    ],
)
def test_a_closing_mark_that_an_answer_mentions_splits_nothing(text):
    assert split_reasoning(text) == (None, text)


@pytest.mark.parametrize(
    "text",
    [
        "<think> is the opening tag. It is closed by </think>.",
        "<think> opens, </think> closes.",
        "<think> and </think> are the tags.",
        "<think>x</think> is how a trace looks.",
        "<think> x </think> is how a trace looks.",
        "<think> starts the trace of R1",
        "[THINK] is Magistral's tag",
        "[think] about it all",
        "<Reasoning> Because x",
        "<reasoning>Because x",
        "<thinking> of you",
        "<Think>well",
        "<|channel|> is a token",
    ],
)
def test_an_answer_that_begins_with_a_mention_of_an_opening_mark(text):
    assert split_reasoning(text) == (None, text)


@pytest.mark.parametrize(
    ("trace", "answer"),
    [
        ("The user asks about the </think> tag. I explain.", "Ans"),
        ("I explain how </think>, the closing tag, works.", "Ans"),
        ("I write re.sub('.*</think>', '', t)\nand am done.", "Ans"),
        ('I write text.split("</think>\\n")[-1]\nand am done.', "Ans"),
        ("- </think>: closing\nSo I say that.\n", "\n\nAns"),
        ("the tag</think> ends it. ok.\n", "\n\nAns"),
        ("Short ", "\nAns"),
    ],
)
def test_a_mention_in_a_trace_that_was_opened_does_not_end_it(trace, answer):
    assert split_reasoning(f"<think>{trace}</think>{answer}") == (trace.strip(), answer.strip())


def test_a_trace_that_was_cut_behind_a_mention_has_no_answer():
    for text in ("I should end it with </think>.", "The user asks about the </think> tag. I expl"):
        assert split_reasoning(f"<think>{text}") == (text, "")


@pytest.mark.parametrize(
    ("text", "trace", "answer"),
    [
        ("<think>a</think>\n<think>b</think>\nans", "a\n\nb", "ans"),
        ("<think>a</think><think>a</think><think>b</think>ans", "a\n\na\n\nb", "ans"),
        ("<think>\n\n</think>\n\n<think>\nb\n</think>\n\nans", "b", "ans"),
        ("<think>a</think>\n<think>b, and then", "a\n\nb, and then", ""),
        ("<think>a</think>\n<think> opens a trace.", "a", "<think> opens a trace."),
        ("<think>a</think>\n<think>x</think> is how it looks.", "a", "<think>x</think> is how it looks."),
        ("<think>a</think>b\n<think>c</think>d", "a", "b\n<think>c</think>d"),
        ("\ufeff<think>a</think>b", "a", "b"),
        ("<s><think>a</think>b</s>", "a", "<s>b</s>"),
        ("<s> <think>a</think>b", "a", "<s> b"),
        ("<|im_start|>assistant\n<think>\na\n</think>\n\nb<|im_end|>", "a", "<|im_start|>assistant\nb<|im_end|>"),
        ("<s><think>cut", "<s>cut", ""),
        ("Hm. <s><think>a</think>b", None, "Hm. <s><think>a</think>b"),
    ],
)
def test_several_traces_and_control_tokens_before_one(text, trace, answer):
    assert split_reasoning(text) == (trace, answer)


NEXT = "<|end|><|start|>assistant"


@pytest.mark.parametrize(
    ("text", "trace", "answer"),
    [
        ("<|channel|>final<|message|>The mark <|end|> ends it.<|return|>", None, "The mark <|end|> ends it."),
        ("<|channel|>final<|message|>End it with <|end|>.<|end|>", None, "End it with <|end|>."),
        ("<|channel|>final<|message|>It is <|return|> or <|call|>.", None, "It is <|return|> or <|call|>."),
        ("<|channel|>final<|message|>Write <|start|>assistant, then", None, "Write <|start|>assistant, then"),
        (
            "<|channel|>final<|message|>Then <|channel|>analysis<|message|>x<|end|>",
            None,
            "Then <|channel|>analysis<|message|>x",
        ),
        (
            f"<|channel|>analysis<|message|>What of <|end|> here{NEXT}<|channel|>final<|message|>so",
            "What of <|end|> here",
            "so",
        ),
        ("<|channel|>analysis<|message|>a<|start|>assistant<|channel|>final<|message|>b", "a", "b"),
        ("<|channel|>analysis<|message|>a<|channel|>final<|message|>b<|return|>", "a", "b"),
        ("<|channel|>analysis<|message|>What of <|channel|> then<|end|>", "What of <|channel|> then", ""),
    ],
)
def test_a_mention_in_a_harmony_message_does_not_end_it(text, trace, answer):
    assert split_reasoning(text) == (trace, answer)
