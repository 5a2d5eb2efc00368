"""What SFT rows learn: ``learn: all | last``, turns that are marked as context only, and the counts of a dataset."""

import json

import polars as pl
import pytest

from curate.api.run import run
from curate.datasets.learnt import Learnt, with_context
from curate.storage.row_history import row_history
from curate.storage.store import Store
from schemas.errors import UserError
from tests.choosing import built, recipe
from tests.jobs import query

CALL = [{"id": "abcdefghi", "type": "function", "function": {"name": "sky", "arguments": {"at": "Rome"}}}]


def talk(*turns):
    """A row: texts by turns, the user's first; a mapping is a turn as it is."""
    roles = ("user", "assistant")
    return {
        "messages": [
            turn if isinstance(turn, dict) else {"role": roles[n % 2], "content": turn} for n, turn in enumerate(turns)
        ]
    }


def said(text, **more):
    return {"role": "assistant", "content": text, **more}


def turns(store, dataset="sft"):
    """The rows of a dataset, in order: for each the texts of its assistant turns that are learnt, and of the others."""
    found = []
    rows = query(store, f"SELECT prompt, completion FROM sft WHERE dataset = '{dataset}' ORDER BY prompt, completion")
    for prompt, completion in rows.rows():
        told = [turn for turn in json.loads(prompt) + json.loads(completion) if turn["role"] == "assistant"]
        assert all(turn.get("weight") in (None, 0) for turn in told)
        learnt = [turn["content"] for turn in told if "weight" not in turn]
        found.append((learnt, [turn["content"] for turn in told if "weight" in turn]))
    return found


ROWS = [
    talk("a colour?", "red", "a fruit?", "an apple", "thanks", "bye"),
    talk("a tree?", "an oak"),
    talk(
        "sky?", said("", tool_calls=CALL), {"role": "tool", "content": "blue", "tool_call_id": "abcdefghi"}, said("b")
    ),
    talk("b?", said("wrong", weight=0), "sure?", "right"),
]


def test_all_turns_are_learnt_unless_last_is_said(tmp_path):
    store, results = built(
        tmp_path, ROWS, "sft: {type: sft}\nfew: {type: sft, learn: last}\nsame: {type: sft, learn: all}"
    )
    assert turns(store) == turns(store, "same")
    assert turns(store) == [(["red", "an apple", "bye"], []), (["an oak"], []), (["right"], ["wrong"]), (["", "b"], [])]
    assert turns(store, "few") == [
        (["bye"], ["red", "an apple"]), (["an oak"], []), (["right"], ["wrong"]), (["b"], [""]),
    ]  # fmt: skip
    assert results["sft"] == "4 rows (4 train), 7 assistant turns learnt (1 with tool calls), 1 context only"
    assert results["same"] == results["sft"]
    assert results["few"] == "4 rows (4 train), 4 assistant turns learnt, 4 context only"


def test_a_result_counts_the_turns_of_datasets(tmp_path):
    kinds = "sft: {type: sft}\nfew: {type: sft, learn: last}\nnone: {type: sft, where: 'false'}\nrl: {type: prompt}"
    made = run(recipe(tmp_path, ROWS, kinds), Store(tmp_path / "store"))
    assert made.learnt().columns == ["dataset", "turns", "calls", "context", "earlier", "left_out"]
    assert made.learnt().rows() == [("sft", 7, 1, 1, 3, 0), ("few", 4, 0, 4, 0, 0), ("none", 0, 0, 0, 0, 0)]


def test_marking_context_keeps_what_a_turn_has(tmp_path):
    store, _ = built(tmp_path, [ROWS[2]], "sft: {type: sft, learn: last}")
    (prompt,) = query(store, "SELECT prompt FROM sft")["prompt"]
    assert json.loads(prompt)[1] == {"role": "assistant", "content": "", "tool_calls": CALL, "weight": 0}
    assert '"weight"' not in query(store, "SELECT messages FROM prompts").item()


