"""A source's result line and its warnings: what came with the file, what was put where, and what to set."""

import json

import pytest

from curate.sources.read_source import Source, read_source
from curate.sources.source_summary import (
    leftover_searches,
    prompt_field,
    source_leftovers,
    source_summary,
    source_warnings,
    truths_alone,
)


def source(folder, *rows, **settings) -> Source:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_source(file, **settings)


def line(read: Source) -> str:
    return source_summary(read.facts)


def warnings(read: Source, fields=None) -> list[str]:
    return source_warnings(read.facts, fields)


def answers(*texts, **scores) -> dict:
    return {"prompt": "q", "completions": [{"response": text, **scores} for text in texts]}


def test_a_plain_source_says_its_rows_and_its_format(tmp_path):
    read = source(tmp_path, {"prompt": "a"}, {"prompt": "b"}, {"prompt": "a"})
    assert line(read) == "2 prompts, 1 repeat joined (prompt)" and warnings(read) == []


def test_refused_rows_are_counted(tmp_path):
    read = source(tmp_path, {"prompt": "a", "completion": "b"}, {"nothing": 1}, on_error="drop")
    assert line(read) == "1 prompt, 1 recorded completion, 1 row refused (prompt-completion)"


def test_the_scores_of_the_file_are_named_with_what_they_hold(tmp_path):
    pairs = [{"prompt": f"q{n}", "chosen": "good", "rejected": "bad", "chosen_rating": n + 1} for n in range(5)]
    assert line(source(tmp_path, *pairs)) == (
        "5 prompts, 10 recorded completions (preference); scores: preference (5 of 10 are 1), rating (1 to 5, mean 3)"
    )
    kto = [{"prompt": f"q{n}", "completion": "x", "label": n > 0} for n in range(4)]
    assert line(source(tmp_path, *kto)).endswith("; scores: label (3 of 4 are 1)")


def test_scores_with_one_value_with_nulls_and_without_a_value(tmp_path):
    rows = [answers("a", quality=2.5, scores={"empty": None, "some": None}), answers("b", quality=2.5, some=0.25)]
    assert line(source(tmp_path, *rows)).endswith(
        "; scores: empty (all 1 null), some (all 0.25, 1 null), quality (all 2.5)"
    )


def test_of_many_scores_six_are_named(tmp_path):
    read = source(tmp_path, answers("a", **{f"s{n}": n for n in range(9)}))
    assert line(read).endswith("s5 (all 5) and 3 more")


def test_reasoning_traces_are_counted(tmp_path):
    turn = {"role": "assistant", "content": "4", "reasoning_content": "2 and 2"}
    read = source(tmp_path, {"prompt": "2+2?", "completion": [turn]}, {"prompt": "1+1?", "completion": "2"})
    assert line(read).endswith("; 1 reasoning trace kept apart")
    ask = {"role": "user", "content": 'a key "reasoning_content":"x" in a text'}
    read = source(tmp_path, {"messages": [ask, turn, ask, turn]}, {"prompt": "2+2?", "completion": [turn]})
    assert line(read).endswith("; 3 reasoning traces kept apart"), "those of earlier turns too"


def test_unused_answers_ground_truth_and_changed_values_are_said(tmp_path):
    read = source(tmp_path, {"question": "a"}, {"question": "b"})
    read.facts.unused.update({"answer_b": 2, "answer_c": 1})
    read.facts.truths.update({"answer": 2})
    read.facts.changed.update({"image": 1})
    assert line(read) == (
        "2 prompts (question-answer); ground_truth: 'answer' (2 rows); not used: 'answer_b' (2 rows), 'answer_c' "
        "(1 row); values changed: 'image' (1 row)"
    )
    assert warnings(read) == [
        "not used: 'answer_b' (2 rows), 'answer_c' (1 row) look like answers, and went to the metadata; to train on "
        "'answer_b' set fields: {prompt: question, completion: answer_b}"
    ]
    assert "{prompt: ask, completion" in warnings(read, {"prompt": "ask"})[0]


def test_leftovers_are_counted(tmp_path):
    read = source(
        tmp_path,
        {"prompt": "Who are you?", "completion": "I am {{name}}, made by {{author}}."},
        {"prompt": "Who made you?", "completion": "{{author}} did.<|im_end|>"},
        {"prompt": "[INST] Hi", "completion": "Hi"},
    )
    assert line(read).endswith("; control tokens in 2 texts; placeholders in 2 texts") and warnings(read) == []
    assert leftover_searches(source_leftovers(read.facts)) == {
        "control_tokens": {"names": ("[INST]", "<|im_end|>"), "patterns": ()},
        "placeholders": {"names": ("{{author}}", "{{name}}"), "patterns": ()},
    }


def test_keys_that_are_not_understood_are_said(tmp_path):
    row = {"prompt": "q", "response_a": "x", "response_b": "y", "winner": "the first, mostly"}
    read = source(tmp_path, row, row | {"prompt": "r"})
    assert line(read).endswith("; not understood: 'winner' (2 rows)")
    assert warnings(read) == [
        "not understood: 'winner' (2 rows); the values went to the metadata, and are no part of a prompt and no score; "
        "docs/data.md has the forms that are read"
    ]


def test_prompts_with_a_ground_truth_alone_are_counted(tmp_path):
    rows = [{"problem": f"q{n}", "answer": f"{n}"} for n in range(3)]
    read = source(tmp_path, *rows, rows[0], {"prompt": "p", "completion": "c"}, {"prompt": "t", "ground_truth": "g"})
    assert truths_alone(read.facts, None) == {
        "count": 3,
        "keys": {"answer": 3},
        "prompt_field": "prompt: problem",
        "others": True,
    }
    assert truths_alone(source(tmp_path, *rows).facts, None)["others"] is False
    assert truths_alone(source(tmp_path, {"prompt": "p", "completion": "c"}).facts, None) == {}


@pytest.mark.parametrize("key", ["bad\x1b[31m", "new\nline", "x" * 500])
def test_a_key_of_the_file_cannot_steer_the_terminal(tmp_path, key):
    read = source(tmp_path, {"prompt": "a"})
    for counts in (read.facts.unused, read.facts.truths, read.facts.changed):
        counts[key] += 1
    for text in (line(read), *warnings(read)):
        assert text.isprintable() and len(text) < 1000


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"question": "q"}, "prompt: question"),
        ({"instruction": "q"}, "prompt: instruction"),
        ({"instruction": "q", "response": "a"}, "prompt: instruction"),
        ({"problem": "q", "answer": "1"}, "prompt: problem"),
        ({"query": "q", "response": "a"}, "prompt: query"),
        ({"prompt": "q"}, "prompt: prompt"),
        ({"conversations": [{"from": "human", "value": "q"}]}, "messages: conversations"),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, "messages: messages"),
    ],
)
def test_the_prompts_key_is_named_as_in_the_file(tmp_path, row, field):
    read = source(tmp_path, row)
    (key,) = read.facts.prompt_keys
    assert prompt_field(key, None) == prompt_field(key, {"completion": "x"}) == field
    assert prompt_field(key, {"prompt": "mine"}) == "prompt: mine"
