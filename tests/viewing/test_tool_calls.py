"""Answers that only call tools: they are no empty texts, in evaluations, side by side, and where one is edited."""

from tests.optional import needs
from tests.storage.asked import candidate, prompt, record, write
from tests.viewing.visiting import text, visited

pytestmark = needs("starlette", "httpx2", "jinja2")
SAID = "(calls a tool; the detail of its score says how well)"
CALL = '[{"role": "assistant", "content": "", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]}]'


def answer(model, training, response, finish):
    return {
        "evaluation_id": f"e_{model}", "model": model, "training_id": training, "dataset": "held_out", "split": "test",
        "row_id": "r_1", "prompt_id": "p_1", "sample_index": 0, "prompt": "How?", "response": response,
        "finish_reason": finish, "scorer": "tool_call", "value": float(finish == "tool_calls"),
    }  # fmt: skip


def test_an_answer_that_only_calls_a_tool_says_so(store):
    answers = [answer("student", None, "", "stop"), answer("sft", "t_1", "", "tool_calls")]
    record(store, "1", write(store, "evaluate", "a", prompts=[prompt("p_1")], evaluations=answers))
    with visited(store, filled=False) as client:
        for page in (
            "/evaluations",
            "/answers",
            "/prompts/p_1",
            "/evaluations/e_student/r_1/0",
            "/evaluations/e_sft/r_1/0",
        ):
            assert text(client.get(page)).count(SAID) == 1, page


def test_an_edit_of_a_tool_call_says_what_it_changes(store):
    rows = [candidate("c_1") | {"messages": CALL}, candidate("c_2", index=1)]
    record(store, "1", write(store, "completions.x", "a", prompts=[prompt("p_1")], completions=rows))
    with visited(store, filled=False) as client:
        told = ["The calls stay as they are" in text(client.get(f"/candidates/{one}")) for one in ("c_1", "c_2")]
    assert told == [True, False]
