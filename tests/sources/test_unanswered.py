"""Conversations that end with a turn that nothing answers: cut behind the last answer, or kept as prompts."""

import json

import pytest

from curate.api.run import plan, run
from curate.pipeline.source import cuts_unanswered
from curate.sources.read_source import read_source
from curate.sources.source_summary import source_summary
from curate.storage.row_history import row_history
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from tests.jobs import query

CALL = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "sky", "arguments": {}}}]}
RESULT = {"role": "tool", "content": "blue"}


def ask(text):
    return {"role": "user", "content": text}


def say(text):
    return {"role": "assistant", "content": text}


def written(folder, rows):
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def cut(folder, *rows):
    """The source's prompts and completions, each as the texts of its turns, and its decisions about prompts."""
    found = read_source(written(folder, rows), unanswered="cut")
    texts = [
        [[turn["content"] for turn in json.loads(messages)] for messages in table["messages"]]
        for table in (found.prompts, found.completions)
    ]
    decided = found.decisions.filter("kept")
    return *texts, dict(zip(decided["row_id"], decided["reason"], strict=True)), found


@pytest.mark.parametrize(
    ("turns", "prompt", "answer", "whose"),
    [
        ([ask("a"), say("b"), ask("c")], ["a"], ["b"], "the user's turn, which nothing answers: 1 turn is"),
        ([ask("a"), say("b"), ask("c"), ask("d")], ["a"], ["b"], "the user's turn, which nothing answers: 2 turns are"),
        ([ask("a"), say("b"), say("c"), ask("d")], ["a"], ["b", "c"], "the user's turn"),
        ([ask("a"), say("b"), ask("c"), say("d"), ask("e")], ["a", "b", "c"], ["d"], "the user's turn"),
        ([ask("a"), CALL, RESULT], ["a"], [""], "a tool's result, which nothing answers: 1 turn is left out"),
        ([ask("a"), CALL, RESULT, RESULT], ["a"], [""], "2 turns are left out"),
        ([ask("a"), CALL, RESULT, say("b"), ask("c")], ["a", "", "blue"], ["b"], "the user's turn"),
        ([ask("a"), say("b"), {"role": "system", "content": "s"}], ["a"], ["b"], "the system's turn"),
    ],
)
def test_what_follows_the_last_answer_is_cut(tmp_path, turns, prompt, answer, whose):
    prompts, answers, decided, found = cut(tmp_path, {"messages": turns})
    assert (prompts, answers, found.facts.cut) == ([prompt], [answer], 1)
    ((row_id, reason),) = decided.items()
    assert row_id == found.prompts["prompt_id"].item() and whose in reason
    (evidence,) = found.decisions["evidence"]
    assert json.loads(evidence)[-1]["content"] == turns[-1]["content"]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [ask("a"), say("b")]},
        {"messages": [ask("a")]},
        {"messages": [say("hi"), ask("a")]},
        {"messages": [{"role": "system", "content": "s"}, say("hi"), ask("a")]},
        {"messages": [ask("a"), say("b"), ask("c")], "completion": "d"},
        {"messages": [ask("a"), say("b"), ask("c")], "completions": ["d", "e"]},
        {"messages": [ask("a"), say("b"), ask("c")], "chosen": "d", "rejected": "e"},
        {"messages": [ask("a"), say("b"), ask("2+2?")], "answer": "4"},
        {"prompt": "a"},
        {"instruction": "c", "history": [["a", "b"]], "output": "d"},
    ],
)
def test_answered_rows_and_bare_prompts_stay(tmp_path, row):
    path = written(tmp_path, [row])
    found, kept = read_source(path, unanswered="cut"), read_source(path)
    assert found.prompts.equals(kept.prompts) and found.completions.equals(kept.completions)
    assert found.facts.cut == 0 and found.decisions.is_empty()


EMPTY = [
    *(ask(text) for text in ("", "  ", None, [], [{"type": "text", "text": ""}])),
    *(say(text) for text in ("", "   ", None, [], ["\n"], [{"type": "text", "text": " "}])),
    {"role": "assistant", "content": "", "tool_calls": [], "function_call": {"name": None, "arguments": None}},
    {"role": "user", "content": "", "name": "bob", "weight": 0},
    {"from": "human", "value": ""},
    {"role": "model", "parts": [{"text": ""}]},
]