def test_a_trajectory_is_learnt_whole(tmp_path):
    told = [said("", tool_calls=CALL), {"role": "tool", "content": "blue", "tool_call_id": "abcdefghi"}, said("b")]
    row = {
        "prompt": [{"role": "user", "content": "q"}, said("x"), {"role": "user", "content": "sky?"}],
        "completion": told,
    }
    store, results = built(tmp_path, [row], "sft: {type: sft}\nlast: {type: sft, learn: last}")
    assert (turns(store), turns(store, "last")) == ([(["x", "", "b"], [])], [(["", "b"], ["x"])])
    assert results["last"] == "1 rows (1 train), 2 assistant turns learnt (1 with tool calls), 1 context only"


def test_rows_of_one_turn_say_only_their_number(tmp_path):
    _, results = built(tmp_path, [talk("a?", "b"), talk("c?", "d")], "sft: {type: sft}\nlast: {type: sft, learn: last}")
    assert results == {"sft": "2 rows (2 train)", "last": "2 rows (2 train)"}


def test_a_marked_last_answer_makes_no_row(tmp_path):
    rows = [
        talk("2+2?", said("4", weight=1), "Sure?", said("No, 5.", weight=0)),
        talk("3+3?", said("7", train=False)),
        {"prompt": "4+4?", "completion": [said("", tool_calls=CALL, loss=False), said("8", masked=True)]},
        talk("5+5?", "10"),
    ]
    store, results = built(tmp_path, rows, "sft: {type: sft}\npicked: {type: sft, where: \"response <> ''\"}")
    assert turns(store) == turns(store, "picked") == [(["10"], [])]
    note = "1 rows (1 train); 3 left out (5 assistant turns): their last turn is marked as not to be learnt"
    assert results == {"sft": note, "picked": note}
    assert query(store, "SELECT count(*) FROM completions").item() == 4, "they stay candidates"
    left = query(store, "SELECT row_id, reason FROM decisions WHERE NOT kept AND stage = 'datasets.sft.learnt'").rows()
    assert len(left) == 3
    for row_id, reason in left:
        assert reason.startswith("its last turn is not to be learnt (weight: 0)") and "weight: 1" in reason
        assert f"dropped by datasets.sft.learnt: {reason}" in "\n".join(
            dict(row_history(store, row_id).parts)["decisions"]
        )


def test_the_decisions_on_a_row_that_became_no_prompt(tmp_path):
    rows = [talk(f"{n}?", "b") for n in range(11)]
    store, _ = built(tmp_path, [rows[0], rows[0], *rows[1:], rows[0]], "sft: {type: sft}")
    repeats = query(store, "SELECT row_id FROM decisions WHERE row_id LIKE '%:%' ORDER BY len(row_id)")["row_id"]
    assert [name.split(":")[1] for name in repeats] == ["2", "13"]
    history = row_history(store, repeats[0])
    assert history.title == f"row {repeats[0]}, of which only decisions are held"
    ((heading, lines),) = history.parts
    assert heading == "decisions" and lines[0].startswith("dropped by prompts.source.rows: exact copy of line 1")
    assert lines[0].endswith("(0?)"), "the text of the row that it repeats"
    first = query(store, "SELECT prompt_id FROM prompts WHERE line = 1").item()
    assert row_history(store, "rows.jsonl:1").title == f"prompt {first}", "the place of a prompt"
    with pytest.raises(UserError, match="no row 'rows.jsonl:99' in this store"):
        row_history(store, "rows.jsonl:99")


def test_no_rows_as_all_answers_are_marked(tmp_path):
    rows = [talk("3+3?", said("7", train=False)), talk("4+4?", said("9", weight=0))]
    made = run(recipe(tmp_path, rows, "sft: {type: sft}"), Store(tmp_path / "store"))
    assert made.datasets["sft"].height == 0
    assert made.learnt().rows() == [("sft", 0, 0, 0, 0, 2)]
    assert [str(one) for one in made.warnings] == [
        "datasets.sft: 0 rows: learnt left out 2 of 2 candidates (its last turn is not to be learnt (weight: 0); to "
        "learn those before it, cut this turn or mark it weight: 1)"
    ]


