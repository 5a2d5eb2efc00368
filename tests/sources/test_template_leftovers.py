"""Control tokens and placeholders in texts: found by name, counted by text, and no false alarm for LaTeX or code."""

import json

import polars as pl
import pytest

from curate.sources.template_leftovers import find_leftovers


def texts(*contents):
    """The column ``messages`` of rows with one turn each, as the reader writes it."""
    turns = ([{"role": "assistant", "content": content}] for content in contents)
    return pl.Series([json.dumps(turn, ensure_ascii=False, separators=(",", ":")) for turn in turns])


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("Paris<|im_end|>\n", "<|im_end|>"),
        ("<|im_start|>user", "<|im_start|>"),
        ("The end.<|endoftext|>", "<|endoftext|>"),
        ("ok<|eot_id|>", "<|eot_id|>"),
        ("<|start_header_id|>", "<|start_header_id|>"),
        ("<|begin_of_text|>Hi", "<|begin_of_text|>"),
        ("<|user|>\nHi", "<|user|>"),
        ("<|channel|>analysis", "<|channel|>"),
        ("<|START_OF_TURN_TOKEN|>", "<|START_OF_TURN_TOKEN|>"),
        ("<｜User｜>Hi", "<｜User｜>"),
        ("<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
        ("[INST] Hi", "[INST]"),
        ("Hi [/INST] yes", "[/INST]"),
        ("<<SYS>> be kind", "<<SYS>>"),
        ("<end_of_turn>\n", "<end_of_turn>"),
        ("<start_of_turn>model", "<start_of_turn>"),
        ("[TOOL_CALLS] []", "[TOOL_CALLS]"),
        ("Yes.</s>", "</s>"),
        ("Yes.</s>\n ", "</s>"),
        ("<s>Yes.", "<s>"),
        ("Yes.<eos>", "<eos>"),
    ],
)
def test_a_control_token_is_found_whatever_the_model(text, token):
    found = find_leftovers(texts("plain", text))
    assert (found.token_texts, found.tokens) == (1, {token: 1})


@pytest.mark.parametrize(
    "text",
    [
        "was <s>five</s> four pounds",
        'HTML: "<s>old</s>" is struck out',
        "f <| x |> g",
        "a <|> b",
        "the array [INSTANCE]",
        "1 < 2 and 3 > 2 | 4",
        "quote: </s>\" is HTML's",
        "|x| < |y| < |z|",
    ],
)
def test_other_text_with_brackets_is_no_control_token(text):
    assert find_leftovers(texts(text)).token_texts == 0


def test_a_text_counts_once_and_each_of_its_tokens_once():
    found = find_leftovers(texts("a<|im_end|><|im_start|>b<|im_end|>", "c<|im_end|>", "d"))
    assert (found.token_texts, found.tokens) == (2, {"<|im_end|>": 2, "<|im_start|>": 1})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I am {{name}}.", "{{name}}"),
        ("{{name}}", "{{name}}"),
        ("line\n{{ author }} made me", "{{ author }}"),
        ("我是{{name}}，", "{{name}}"),
        ("by {{user_name}}", "{{user_name}}"),
        ("by {{model-name}}", "{{model-name}}"),
        ("Please return it, and let me know, {{name}}", "{{name}}"),
        ("Dear {{Company Name}},", "{{Company Name}}"),
        ("你好{{姓名}}", "{{姓名}}"),
    ],
)
def test_a_placeholder_is_found(text, name):
    found = find_leftovers(texts(text, "plain"))
    assert (found.placeholder_texts, found.placeholders) == (1, {name: 1})


def test_two_placeholders_side_by_side_are_both_counted():
    found = find_leftovers(texts("I am {{name}} {{author}}", "{{name}},{{name}}"))
    assert (found.placeholder_texts, found.placeholders) == (2, {"{{name}}": 2, "{{author}}": 1})


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{{a}}{{b}}",
        r"\frac{{ab}}{{cd}}",
        r"$x^{{ab}} + y_{{max}}$",
        r"\boxed{{answer}}",
        r"\text{{so}}",
        r"\begin{bmatrix}{{aa}} & 2\end{bmatrix}",
        "sets {{1, 2}, {3}} and {{}}",
        "{{{ab}}}",
        "run ${{ secrets.TOKEN }}",
        "Jinja:\n```\n<b>{{ title }}</b>\n```",
        "<p>{{ title }}</p>",
        "{% for x in xs %}{{ item }}{% endfor %}",
        "def f(name):\n    return 'Hi {{name}}'",
        "gsm8k: 48/2 = <<48/2=24>>24",
        'JSON: {"name": {"first": 1}}',
    ],
)
def test_latex_code_and_sets_are_no_placeholders(text):
    assert find_leftovers(texts(*[text] * 3)).placeholders == {}


def test_single_braces_count_where_many_texts_hold_the_same_ones():
    many = [f"Hello {{name}}, row {n}" for n in range(3)]
    assert find_leftovers(texts(*many, "plain")).placeholders == {"{name}": 3}
    rare = [*(f"plain {n}" for n in range(100)), *many]
    assert find_leftovers(texts(*rare)).placeholder_texts == 0
    assert find_leftovers(texts("one {name} only", "plain")).placeholder_texts == 0
    assert find_leftovers(texts(*[f'print(f"Hello {{name}} {n}")' for n in range(3)])).placeholder_texts == 0


def test_no_rows_hold_nothing():
    found = find_leftovers(pl.Series([], dtype=pl.String))
    assert (found.token_texts, found.tokens, found.placeholder_texts, found.placeholders) == (0, {}, 0, {})