@pytest.mark.parametrize("last", EMPTY)
@pytest.mark.parametrize("unanswered", ["cut", "keep"])
def test_an_empty_last_turn_is_left_out_with_a_decision(tmp_path, last, unanswered):
    role = "user" if last.get("role", "user") == "user" else "assistant"
    path = written(
        tmp_path, [{"messages": [ask("a"), say("b"), last]}, {"messages": [ask("c"), say("d"), ask(""), last]}]
    )
    found = read_source(path, unanswered=unanswered)
    assert found.prompts["prompt"].to_list() == ["a", "c"] and found.completions["response"].to_list() == ["b", "d"]
    assert (found.facts.cut, found.facts.cut_turns, found.facts.unclear) == (2, 3, {})
    assert found.decisions["kept"].all() and found.decisions["row_id"].to_list() == found.prompts["prompt_id"].to_list()
    assert found.decisions["reason"].to_list() == [
        f"the conversation ends with an empty turn of the {role}: {count} left out"
        for count in ("1 turn is", "2 turns are")
    ]
    assert "; 2 conversations lose 3 turns at their end, unanswered or empty" in source_summary(found.facts)


def test_an_empty_last_turn_goes_before_the_question_is_cut(tmp_path):
    asked = {"messages": [ask("a"), say("b"), ask("c"), say("")]}
    prompts, answers, decided, found = cut(tmp_path, asked)
    assert (prompts, answers, found.facts.cut_turns) == ([["a"]], [["b"]], 2)
    assert list(decided.values()) == ["the conversation ends with an empty turn of the assistant: 2 turns are left out"]
    kept = read_source(written(tmp_path, [asked]))
    assert (kept.prompts["prompt"].to_list(), kept.completions.height, kept.facts.cut_turns, kept.facts.unanswered) == (
        ["c"],
        0,
        1,
        1,
    )


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([ask("a"), ask("")], "messages[1]: the user turn's content is empty"),
        ([say("a"), say("")], "only assistant turns"),
        ([ask("")], "messages[0]: the user turn's content is empty"),
        ([ask("a"), say(""), ask("c")], "messages[1]: the assistant turn's content is empty"),
        ([ask("a"), say("b"), {**ask(""), "images": ["x.png"]}], "messages[2]: the user turn's content is empty"),
        ([ask("a"), say("b"), ask([{"type": "image", "url": "x"}])], "part that is 'image'"),
    ],
)
def test_other_empty_turns_are_refused(tmp_path, turns, words):
    with pytest.raises(UserError) as caught:
        cut(tmp_path, {"messages": turns})
    assert words in str(caught.value)


def test_a_call_or_a_trace_without_a_text_is_no_empty_turn(tmp_path):
    for last in (CALL, {**say(""), "reasoning": "why"}, {**say(""), "function_call": {"name": "f", "arguments": "{}"}}):
        _, answers, decided, _ = cut(tmp_path, {"messages": [ask("a"), last]})
        assert (answers, decided) == ([[""]], {})


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "completion": [CALL, RESULT]},
        {"prompt": "a", "completion": [CALL, RESULT, RESULT]},
        {"prompt": "a", "completion": [CALL, ask("more")]},
        {"messages": [ask("a")], "completion": [CALL, RESULT]},
        {"prompt": [ask("a")], "completion": [ask("a"), CALL, RESULT]},
        {"prompt": "a", "completions": [[CALL, RESULT]]},
        {"prompt": "a", "completions": [{"messages": [CALL, RESULT], "score": 1}]},
        {"prompt": "a", "response": {"messages": [CALL, RESULT]}},
    ],
)
def test_an_answer_is_cut_behind_its_last_turn(tmp_path, row):
    prompts, answers, decided, found = cut(tmp_path, row)
    assert (prompts, answers, found.facts.cut, len(decided)) == ([["a"]], [[""]], 1, 1)
    with pytest.raises(UserError, match="begins or ends with a tool turn|does not continue the prompt"):
        read_source(written(tmp_path, [row]))


