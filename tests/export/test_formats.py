"""Each format's rows: what they hold, and what they lose, which is named."""

import json
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from curate.export.about import About
from curate.export.formats import axolotl, csv, hub, jsonl, llamafactory, ms_swift, openai, trl, verl
from curate.export.formats import datasets as saved
from curate.sources.rows.exported_rows import exported_parts

ASKED = [{"role": "user", "content": "Weather?"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "北京", "n": 1.5}}}
CALLED = [
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "21", "tool_call_id": "c1"},
    {"role": "assistant", "content": "21 degrees."},
]
THOUGHT = [{"role": "assistant", "content": "21.", "reasoning_content": "Let me see."}]
UNLEARNT = [*ASKED, {"role": "assistant", "content": "Where?", "weight": 0}, {"role": "user", "content": "Here."}]
TOOLS = [{"type": "function", "function": {"name": "weather"}}]


def row(prompt=ASKED, **more):
    """A row of the dataset, whose turns and tools are JSON text."""
    texts = ("completion", "chosen", "rejected", "tools")
    given = {name: json.dumps(value) if name in texts else value for name, value in more.items()}
    return {"row_id": "r_1", "prompt": json.dumps(prompt), **given}


def held(format, kind, one, form=False):
    """The format's row, which it has, and what that loses."""
    made, lost = format.row(kind, one, form)
    assert made is not None
    return made, lost


def test_openai_writes_arguments_as_text_and_marks_as_weights():
    made, lost = held(openai, "sft", row(UNLEARNT, completion=CALLED, tools=TOOLS))
    assert made["messages"][1]["weight"] == 0 and made["tools"] == TOOLS and lost == ()
    call = made["messages"][3]["tool_calls"][0]
    assert call == {**CALL, "function": {"name": "weather", "arguments": '{"city":"北京","n":1.5}'}}


def test_openai_has_no_place_for_traces():
    made, lost = held(openai, "sft", row(completion=THOUGHT))
    assert made["messages"][-1] == {"role": "assistant", "content": "21."} and lost == ("reasoning traces",)


def test_openai_takes_pairs_of_one_turn_each():
    good, bad = THOUGHT, [{"role": "assistant", "content": "No."}]
    made, lost = held(openai, "preference", row(chosen=good, rejected=bad, tools=TOOLS))
    assert made["input"] == {"messages": ASKED, "tools": TOOLS, "parallel_tool_calls": True}
    assert made["preferred_output"] == [{"role": "assistant", "content": "21."}]
    assert made["non_preferred_output"] == bad and lost == ("reasoning traces",)
    assert openai.row("preference", row(chosen=CALLED, rejected=bad)) == (None, ("an answer of several turns",))


def test_openai_leaves_out_calls_without_an_id():
    bare = [{**CALLED[0], "tool_calls": [{key: CALL[key] for key in ("type", "function")}]}]
    assert openai.row("sft", row(completion=bare)) == (None, ("a tool call without an id",))


@pytest.mark.parametrize(
    ("kind", "more", "names"),
    [
        ("sft", {"completion": THOUGHT}, {"output": "<think>\nLet me see.\n</think>\n\n21."}),
        ("preference", {"chosen": THOUGHT, "rejected": THOUGHT}, {"rejected": "<think>\nLet me see.\n</think>\n\n21."}),
        ("unpaired", {"completion": THOUGHT, "label": False}, {"kto_tag": False}),
    ],
)
def test_llamafactory_has_alpaca_for_one_question_and_one_text(kind, more, names):
    one = row([{"role": "system", "content": "Brief."}, *ASKED], **more)
    assert llamafactory.simpler(kind, one)
    made, lost = held(llamafactory, kind, one, True)
    assert {"instruction": "Weather?", "input": "", "system": "Brief.", **names}.items() <= made.items() and lost == ()


@pytest.mark.parametrize(
    "one", [row(UNLEARNT, completion=THOUGHT), row(completion=CALLED), row(completion=THOUGHT, tools=TOOLS)]
)
def test_llamafactory_has_sharegpt_for_all_else(one):
    assert not llamafactory.simpler("sft", one)


def test_llamafactory_sharegpt_has_calls_and_observations():
    made, lost = held(llamafactory, "sft", row(completion=CALLED, tools=TOOLS))
    assert [turn["from"] for turn in made["conversations"]] == ["human", "function_call", "observation", "gpt"]
    assert made["conversations"][1]["value"] == '{"name":"weather","arguments":{"city":"北京","n":1.5}}'
    assert json.loads(made["tools"]) == TOOLS and lost == ("ids of tool calls",)


