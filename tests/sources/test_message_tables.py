"""A table with a message a row, as OpenAssistant's: its trees become prompts, and no message is lost."""

import csv
import json

import pytest

from curate.sources.read_source import Source, read_source
from schemas.errors import UserError


def message(number: str, parent: str | None, role: str, text: str, **more: object) -> dict:
    return {"message_id": number, "parent_id": parent, "message_tree_id": "t", "role": role, "text": text, **more}


TABLE = [
    message("1", None, "prompter", "1+2?", lang="en"),
    message(
        "2", "1", "assistant", "3", rank=1, labels={"name": ["quality", "spam"], "value": [0.5, 0.1]}, model_name="m"
    ),
    message("3", "1", "assistant", "three", rank=0, tags=["x"]),
    message("4", "2", "prompter", "And 2+2?"),
    message("5", "4", "assistant", "4", rank=0, labels={"quality": {"value": 0.75, "count": 2}}),
    message("6", "1", "assistant", "gone", deleted=True),
]


def read(tmp_path, rows: list[dict], **options) -> Source:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_source(path, **options)


def test_each_user_turn_with_replies_is_a_prompt(tmp_path):
    for rows in (TABLE, TABLE[::-1]):  # in any order
        found = read(tmp_path, rows)
        assert sorted(found.prompts["prompt"]) == ["1+2?", "And 2+2?"]
        assert sorted(found.completions.select("response", "model").rows()) == [
            ("3", "m"),
            ("4", "recorded"),
            ("three", "recorded"),
        ]
        scores = found.completions.join(found.scores, left_on="completion_id", right_on="row_id")
        assert sorted(scores.select("response", "scorer", "value").rows()) == [
            ("3", "quality", 0.5),
            ("3", "rank", 1.0),
            ("4", "quality", 0.75),
            ("4", "rank", 0.0),
            ("three", "rank", 0.0),
        ]
        (first,) = [json.loads(m) for p, m in found.prompts.select("prompt", "metadata").iter_rows() if p == "1+2?"]
        assert (first["message_tree_id"], first["lang"], first["deleted_replies"]) == ("t", "en", 1)
        assert {"spam": 0.1} in first["labels"] and any(reply.get("tags") == ["x"] for reply in first["replies"])


def test_a_table_in_csv_is_read_the_same(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message_id", "parent_id", "message_tree_id", "role", "text", "rank", "deleted"])
        writer.writerow(["1", "", "t", "prompter", "1+2?", "", "False"])
        writer.writerow(["2", "1", "t", "assistant", "3", "1.0", "False"])
        writer.writerow(["3", "1", "t", "assistant", "gone", "0.0", "True"])
    found = read_source(path)
    assert found.completions["response"].to_list() == ["3"]
    assert found.scores.select("scorer", "value").rows() == [("rank", 1.0)]


LOST = [
    ([message("9", "8", "assistant", "x")], "belongs to no tree: its parent '8' is not in the file"),
    ([message("7", "8", "prompter", "x"), message("8", "7", "assistant", "y")], "belongs to no tree"),
    ([message("1", None, "prompter", "again")], "has the id '1' already"),
    ([message("10", None, "assistant", "Welcome.")], "only assistant turns"),
    ([{"prompt": None, "note": "x"}], "is null"),
]


@pytest.mark.parametrize(("rows", "words"), LOST, ids=[words for _, words in LOST])
def test_a_message_of_no_tree_is_refused(tmp_path, rows, words):
    with pytest.raises(UserError, match=words):
        read(tmp_path, TABLE + rows)
    found = read(tmp_path, TABLE + rows, on_error="drop")
    assert found.prompts.height == 2 and found.decisions.height == len(rows)


def test_messages_that_nothing_joins_are_no_table(tmp_path):
    rows = [{"message_id": "1", "role": "user", "text": "q"}, {"message_id": "2", "role": "assistant", "text": "a"}]
    with pytest.raises(UserError, match="'text' is plain text without a prompt"):
        read(tmp_path, rows)


def test_a_tree_that_is_too_deep_is_refused(tmp_path):
    rows = [message("0", None, "prompter", "q")]
    rows += [message(str(n), str(n - 1), ("prompter", "assistant")[n % 2], "x") for n in range(1, 250)]
    with pytest.raises(UserError, match="deeper than 200 messages"):
        read(tmp_path, rows)