def test_every_layout_of_a_conversation_can_be_cut(tmp_path):
    rows = [
        {
            "conversations": [
                {"from": "human", "value": "a"},
                {"from": "gpt", "value": "b"},
                {"from": "human", "value": "c"},
            ]
        },
        {"instruction": "c", "history": [["a", "b"]]},
        {"text": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c"},
        {"conversation": ["a", "b", "c"]},
        {"messages": [ask("a"), say("b"), ask("c"), say("")]},
        {"conversation": [{"input": "a", "output": "b"}, {"input": "c", "output": ""}]},
        {"conversation": [{"input": "a", "output": "b"}, {"input": "", "output": ""}]},
        {"conversation": [{"input": "a", "output": "b"}, {"input": "c", "output": None}]},
        {"conversation": ["a", "b", ""]},
        {"messages": json.dumps([ask("a"), say("b"), ask("")])},
        {"messages": {"role": ["user", "assistant", "user"], "content": ["a", "b", "c"]}},
        {"messages": {"role": ["user", "assistant", "user"], "content": ["a", "b", ""]}},
        {"text": "\n\nHuman: a\n\nAssistant: b\n\nHuman: "},
        {"text": "### Human: a### Assistant: b### Human:"},
    ]
    for row in rows:
        prompts, answers, decided, _ = cut(tmp_path, row)
        assert (prompts, answers, len(decided)) == ([["a"]], [["b"]], 1), row
    path = written(tmp_path, [{"talk": [ask("a"), say("b"), ask("c")]}])
    found = read_source(path, unanswered="cut", fields={"messages": "talk"})
    assert found.completions["response"].to_list() == ["b"]


def test_cut_conversations_of_one_prompt_are_joined(tmp_path):
    first = {"messages": [ask("a"), say("b"), ask("c")]}
    rows = [first, {"messages": [ask("a"), say("B"), ask("d"), ask("e")]}, {"messages": [ask("a"), say("b")]}, first]
    prompts, answers, decided, found = cut(tmp_path, *rows)
    assert (prompts, answers, found.facts.cut, len(decided)) == ([["a"]], [["b"], ["B"]], 3, 1)
    others = found.decisions.filter(~found.decisions["kept"])["reason"].to_list()
    assert others == [
        "same prompt as line 1; its answers joined; the conversation ends with the user's turn, which nothing answers: "
        "2 turns are left out",
        "same prompt and answers as line 1",
        "exact copy of line 1; the conversation ends with the user's turn, which nothing answers: 1 turn is left out",
    ]


def made(folder, more, rows=None, source="rows.jsonl"):
    """A recipe over conversations, of which the second and third end unanswered, with ``more`` sections."""
    talks = [[ask("a"), say("b")], [ask("c"), say("d"), ask("thanks")], [ask("e"), CALL, RESULT]]
    written(folder, rows or [{"messages": turns} for turns in talks])
    return {"name": "r", "prompts": [{"source": source}], **more}


SFT = {"sft": {"type": "sft"}}
MODELS = {"models": {"m": "smollm2-135m"}}
MASK = {"generate": {"use": "mask"}}
REWRITE = {"generate": {"use": "rewrite", "model": "m", "instruction": "Be brief."}}
EVOLVE = {"generate": {"use": "evolve", "model": "m"}}
SAMPLE = {"generate": {"use": "sample", "model": "m"}}


def test_a_recipe_that_only_learns_cuts_and_tells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "store")
    found = run(made(tmp_path, {"datasets": SFT}), store)
    assert found.datasets["sft"].height == 3 and found.warnings == []
    assert source_summary(read_source("rows.jsonl", unanswered="cut").facts) == (
        "3 prompts, 3 recorded completions (messages); 2 conversations lose 2 turns at their end, unanswered or empty"
    )
    prompt_id = query(store, "SELECT prompt_id FROM prompts WHERE prompt = 'c'").item()
    told = "\n".join(dict(row_history(store, prompt_id).parts)["decisions"])
    assert (
        "kept    by prompts.source.rows: the conversation ends with the user's turn, which nothing answers: 1 turn is"
        in told
    )
    assert found.decisions.filter("kept").height >= 2 and found.dropped().is_empty()