def test_llamafactory_says_what_it_loses():
    beside = [{**CALLED[0], "content": "Wait."}, *CALLED[1:]]
    assert "texts beside tool calls" in llamafactory.row("sft", row(completion=beside))[1]
    assert llamafactory.row("sft", row(UNLEARNT, completion=THOUGHT))[1] == ("marks of turns that are not learnt",)
    twice = row([*ASKED, *ASKED], completion=THOUGHT)
    assert llamafactory.row("sft", twice) == (None, ("turns that do not alternate, which LLaMA-Factory skips",))
    developer = row([{"role": "developer", "content": "Brief."}, *ASKED], completion=CALLED[2:])
    made, lost = held(llamafactory, "sft", developer)
    assert made["system"] == "Brief." and lost == ("the name of the developer's turn, which becomes the system's",)


def test_axolotl_marks_turns_and_keeps_traces():
    made, lost = held(axolotl, "sft", row(UNLEARNT, completion=THOUGHT, tools=TOOLS))
    assert made["messages"][1]["train"] is False and made["messages"][-1] == THOUGHT[0] and lost == ()
    assert json.loads(made["tools"]) == TOOLS


def test_axolotl_pairs_and_kto_are_plain():
    bad = [{"role": "assistant", "content": "No."}]
    made, lost = held(axolotl, "preference", row(chosen=THOUGHT, rejected=bad, tools=TOOLS))
    assert made["messages"] == ASKED and made["chosen"] == {"role": "assistant", "content": "21."}
    assert set(lost) == {"tools", "reasoning traces"}
    assert axolotl.row("preference", row(chosen=CALLED[:1], rejected=bad))[0] is None
    made, lost = held(axolotl, "unpaired", row(completion=bad, label=True))
    assert made == {"system": "", "prompt": "Weather?", "completion": "No.", "label": True, "row_id": "r_1"}
    assert axolotl.row("unpaired", row(UNLEARNT, completion=bad, label=True))[0] is None


def test_ms_swift_has_traces_in_the_text_and_losses_at_turns():
    made, lost = held(ms_swift, "sft", row(UNLEARNT, completion=THOUGHT))
    assert made["messages"][1]["loss"] is False and lost == ()
    assert made["messages"][-1]["content"] == "<think>\nLet me see.\n</think>\n\n21."
    made, _ = held(ms_swift, "preference", row(chosen=CALLED[2:], rejected=THOUGHT))
    assert made["rejected_response"].endswith("21.") and made["messages"][-1] == CALLED[2]
    assert ms_swift.row("preference", row(chosen=THOUGHT, rejected=CALLED[:1]))[0] is None
    assert held(ms_swift, "prompt", row(ground_truth="4"))[0]["solution"] == "4"


