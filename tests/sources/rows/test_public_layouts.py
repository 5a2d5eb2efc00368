"""Rows with the columns of public data sets: where the prompt, the answers, their scores and the truth are."""

import json
from pathlib import Path

import pytest

from curate.sources.rows import layout_names
from curate.sources.rows.row_formats import Row, convert
from schemas.errors import BadRow

ASK = {"role": "user", "content": "2+2?"}
FOUR = {"role": "assistant", "content": "4"}
FIVE = {"role": "assistant", "content": "5"}
HH = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: 2+2?\n\nAssistant: "
ONE = [("2+2?", "4", "recorded", {})]
PAIR = [("2+2?", "4", "recorded", {"preference": 1.0}), ("2+2?", "5", "recorded", {"preference": 0.0})]


def answers(rows: list[Row]) -> list[tuple]:
    """Return (last text of the prompt, answer, model, scores) of all candidates."""
    return [
        (row.messages[-1]["content"], one.messages[-1]["content"], one.model, one.scores)
        for row in rows
        for one in row.candidates
    ]


# The set's name, its row, what ``answers`` gives, the ground truth.
READ: list[tuple[str, dict, list[tuple], str | None]] = [
    ("OpenOrca", {"id": "t0", "system_prompt": "", "question": "2+2?", "response": "4"}, ONE, None),
    ("distilabel", {"instruction": "2+2?", "generation": "4", "model_name": "m"}, [("2+2?", "4", "m", {})], None),
    (
        "distilabel's lists",
        {"instruction": "2+2?", "generations": ["4", "5"], "generation_models": ["a", "b"], "ratings": [5, None]},
        [("2+2?", "4", "a", {"rating": 5.0}), ("2+2?", "5", "b", {"rating": None})],
        None,
    ),
    ("HelpSteer", {"prompt": "2+2?", "response": "4", "helpfulness": 4, "verbosity": 1},
     [("2+2?", "4", "recorded", {"helpfulness": 4.0, "verbosity": 1.0})], None),
    ("BeaverTails", {"prompt": "2+2?", "response": "4", "category": {"x": False}, "is_safe": True},
     [("2+2?", "4", "recorded", {"is_safe": 1.0})], None),
    ("KTO by numbers", {"prompt": "2+2?", "completion": "4", "label": 0}, [("2+2?", "4", "recorded", {"label": 0.0})],
     None),
    ("KTO by words", {"query": "2+2?", "response": "4", "kto_tag": "undesirable"},
     [("2+2?", "4", "recorded", {"label": 0.0})], None),
    ("MetaMath", {"query": "2+2?", "response": "4", "type": "GSM"}, ONE, None),
    ("MATH", {"problem": "2+2?", "solution": "4", "level": "Level 1"}, ONE, "4"),
    ("Numina 1.5", {"problem": "2+2?", "solution": "4", "answer": "four"}, ONE, "four"),
    ("OpenMathInstruct", {"question": "2+2?", "generated_solution": "4", "expected_answer": "four", "is_correct": True},
     [("2+2?", "4", "recorded", {"is_correct": 1.0})], "four"),
    ("a solution that is empty", {"problem": "2+2?", "solution": "", "answer": "4"}, [], "4"),
    ("GSM8K", {"question": "2+2?", "answer": "4"}, [], "4"),
    ("NQ", {"question": "2+2?", "answers": ["4", "four"]}, [], '["4","four"]'),
    ("SQuAD", {"question": "2+2?", "answers": {"text": ["4", "4"], "answer_start": [1, 1]}}, [], "4"),
    ("FLAN", {"inputs": "2+2?", "targets": "4"}, ONE, None),
    ("a pair of columns", {"input": "2+2?", "output": "4"}, ONE, None),
    ("Question, Response", {"Question": "2+2?", "Response": "4"}, ONE, None),
    ("UltraChat", {"prompt": "2+2?", "prompt_id": "a", "messages": [ASK, FOUR]}, ONE, None),
    ("Magpie", {"instruction": "2+2?", "response": "4", "conversations": [
        {"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]}, ONE, None),
    ("Capybara", {"conversation": [{"input": "Hi", "output": "Hello."}, {"input": "2+2?", "output": "4"}]}, ONE, None),
    ("LIMA", {"conversations": ["2+2?", "4"], "source": "x"}, ONE, None),
    ("ms-swift's query", {"system": "Be brief.", "query": "2+2?", "response": "4", "history": [["Hi", "Hello."]]},
     ONE, None),
    ("ms-swift's rejected_response", {"messages": [ASK, FOUR], "rejected_response": "5"}, PAIR, None),
    ("ms-swift's rejected_messages", {"messages": [ASK, FOUR], "rejected_messages": [ASK, FIVE]}, PAIR, None),
    ("verl", {"data_source": "x", "prompt": [ASK], "reward_model": {"style": "rule", "ground_truth": "4"}}, [], "4"),
    ("open-instruct RLVR", {"messages": [ASK], "ground_truth": "4", "dataset": "gsm8k"}, [], "4"),
    ("OpenAI's preferences", {"input": {"messages": [ASK], "tools": []}, "preferred_output": [FOUR],
                              "non_preferred_output": [FIVE]}, PAIR, None),
    ("axolotl's preferences", {"messages": [ASK], "chosen": FOUR, "rejected": FIVE}, PAIR, None),
    ("Argilla", {"instruction": "2+2?", "chosen_response": "4", "rejected_response": "5", "chosen_avg_rating": 5.0,
                 "rejected_model": "b"},
     [("2+2?", "4", "recorded", {"preference": 1.0, "rating": 5.0}), ("2+2?", "5", "b", {"preference": 0.0})], None),
    ("names with a dash", {"prompt": "2+2?", "chosen": "4", "rejected": "5", "chosen-model": "a"},
     [("2+2?", "4", "a", {"preference": 1.0}), PAIR[1]], None),
    ("HH-RLHF", {"chosen": f"{HH}4", "rejected": f"{HH}5"}, PAIR, None),
    ("HH-RLHF, an empty answer", {"chosen": f"{HH}4", "rejected": HH}, [PAIR[0], ("2+2?", "", *PAIR[1][2:])], None),
    ("static-hh", {"prompt": HH, "response": "4", "chosen": "4", "rejected": "5"}, PAIR, None),
    ("Guanaco", {"prompt": "### Human: Hi### Assistant: Hello.### Human: 2+2?", "completion": "4"}, ONE, None),
    ("HelpSteer 2, turns", {"prompt": "Hi\n<extra_id_1>Assistant\nHello.\n<extra_id_1>User\n2+2?", "response": "4"},
     ONE, None),
    ("HelpSteer 2 preferences", {"prompt": "2+2?", "response_1": "4", "response_2": "5", "preference_strength": -2},
     PAIR, None),
    ("HelpSteer 3", {"context": [ASK], "response1": "5", "response2": "4", "overall_preference": 1},
     [PAIR[1], PAIR[0]], None),
    (
        "PKU",
        {"prompt": "2+2?", "response_0": "5", "response_1": "4", "better_response_id": 1, "safer_response_id": 0,
         "is_response_0_safe": True, "is_response_1_safe": False, "response_1_source": "b"},
        [("2+2?", "5", "recorded", {"is_safe": 1.0, "preference": 0.0, "safer": 1.0}),
         ("2+2?", "4", "b", {"is_safe": 0.0, "preference": 1.0, "safer": 0.0})],
        None,
    ),
    ("SHP", {"history": "2+2?", "human_ref_A": "4", "human_ref_B": "5", "labels": 1, "score_A": 9},
     [("2+2?", "4", "recorded", {"rating": 9.0, "preference": 1.0}), PAIR[1]], None),
    ("Arena", {"conversation_a": [ASK, FOUR], "conversation_b": [ASK, FIVE], "winner": "model_a", "model_a": "a"},
     [("2+2?", "4", "a", {"preference": 1.0}), PAIR[1]], None),
    ("Arena, a tie", {"conversation_a": [ASK, FOUR], "conversation_b": [ASK, FIVE], "winner": "tie (bothbad)"},
     [("2+2?", "4", "recorded", {"preference": None}), ("2+2?", "5", "recorded", {"preference": None})], None),
    ("Arena's CSV", {"prompt": '["2+2?"]', "response_a": '["4"]', "response_b": '["5"]', "winner_model_a": "1",
                     "winner_model_b": "0"}, PAIR, None),
    ("JudgeBench", {"question": "2+2?", "response_A": "4", "response_B": "5", "label": "A>B"}, PAIR, None),
    ("RewardBench", {"prompt": "2+2?", "chosen": ["4"], "rejected": ["5", "6"]},
     [*PAIR, ("2+2?", "6", "recorded", {"preference": 0.0})], None),
    ("Nectar", {"prompt": HH, "answers": [{"answer": "4", "model": "a", "rank": 1.0}]},
     [("2+2?", "4", "a", {"rank": 1.0})], None),
    ("UltraFeedback", {"instruction": "2+2?", "completions": [
        {"response": "4", "model": "a", "annotations": {"honesty": {"Rating": "5"}, "truth": {"Rating": "N/A"}}}]},
     [("2+2?", "4", "a", {"honesty": 5.0})], None),
    ("Snorkel", {"prompt": "2+2?", "chosen": [ASK, FOUR], "rejected": [ASK, FIVE],
                 "all_generated_responses": ["5", "6", "4"], "all_rm_scores": [1, 2, 3]},
     [("2+2?", "4", "recorded", {"preference": 1.0, "rm_score": 3.0}),
      ("2+2?", "5", "recorded", {"preference": 0.0, "rm_score": 1.0}),
      ("2+2?", "6", "recorded", {"rm_score": 2.0})], None),
    ("rlhf-book", {"question": "2+2?", "answer": "4", "completions": ["4", "5"], "rewards": [1.0, 0.0]},
     [("2+2?", "4", "recorded", {"reward": 1.0}), ("2+2?", "5", "recorded", {"reward": 0.0})], "4"),
    ("OpenR1", {"problem": "2+2?", "answer": "4", "generations": ["4", "5"], "messages": [ASK, FOUR],
                "correctness_math_verify": [True, False]},
     [("2+2?", "4", "recorded", {"correctness_math_verify": 1.0}),
      ("2+2?", "5", "recorded", {"correctness_math_verify": 0.0})], "4"),
    ("HC3", {"question": "2+2?", "human_answers": ["4", "four"], "chatgpt_answers": ["5"]},
     [("2+2?", "4", "human", {}), ("2+2?", "four", "human", {}), ("2+2?", "5", "chatgpt", {})], None),
    ("APPS", {"question": "2+2?", "solutions": '["4", "5"]', "input_output": "{}"},
     [*ONE, ("2+2?", "5", "recorded", {})], None),
    ("KTO with the conversation", {"prompt": "2+2?", "completion": [ASK, FOUR], "label": True},
     [("2+2?", "4", "recorded", {"label": 1.0})], None),
    ("a conversation as the completion", {"prompt": "2+2?", "completion": [{**ASK, "content": "Hi"}, FOUR, ASK, FOUR]},
     ONE, None),
    ("a list as text", {"instruction": "2+2?", "input": "", "output": "[1, 2]"}, [("2+2?", "[1, 2]", "recorded", {})],
     None),
]  # fmt: skip


@pytest.mark.parametrize("row, found, truth", [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_rows_of_public_sets(row, found, truth):
    before = json.dumps(row)
    rows = convert(row)
    assert answers(rows) == found
    assert {one.ground_truth for one in rows} == {truth}
    assert json.dumps(row) == before


def test_context_and_system_text_are_in_the_prompt():
    (dolly,) = convert({"instruction": "When?", "context": "It began in 2003.", "response": "In 2003."})
    assert dolly.row_format == "Dolly" and dolly.messages[0]["content"] == "When?\n\nIt began in 2003."
    (orca,) = convert({"system_prompt": "Be brief.", "question": "2+2?", "response": "4"})
    assert orca.messages == [{"role": "system", "content": "Be brief."}, ASK] and orca.metadata is None
    (documents,) = convert({"question": "2+2?", "context": ["One.", "Two."], "answer": "4"})
    assert documents.messages[0]["content"] == "2+2?\n\nOne.\n\nTwo."
    (plain,) = convert({"messages": [{"role": "system", "content": ""}, ASK, FOUR]})
    assert plain.messages == [ASK]
    (once,) = convert({"prompt": "Read: It began. When?", "context": "It began.", "response": "Then."})
    assert once.messages[0]["content"] == "Read: It began. When?"
    (tags,) = convert({"prompt": "2+2?", "data": ["x", "y"], "response": "4"})
    assert tags.messages == [ASK] and tags.metadata == '{"data":["x","y"]}'
    (numbers,) = convert({"instruction": "Add up.", "input": "[1, 2, 3]", "output": "6"})
    assert numbers.messages[0]["content"] == "Add up.\n\n[1, 2, 3]"


def test_choices_follow_the_question_and_the_truth_is_a_letter():
    (mmlu,) = convert({"question": "2+2?", "choices": ["3", "4"], "answer": 1})
    assert mmlu.messages[0]["content"] == "2+2?\n\nA. 3\nB. 4" and mmlu.ground_truth == "B"
    (arc,) = convert({"question": "2+2?", "choices": {"text": ["3", "4"], "label": ["1", "2"]}, "answerKey": "2"})
    assert arc.messages[0]["content"].endswith("\n1. 3\n2. 4") and arc.ground_truth == "2"


def test_reasoning_beside_the_answer_is_kept_apart():
    rows = [
        {"Question": "2+2?", "Complex_CoT": "Add.", "Response": "4"},
        {"prompt": "2+2?", "reasoning": "Add.", "response": "4"},
        {"messages": [ASK], "reasoning": "Add.", "answer": "4"},
        {"question": "2+2?", "attempt": "4", "thinking_trajectories": ["Add."]},
        {"problem": "2+2?", "completions": ["4"], "reasonings": ["Add."]},
        {"question": "2+2?", "deepseek_attempt": "4", "deepseek_thinking_trajectory": "Add.", "gemini_attempt": "5"},
    ]
    for row in rows:
        (found,) = convert(row)
        assert found.candidates[0].messages == [{**FOUR, "reasoning_content": "Add."}], row
    (flag,) = convert({"input": "2+2?", "output": "4", "reasoning": "on"})
    assert flag.candidates[0].messages == [FOUR] and json.loads(flag.metadata or "") == {"reasoning": "on"}


def test_calls_as_the_answer():
    call = {"name": "add", "arguments": {"a": 2}}
    (found,) = convert({"query": "2+2?", "answers": json.dumps([call]), "tools": json.dumps([{"name": "add"}])})
    (message,) = found.candidates[0].messages
    assert message["tool_calls"][0]["function"] == call and found.tools


def test_conversations_that_differ_are_prompts_of_their_own():
    one = [{**ASK, "content": "Hi"}, {**FOUR, "content": "Hello."}, ASK, FOUR]
    other = [one[0], {**FOUR, "content": "Hey."}, ASK, FIVE]
    rows = convert({"conversation_a": one, "conversation_b": other, "winner": "model_b"})
    assert [row.messages for row in rows] == [one[:3], other[:3]]
    assert [row.candidates[0].scores for row in rows] == [{"preference": 0.0}, {"preference": 1.0}]
    texts = {"prompt": '["Hi", "2+2?"]', "response_a": '["Hello.", "4"]', "response_b": '["Hey.", null]'}
    assert [row.messages for row in convert(texts)] == [one[:3], other[:3]]


def tree(role: str, text: str, *replies: dict, **more: object) -> dict:
    return {"role": role, "text": text, "lang": "en", "replies": list(replies), **more}


def test_a_tree_gives_a_prompt_for_each_turn_that_is_answered():
    below = tree("assistant", "3", tree("prompter", "And 2+2?", tree("assistant", "4", rank=0)), rank=1)
    deleted = tree("assistant", "gone", deleted=True)
    root = tree("prompter", "1+2?", below, tree("assistant", "three", rank=0), deleted)
    rows = convert({"message_tree_id": "t", "prompt": root})
    assert [[turn["content"] for turn in row.messages] for row in rows] == [["1+2?"], ["1+2?", "3", "And 2+2?"]]
    assert [[one.scores["rank"] for one in row.candidates] for row in rows] == [[1.0, 0.0], [0.0]]
    context = {"role": "assistant", "content": "3", "weight": 0}
    assert rows[1].messages[1] == context, "a candidate of its own, which a condition may drop, is not learnt here"
    assert not any("weight" in turn for row in rows for one in row.candidates for turn in one.messages)
    assert json.loads(rows[0].metadata or "") == {
        "message_tree_id": "t",
        "lang": "en",
        "replies": [{"lang": "en"}, {"lang": "en"}],
        "deleted_replies": 1,
    }
    (alone,) = convert({"prompt": tree("prompter", "Hi")})
    assert alone.candidates == []


def test_an_answer_that_is_not_used_is_named():
    row = {"messages": [ASK, FOUR], "response": "4", "answer": "four", "output": "5", "note": "n"}
    (found,) = convert(row)
    assert found.unused == ("output",) and found.ground_truth == "four" and found.truth == "answer"
    assert json.loads(found.metadata or "") == {"output": "5", "note": "n"}
    (mapped,) = convert({"prompt": "2+2?"}, {"response": "4", "n": 1})
    assert mapped.unused == ("response",)
    (options,) = convert({"context": "c", "question": "2+2?", "answerA": "4", "answerB": "5", "label": "1"})
    assert set(options.unused) == {"answerA", "answerB"} and options.candidates == []


def test_ifevals_two_columns_are_the_ground_truth():
    row = {"key": 1, "prompt": "Go.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"n": None}]}
    (found,) = convert(row)
    assert json.loads(found.ground_truth or "") == {key: row[key] for key in ("instruction_id_list", "kwargs")}
    assert (found.truth, found.metadata) == ("instruction_id_list", '{"key":1}')
    assert convert(row | {"ground_truth": "x"})[0].ground_truth == "x"


def test_every_name_of_a_column_is_in_the_docs():
    page = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    groups = [getattr(layout_names, name) for name in vars(layout_names) if name.isupper()]
    named = {name for group in groups for name in group if isinstance(name, str)}
    unsaid = {*layout_names.MODEL_STEMS, *layout_names.BLANKS, *layout_names.WORDS, *layout_names.TIES}
    assert len(named) > 150 and [name for name in named - unsaid if f"`{name}`" not in page] == []


def test_no_value_of_a_column_that_nobody_uses_is_lost():
    row = {
        "prompt": "2+2?",
        "id": 17,
        "metadata": {"id": "orig-3"},
        "image": b"\x89PNG",
        "large": b"x" * 2000,
        "ratio": float("-inf"),
        "half": "\ud83d",
        "none": float("nan"),
    }
    (found,) = convert(row)
    kept = json.loads(found.metadata or "")
    assert (kept["id"], kept["row_id"]) == ("orig-3", 17)
    assert kept["image"] == {"base64": "iVBORw=="} and kept["large"]["bytes"] == 2000 and len(kept["large"]) == 2
    assert (kept["ratio"], kept["half"]) == ("-inf", "?")
    assert found.changed == ("id (as row_id)", "image", "large", "ratio", "half", "none")
    (text,) = convert({"prompt": "2+2?", "metadata": "not a mapping"})
    assert json.loads(text.metadata or "") == {"metadata": "not a mapping"} and text.changed == ()


REFUSED: list[tuple[dict, str]] = [
    ({"prompt": "2+2?", "completions": ["Add.", "4"], "labels": [True, False]}, "steps of one answer"),
    ({"system": "SYSTEM: x", "chat": "USER: 2+2?"}, "no prompt or messages"),
    ({"user": "u_17", "note": "x"}, "no prompt or messages"),
    ({"turns": ["2+2?", "And 3+3?"]}, "no prompt or messages"),
    ({"messages": [ASK], "rejected_response": "5"}, "does not end with the assistant's answer"),
    ({"prompt": "2+2?", "response": ""}, "'response' is empty"),
    ({"prompt": "2+2?", "chosen": "4", "n": 1}, "'chosen' without 'rejected'"),
    ({"prompt": "Human: \n\nAssistant: 4", "completion": "4"}, "turn of the user in the transcript is empty"),
]


def test_layouts_that_are_not_read_say_so():
    for row, words in REFUSED:
        with pytest.raises(BadRow, match=words):
            convert(row)


def test_contents_of_gemini_with_its_system_instruction():
    contents = [{"role": "user", "parts": [{"text": "2+2?"}]}, {"role": "model", "parts": [{"text": "4"}]}]
    parts = {"parts": [{"text": "Be brief."}]}
    system = {"role": "system", "content": "Be brief."}
    for given in (parts, {"role": "user", **parts}, {"role": "system", **parts}, "Be brief."):
        for name in ("systemInstruction", "system_instruction"):
            (found,) = convert({"contents": contents, name: given})
            assert (found.messages, found.candidates[0].messages) == ([system, ASK], [FOUR]), (name, given)
    (found,) = convert({"contents": contents})
    assert (found.messages, found.metadata) == ([ASK], None)


CALL_ITEM = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": '{"a": 2}'}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": 2}}}
RESULT_ITEM = {"type": "function_call_output", "call_id": "c1", "output": "4"}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "4"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Add them."}]}
SAID = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "4", "annotations": []}],
}
HIDDEN = {"type": "reasoning", "id": "rs_2", "summary": [], "content": None, "encrypted_content": "x"}
ASKED = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "2+2?"}]}