@pytest.mark.parametrize(
    ("more", "cuts"),
    [
        ({"datasets": SFT}, True),
        ({"datasets": {**SFT, "dpo": {"type": "preference"}}}, True),
        ({"datasets": {"dpo": {"type": "preference"}}}, False),
        ({"datasets": {**SFT, "rl": {"type": "prompt"}}}, False),
        ({"datasets": SFT, "completions": [SAMPLE], **MODELS}, False),
        ({"datasets": SFT, "completions": [MASK]}, True),
        ({"datasets": SFT, "completions": [MASK, SAMPLE], **MODELS}, False),
        ({"datasets": SFT, "completions": [REWRITE], **MODELS}, True),
        ({"datasets": SFT, "prompts": [{"source": "rows.jsonl"}, EVOLVE], **MODELS}, True),
        ({}, False),
    ],
)
def test_the_recipe_decides_whether_to_cut(tmp_path, monkeypatch, more, cuts):
    monkeypatch.chdir(tmp_path)
    assert cuts_unanswered(load_recipe(made(tmp_path, more))) is cuts


def test_a_source_can_say_whether_to_cut(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for said, height in (("cut", 3), ("keep", 1)):
        source = {"path": "rows.jsonl", "unanswered": said}
        datasets = {**SFT, "rl": {"type": "prompt"}} if said == "cut" else SFT
        found = run(made(tmp_path, {"datasets": datasets}, source=source), Store(tmp_path / said))
        assert (found.datasets["sft"].height, found.warnings) == (height, [])
    with pytest.raises(UserError) as caught:
        plan(made(tmp_path, {"datasets": SFT}, source={"path": "rows.jsonl", "unanswered": "cutt"}))
    assert "unanswered" in str(caught.value) and "'cutt'; did you mean 'cut'? (there are: cut, keep)" in str(
        caught.value
    )


def test_a_dataset_says_how_many_kept_prompts_it_misses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    datasets = {"datasets": {**SFT, "rl": {"type": "prompt"}}}
    found = run(made(tmp_path, datasets), Store(tmp_path / "store"))
    assert found.datasets["sft"].height == 1
    assert [str(one) for one in found.warnings] == [
        "datasets.sft: 2 conversations end with a turn that nothing answers, and make no row (prompts.source.rows); to "
        "learn the turns of the assistant before it, set unanswered: cut on the source"
    ]
    answered = [{"messages": [ask("a"), say("b"), ask("c")]}, {"messages": [ask("a"), say("b"), ask("c"), say("d")]}]
    found = run(made(tmp_path, datasets, answered), Store(tmp_path / "store"))
    assert (found.datasets["sft"].height, found.warnings) == (1, []), "another row answers it"


def test_only_what_would_be_cut_is_said_to_be_cut(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"messages": [say("hello"), ask("hi")]}, {"messages": [ask("a"), say("b")]}]
    for datasets in (SFT, {**SFT, "rl": {"type": "prompt"}}):
        assert run(made(tmp_path, {"datasets": datasets}, rows), Store(tmp_path / "store")).warnings == []


def test_a_conversation_with_a_ground_truth_only_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = {"messages": [ask("a"), say("b")]}
    rows = [good, {"messages": [ask("c"), say("d"), ask("2+2?")], "ground_truth": "4"}]
    found = run(made(tmp_path, {"datasets": SFT}, rows), Store(tmp_path / "store"))
    assert found.datasets["sft"].height == 1
    assert [str(one) for one in found.warnings] == [
        "datasets.sft: 1 conversation ends with a turn that has a ground truth and no answer, and makes no row "
        "(prompts.source.rows); to learn the turns of the assistant before it, set fields: {messages: KEY} (without "
        "ground_truth) on the source"
    ]
    named = {"path": "rows.jsonl", "fields": {"messages": "messages"}}
    found = run(made(tmp_path, {"datasets": SFT}, rows, named), Store(tmp_path / "store"))
    assert (found.datasets["sft"].height, found.warnings) == (2, [])
    found = run(made(tmp_path, {"datasets": {**SFT, "rl": {"type": "prompt"}}}, rows), Store(tmp_path / "store"))
    assert found.warnings == []