def test_verl_s_sft_rows_are_mappings_with_the_same_keys():
    """Its trainer reads them with pandas, which has JSON as text."""
    one = row(UNLEARNT, completion=[*CALLED[:2], *THOUGHT], tools=TOOLS)
    made, lost = held(verl, "sft", one)
    roles = [turn["role"] for turn in made["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "tool", "assistant"]
    arguments = made["messages"][3]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"city": "北京", "n": 1.5} and made["messages"][-1]["reasoning_content"]
    assert set(lost) == {"tools", verl.ARGUMENTS, "marks of turns that are not learnt"} and not verl.simpler("sft", one)
    plain = row(completion=CALLED[2:])
    assert verl.simpler("sft", plain) and held(verl, "sft", plain)[1] == ()
    assert set(verl.columns("sft", [], True)["messages"][0]) == {"role", "content"}


def test_verl_has_a_reward_model_and_the_place_of_a_row():
    one = row(ground_truth="4", split="train", index=3, prompt_id="p_1", source="gsm8k", tools=TOOLS)
    made, lost = held(verl, "prompt", one)
    assert made["reward_model"] == {"style": "rule", "ground_truth": "4"} and made["data_source"] == "gsm8k"
    assert made["extra_info"]["index"] == 3 and made["prompt"] == ASKED and lost == ("tools",)
    assert verl.row("prompt", row(ground_truth=None)) == (None, ("no ground truth",))
    assert verl.row("prompt", row([*ASKED, CALLED[0], *ASKED], ground_truth="4"))[0] is None


def test_trl_says_which_turns_it_does_not_learn():
    learnt = [*ASKED, {"role": "assistant", "content": "Where?"}, *ASKED]
    assert trl.row("sft", row(learnt, completion=THOUGHT))[1] == (
        "earlier turns of the assistant, which TRL does not learn",
    )
    marked = [{**CALLED[0], "weight": 0}, *CALLED[1:]]
    assert trl.row("sft", row(UNLEARNT, completion=marked))[1] == ("marks of turns that are not learnt",)
    assert held(trl, "prompt", row(ground_truth="4"))[0]["solution"] == "4"


def test_csv_says_that_empty_texts_are_lost():
    made, lost = held(csv, "unpaired", row(completion=THOUGHT, label=True, ground_truth=""))
    assert made["label"] == "true" and lost == ("texts that are empty, which CSV cannot tell from missing ones",)


def about(kind, format, *, form=False, folder="out"):
    return About("d", kind, "r", format, Path("/x") / folder, form=form, splits={"train": 2, "test": 1},
                 written={"train": ["data/train.jsonl"], "test": ["data/test.jsonl"]})  # fmt: skip


def test_llamafactory_names_its_columns_for_each_type():
    info = {kind: json.loads(llamafactory.files(about(kind, "llamafactory", form=True))["dataset_info.json"])["d"]
            for kind in llamafactory.KINDS}  # fmt: skip
    assert info["sft"]["columns"] == {
        "system": "system",
        "prompt": "instruction",
        "query": "input",
        "response": "output",
    }
    assert info["preference"]["ranking"] and info["preference"]["columns"]["rejected"] == "rejected"
    assert info["unpaired"]["columns"]["kto_tag"] == "kto_tag" and info["sft"]["formatting"] == "alpaca"
    talk = json.loads(llamafactory.files(about("sft", "llamafactory"))["dataset_info.json"])
    assert talk["d"]["columns"] == {"system": "system", "messages": "conversations", "tools": "tools"}
    assert talk["d"]["tags"]["function_tag"] == "function_call" and talk["d_test"]["file_name"] == "data/test.jsonl"


@pytest.mark.parametrize(
    ("kind", "rl", "strategy"),
    [
        ("sft", None, "chat_template"),
        ("preference", "dpo", "chat_template.default"),
        ("unpaired", "kto", "chatml.ultra"),
    ],
)
def test_axolotl_has_lines_to_paste(kind, rl, strategy):
    lines = YAML(typ="safe", pure=True).load(axolotl.files(about(kind, "axolotl"))["axolotl.yaml"])
    assert lines.get("rl") == rl and lines["datasets"][0]["type"] == strategy
    assert lines["datasets"][0]["path"] == "out/data/train.jsonl"


@pytest.mark.parametrize("format", (axolotl, csv, hub, jsonl, llamafactory, ms_swift, openai, saved, trl, verl))
def test_the_line_that_trains_is_safe_in_a_shell(format):
    """Whatever the folder is called: it is one word, or text within one."""
    for kind in format.KINDS:
        line = format.train(about(kind, "f", folder="a'; rm -rf $HOME; '\"b"))
        assert not {"rm", ";", "$HOME"} & set(shlex.split(line.partition("  #")[0])), line


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "not a list"}, {"tools": {"a": 1}}, {"ground_truth": 4}, {"completion": []}, {"label": "maybe"},
        {"completion": [{"role": "user", "content": "x"}]}, {"prompt": [{"role": "user", "content": None}]},
        {"completion": [{"role": "assistant", "content": "", "tool_calls": [{"name": "x"}]}]},
        {"prompt": [{"role": "user", "content": "a", "name": 3}]}, {"row_id": "r_1"}, {"content_hash": None},
    ],
)  # fmt: skip
def test_what_is_no_row_of_an_export_is_left_to_the_reader(change):
    ids = {"row_id": f"r_{'0' * 20}", "prompt_id": f"p_{'0' * 20}", "content_hash": f"h_{'0' * 20}"}
    one = {**ids, "prompt": ASKED, "completion": THOUGHT, "label": True}
    found = exported_parts(one, {})
    assert found is not None and found["candidates"][0].completion_id is None and found["prompt_id"] is None
    assert exported_parts({**one, **change}, {}) is None