def test_rule_and_control_choose_what_can_be_learnt(tmp_path):
    def row(n):
        answers = [{"messages": [said(f"{n} {k}", **({"weight": 0} if k > 2 else {}))], "q": k} for k in range(5)]
        return {"prompt": f"{n}?", "completions": answers}

    kinds = "sft: {type: sft, select: best_of_n, by: q, control: random}"
    store, results = built(tmp_path, [row(n) for n in range(20)], kinds)
    assert query(store, "SELECT DISTINCT score FROM sft WHERE dataset = 'sft'")["score"].to_list() == [2]
    drawn = query(store, "SELECT score FROM sft WHERE dataset = 'sft_random'")["score"]
    assert len(drawn) == 20 and set(drawn) == {0, 1, 2}
    assert results["sft_random"].startswith("20 rows (20 train), drawn at random of 60 candidates")


def test_texts_that_look_like_turns_are_not_counted(tmp_path):
    odd = {"at": "x", "role": "assistant", "weight": 0, "turn": {"role": "assistant"}}
    call = [{**CALL[0], "function": {"name": "sky", "arguments": odd}}]
    rows = [
        talk('{"role":"assistant","weight":0}', '[{"role":"assistant","content":"x","tool_calls":[1]}]', "more?", "no"),
        talk("sky?", said("", tool_calls=call)),
    ]
    store, results = built(tmp_path, rows, "sft: {type: sft}\nlast: {type: sft, learn: last}")
    assert results["sft"] == "2 rows (2 train), 3 assistant turns learnt (1 with tool calls)"
    assert results["last"] == "2 rows (2 train), 2 assistant turns learnt (1 with tool calls), 1 context only"


def test_json_with_spaces_is_counted_and_marked():
    prompts = pl.Series(['[{"role": "user", "content": "a"}]', json.dumps(talk("a?", "b", "c?")["messages"])])
    marked = with_context(prompts)
    assert '"weight"' not in prompts[1]
    assert marked[0] == prompts[0] and json.loads(marked[1])[1] == said("b", weight=0)
    learnt = Learnt()
    rows = pl.DataFrame({"prompt": prompts, "completion": ['[{"role": "assistant", "content": "x"}]'] * 2})
    assert list(learnt.of_rows(iter([rows])))[0].equals(rows)
    assert learnt.counts() == {"turns": 3, "calls": 0, "context": 0, "earlier": 1, "left_out": 0}


@pytest.mark.parametrize("key", ["note", "role", "content", "a \\", 'a "'])
def test_a_turn_below_another_key_is_not_counted(key):
    nested = {key: {"role": "assistant", "content": "no"}, "all": [{"role": "assistant"}]}
    turns = [{"role": "user", "content": 'say "role":"assistant", "x\\": '}, said("b", more=nested)]
    learnt = Learnt()
    rows = pl.DataFrame({"prompt": [json.dumps(turns)], "completion": [json.dumps([said("c")])]})
    list(learnt.of_rows(iter([rows])))
    assert (learnt.turns, learnt.earlier) == (2, 1)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("sft: {type: sft, learn: lst}", "r.yaml:6: datasets.sft.learn: expected 'all' or 'last', found 'lst'"),
        ("sft: {type: sft, learn: true}", "r.yaml:6: datasets.sft.learn: expected 'all' or 'last', found True"),
        (
            "dpo: {type: preference, learn: all}",
            "r.yaml:6: datasets.dpo.learn: says which turns of a conversation are learnt, so it needs the type sft, "
            "found preference",
        ),
        ("sft: {type: sft, lern: all}", "no key in datasets.sft called 'lern'; did you mean 'learn'?"),
    ],
)
def test_a_wrong_learn_is_one_line(tmp_path, dataset, words):
    with pytest.raises(UserError) as caught:
        run(recipe(tmp_path, [talk("a?", "b")], dataset), Store(tmp_path / "store"))
    assert words in str(caught.value)