def test_items_of_openais_responses_are_messages():
    called = {"role": "assistant", "content": "", "tool_calls": [CALL], "reasoning_content": "Add them."}
    items = [ASKED, THOUGHT, CALL_ITEM, RESULT_ITEM, HIDDEN, SAID]
    rows = [{"messages": items}, {"input": items}, {"input": items[:4], "output": items[4:]}]
    for row in rows:
        (found,) = convert(row)
        assert (found.messages, found.candidates[0].messages) == ([ASK, called, RESULT], [FOUR]), row
    (found,) = convert({"input": [ASK], "output": items[1:], "instructions": "Be brief."})
    assert found.messages == [{"role": "system", "content": "Be brief."}, ASK]
    assert found.candidates[0].messages == [called, RESULT, FOUR]
    other = {**CALL_ITEM, "call_id": "c2"}
    (found,) = convert({"input": [ASK, SAID, CALL_ITEM, other]})
    assert found.candidates[0].messages == [{**FOUR, "tool_calls": [CALL, {**CALL, "id": "c2"}]}], "parallel calls"
    with pytest.raises(BadRow, match="has no role: found the keys 'type'"):
        convert({"input": [ASK, CALL_ITEM, {"type": "web_search_call", "id": "ws"}, SAID]})


def test_a_mask_of_all_turns_is_not_understood_and_said():
    (found,) = convert({"messages": [ASK, FOUR], "loss_mask": [0, 1]})
    assert found.unclear == ("loss_mask",) and json.loads(found.metadata or "") == {"loss_mask": [0, 1]}


def test_a_system_turn_may_have_its_text_under_system_prompt():
    system = {"role": "system", "system_prompt": "Be brief.", "text": None}
    (found,) = convert({"messages": [system, ASK, FOUR]})
    assert found.messages == [{"role": "system", "content": "Be brief."}, ASK]
    (found,) = convert({"messages": [{**system, "text": "Own."}, ASK, FOUR]})
    assert found.messages[0] == {"role": "system", "content": "Own.", "system_prompt": "Be brief."}
