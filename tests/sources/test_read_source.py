"""Reading sources: file formats, line numbers, refused rows, and messages that stay as they are."""

import gzip
import json
import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.sources.read_source import read_source
from schemas.call_ids import call_id
from schemas.errors import UserError
from schemas.reasoning import split_reasoning
from schemas.rows import COMPLETIONS, PROMPTS, SCORES

ROWS = [
    {"prompt": "Grüße, 2+2?", "ground_truth": "4", "completions": ["4", "5"]},
    {"prompt": "3+3?", "ground_truth": "6", "level": "easy"},
]
GOOD = b'{"prompt": "one"}\n'


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path, **options):
    """Return the error that reading raises, which is one line that begins with the path, without the path."""
    with pytest.raises(UserError) as caught:
        read_source(path, **options)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(str(path)), text
    return text.removeprefix(str(path))


def test_the_tables_of_a_jsonl_file(tmp_path):
    found = read_source(write(tmp_path / "seeds.jsonl", lines(ROWS)))
    only_made = ("parent_ids", "family", "answered_by")  # for rows that a model made
    assert found.prompts.columns == [c for c in PROMPTS if c not in only_made]
    assert found.completions.columns == [c for c in COMPLETIONS if c not in only_made]
    assert found.scores.columns == list(SCORES)
    first, second = found.prompts.rows(named=True)
    assert json.loads(first["messages"]) == [{"role": "user", "content": "Grüße, 2+2?"}]
    assert (first["prompt"], first["ground_truth"], first["source"]) == ("Grüße, 2+2?", "4", "seeds.jsonl")
    assert (first["line"], first["metadata"], first["tools"]) == (1, None, None)
    assert (second["line"], second["metadata"]) == (2, '{"level":"easy"}')
    answers = found.completions.select("prompt_id", "sample_index", "model", "response", "messages", "parent_id").rows()
    assert answers == [
        (first["prompt_id"], i, "recorded", text, f'[{{"role":"assistant","content":"{text}"}}]', None)
        for i, text in enumerate("45")
    ]
    assert found.facts.row_formats == {"prompt with completions": 1, "prompt": 1}
    assert found.scores.height == found.decisions.height == 0


def test_every_format_reads_the_same(tmp_path):
    plain = [{"prompt": r["prompt"], "ground_truth": r["ground_truth"]} for r in ROWS]
    frame = pl.DataFrame(plain)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "a.csv")
    write(tmp_path / "a.jsonl", lines(plain))
    write(tmp_path / "bom.jsonl", b"\xef\xbb\xbf" + lines(plain).replace(b"\n", b"\r\n\r\n"))
    write(tmp_path / "bom.csv", b"\xef\xbb\xbf" + (tmp_path / "a.csv").read_bytes())
    write(tmp_path / "a.ndjson", lines(plain).rstrip(b"\n"))
    write(tmp_path / "a.jsonl.gz", gzip.compress(lines(plain)))
    write(tmp_path / "list.json", json.dumps(plain, indent=1))
    write(tmp_path / "lines.json", lines(plain))
    write(tmp_path / "one.json", json.dumps(plain[0], indent=1))
    expected = read_source(tmp_path / "a.jsonl", name="x").prompts.drop("line", "file")
    assert expected["prompt"].to_list() == ["Grüße, 2+2?", "3+3?"]
    for path in tmp_path.iterdir():
        found = read_source(path, name="x").prompts.drop("line", "file")
        assert found.equals(expected.head(1) if path.name == "one.json" else expected), path.name


def test_lines_are_the_files_own(tmp_path):
    path = write(tmp_path / "a.jsonl", b"\n" + GOOD + b"\n\n" + b'{"prompt": "two"}')
    assert read_source(path).prompts["line"].to_list() == [2, 5]


def test_gaps_that_parquet_fills_are_gaps_again(tmp_path):
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    turns = [
        {"role": "user", "content": "x", "tool_calls": None},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    pl.DataFrame({"messages": [turns], "weight": [float("nan")]}).write_parquet(tmp_path / "a.parquet")
    found = read_source(tmp_path / "a.parquet")
    assert found.prompts["messages"].to_list() == ['[{"role":"user","content":"x"}]']
    assert json.loads(found.completions["messages"][0])[0]["tool_calls"] == [
        {"id": call_id(0, 0, call["function"]), **call}
    ]
    assert found.prompts["metadata"].to_list() == [None]


def test_csv_fields_with_line_ends_and_json(tmp_path):
    frame = pl.DataFrame({"prompt": ['two\nlines\u2028, "quoted"', "x" * 200_000], "completions": ['["4"]', None]})
    frame.write_csv(tmp_path / "a.csv")
    found = read_source(tmp_path / "a.csv")
    assert found.prompts["prompt"].to_list() == frame["prompt"].to_list()
    assert found.completions["response"].to_list() == ["4"]


def test_ids_are_of_content(tmp_path):
    one = read_source(write(tmp_path / "a.jsonl", lines(ROWS)))
    other = read_source(write(tmp_path / "b.jsonl", lines([*ROWS[::-1], {"prompt": "3+3?", "ground_truth": "7"}])))
    assert one.prompts["prompt_id"].to_list() == other.prompts["prompt_id"].to_list()[1::-1]
    assert one.completions["completion_id"].equals(other.completions["completion_id"])
    assert other.prompts["prompt_id"].n_unique() == 3, "another ground truth is another prompt"


def test_recorded_scores_belong_to_their_candidates(tmp_path):
    row = {
        "question": "2+2?",
        "ground_truth": "4",
        "a": {"solution": "5", "is_correct": False},
        "b": {"solution": "4", "is_correct": True},
    }
    found = read_source(write(tmp_path / "a.jsonl", lines([row])))
    joined = found.completions.join(found.scores, left_on="completion_id", right_on="row_id")
    assert joined.select("model", "scorer", "value", "error").rows() == [
        ("a", "is_correct", 0.0, None),
        ("b", "is_correct", 1.0, None),
    ]
    empty = {"prompt": "x", "completions": [{"response": "y", "scores": {"judge": None}}]}
    found = read_source(write(tmp_path / "b.jsonl", lines([empty])))
    assert found.scores.select("value", "error").rows() == [(None, "recorded without a value")]


def test_a_prompt_that_comes_again_is_one_prompt(tmp_path):
    rows = [
        {"prompt": "x", "completions": ["a", "a"]},
        {"prompt": "x", "completions": ["a", "b", "b"]},
        {"prompt": "x", "completions": ["a", "a"]},
        {"prompt": "x", "id": 4},
    ]
    found = read_source(write(tmp_path / "a.jsonl", lines(rows)))
    assert found.prompts["line"].to_list() == [1]
    assert found.completions.select("sample_index", "response").rows() == [(0, "a"), (1, "a"), (2, "b"), (3, "b")]
    assert found.completions["completion_id"].n_unique() == 4
    prompt_id = found.prompts["prompt_id"][0]
    assert found.decisions.rows() == [
        ("a.jsonl:2", False, "same prompt as line 1; its answers joined", prompt_id),
        ("a.jsonl:3", False, "exact copy of line 1", prompt_id),
        ("a.jsonl:4", False, "same prompt as line 1; its metadata differ", f'{prompt_id}, metadata {{"id":4}}'),
    ]


# (name, content, words of the message after the path)
REFUSED = [
    ("a.jsonl", b"", [": the file is empty"]),
    ("a.jsonl", b"\n \n", [": has no rows"]),
    ("a.json", b" \n", [": the file is empty"]),
    ("a.json", b"[]", [": has no rows"]),
    ("a.csv", b"prompt\n", [": has no rows"]),
    ("a.txt", b"x", ["no source format '.txt'", ".jsonl"]),
    ("a.jsonl", GOOD + b'{"prompt": "caf\xe9"}\n', [":2: not UTF-8: byte 0xe9 at byte 33 of the file"]),
    ("a.jsonl", "{}".encode("utf-16"), [":1: not UTF-8", "looks like UTF-16"]),
    ("a.json", b'[\n{"prompt": "caf\xe9"}]', [":2: not UTF-8: byte 0xe9 at byte 17"]),
    ("a.jsonl", GOOD + b'{"prompt": "tw', [":2:12: not JSON: unterminated string", "cut off", "1 of 2 rows is bad"]),
    ("a.jsonl", b"{'prompt': 1}\n" + GOOD, [":1:2: not JSON", "1 of 2 rows is bad", "on_error: drop"]),
    ("a.jsonl", GOOD + b'"two"\n5\n', [":2: expected a row such as", "found text", "2 of 3 rows are bad"]),
    ("a.jsonl", b'[{"prompt": "one"}]\n', [":1: expected a row", "found a list", "named .json"]),
    ("a.jsonl", GOOD + b'{"promt": "two"}\n', [":2: no prompt or messages", "'promt'", "did you mean 'prompt'"]),
    ("a.jsonl", b'{"prompt": Infinity}\n', [":1: 'prompt' is a number"]),
    ("a.jsonl", b'{"prompt": "x", "v": ' + b"[" * 100_000 + b"\n", [":1: not JSON", "nested too deeply"]),
    ("a.jsonl", b'{"prompt": "\\ud83d"}\n', [":1: 'prompt' holds \\ud83d, half of a surrogate pair"]),
    ("a.json", b'[{"prompt": "one"}, {"prompt": 5}]', [": row 2: 'prompt' is a number"]),
    ("a.json", b'[{"prompt": "one"}, 7]', [": row 2: expected a mapping", "found a number"]),
    ("a.json", b'[{"prompt": "one"},\n {"prompt": "tw', [": row 2: not JSON at line 2, column 13", "looks cut off"]),
    ("a.json", b'[{"prompt": "one"},\n', [": row 2: not JSON at line 2, column 1: the list does not end", "cut off"]),
    ("a.json", b'[{"prompt": "one"} {"prompt": "two"}]', [": row 2: not JSON", "expecting ',' or ']'"]),
    ("a.json", b'[{"prompt": "one"}] x', [": row 2: not JSON", "extra data"]),
    (
        "a.json",
        b'{"a": [{"prompt": "one"}], "b": [{"prompt": "two"}]}',
        [": expected one list", "'a' (1), 'b' (1)", "split: a"],
    ),
    ("a.json", b"5", [": expected a list of rows, found a number"]),
    (
        "a.jsonl.gz",
        gzip.compress(b"".join(b'{"prompt": "%d"}\n' % random.Random(i).getrandbits(90) for i in range(3000)))[:-900],
        ["the file looks cut off", "compressed"],
    ),
    ("a.jsonl.gz", GOOD, [":1: not compressed with gzip"]),
    ("a.csv", b"prompt,prompt\n1,2\n", [":1: two columns are named 'prompt'"]),
    ("a.csv", b"prompt,answer\none,1\ntwo", [": row 2: expected 2 fields", "found 1", "line 3", "looks cut off"]),
    ("a.csv", b"prompt,answer\none,1,2\ntwo,2\n", [": row 1: expected 2 fields", "found 3"]),
    ("a.csv", b'prompt\none\n"two', [": row 2: not CSV", "looks cut off"]),
    ("a.parquet", b"PAR1 but no more than that PAR1", [": not a Parquet file"]),
]


@pytest.mark.parametrize("name, content, words", REFUSED, ids=[f"{i}-{c[0]}" for i, c in enumerate(REFUSED)])
def test_refused_with_line_and_problem(tmp_path, name, content, words):
    text = refusal(write(tmp_path / name, content))
    assert [word for word in words if word not in text] == [], text


def test_missing_files_name_the_nearest(tmp_path):
    write(tmp_path / "seeds.jsonl", GOOD)
    assert "did you mean 'seeds.jsonl'" in refusal(tmp_path / "seed.jsonl")
    assert "there is no folder" in refusal(tmp_path / "no" / "seeds.jsonl")
    (tmp_path / "empty").mkdir()
    assert "the folder has no data file; expected files such as" in refusal(tmp_path / "empty")
    with pytest.raises(UserError, match="cannot be read"):
        read_source(tmp_path / ("x" * 5000 + ".jsonl"))


def test_drop_keeps_the_good_rows_and_says_why(tmp_path):
    content = GOOD + b'{"promt": "two"}\n' + b'{"prompt": "caf\xe9"}\n' + b'{"prompt": "three"}\n{"prompt": "fo'
    found = read_source(write(tmp_path / "a.jsonl", content), on_error="drop")
    assert found.prompts["prompt"].to_list() == ["one", "three"]
    assert found.decisions["row_id"].to_list() == ["a.jsonl:2", "a.jsonl:3", "a.jsonl:5"]
    assert found.decisions["kept"].to_list() == [False] * 3
    assert found.decisions["evidence"].to_list() == ['{"promt":"two"}', '{"prompt": "caf�"}', '{"prompt": "fo']
    for reason, words in zip(found.decisions["reason"], ["no prompt", "not UTF-8", "cut off"], strict=True):
        assert words in reason
    torn = write(tmp_path / "a.json", b'[{"prompt": "one"}, {"prompt": Infinity}, {"prompt": "three"}, {"pro')
    found = read_source(torn, on_error="drop")
    assert found.prompts["line"].to_list() == [1, 3]
    assert found.decisions["row_id"].to_list() == ["a.json:2", "a.json:4"]


def test_drop_cuts_evidence_and_refuses_a_file_of_bad_rows(tmp_path):
    long = write(tmp_path / "a.jsonl", GOOD + lines([{"body": "x" * 1000}]))
    assert len(read_source(long, on_error="drop").decisions["evidence"][0]) == 200
    bad = write(tmp_path / "b.jsonl", b'{"promt": 1}\n{"promt": 2}\n')
    assert "none of the 2 rows can be read" in refusal(bad, on_error="drop")
    half = write(tmp_path / "c.jsonl", GOOD + b'{"prompt": "\\ud83d"}\n')
    assert "\\ud83d" in read_source(half, on_error="drop").decisions["evidence"][0]


def test_options_that_do_not_exist(tmp_path):
    path = write(tmp_path / "a.jsonl", GOOD)
    assert "no on_error 'drp'; did you mean 'drop'" in refusal(path, on_error="drp")
    assert "limit" in refusal(path, limit=0)
    assert "name: expected text" in refusal(path, name=5)


def test_limit_reads_the_first_rows_only(tmp_path):
    path = write(tmp_path / "a.jsonl", GOOD + b'{"prompt": "two"}\nnot json\n')
    assert read_source(path, limit=2).prompts["prompt"].to_list() == ["one", "two"]


def test_fields_name_what_is_not_recognised(tmp_path):
    row = {
        "body": {"q": "2+2?", "id": 9},
        "sol": "4",
        "a": {"text": "5", "right": False, "note": "n"},
        "b": {"text": "4", "right": True},
        "answer": "kept",
    }
    path = write(tmp_path / "a.jsonl", lines([row]))
    fields = {"prompt": "body.q", "ground_truth": "sol", "completions": ["a.text", "b.text"]}
    found = read_source(path, fields=fields)
    assert found.prompts.select("prompt", "ground_truth").rows() == [("2+2?", "4")]
    assert found.completions.select("model", "response").rows() == [("a", "5"), ("b", "4")]
    assert found.scores.select("scorer", "value").rows() == [("right", 0.0), ("right", 1.0)]
    assert json.loads(found.prompts["metadata"][0]) == {
        "body": {"id": 9},
        "answer": "kept",
        "completions": [{"note": "n"}, {}],
    }
    one = read_source(path, fields={"prompt": "body.q", "completions": "sol"})
    assert one.completions["response"].to_list() == ["4"]
    mappings = read_source(path, fields={"prompt": "body.q", "completions": ["sol", "answer"]})
    assert mappings.completions.select("model", "response").rows() == [("sol", "4"), ("answer", "kept")]
    both = read_source(path, fields={"prompt": "body.q", "completions": ["a.text", "a.note"]})
    assert both.completions.select("model", "response").rows() == [("a.text", "5"), ("a.note", "n")]


def test_fields_name_context_model_and_reasoning_too(tmp_path):
    row = {
        "q": "When?",
        "about": "It began in 2003.",
        "a": "In 2003.",
        "by": "m",
        "why": "It says so.",
        "response": "x",
    }
    path = write(tmp_path / "a.jsonl", lines([row]))
    fields = {"prompt": "q", "context": "about", "completion": "a", "model": "by", "reasoning_content": "why"}
    found = read_source(path, fields=fields)
    assert found.prompts["prompt"].to_list() == ["When?\n\nIt began in 2003."]
    assert found.completions.select("model", "response", "reasoning_content").rows() == [
        ("m", "In 2003.", "It says so.")
    ]
    assert found.facts.unused == {"response": 1}


def test_fields_that_no_row_has(tmp_path):
    path = write(tmp_path / "a.jsonl", lines([{"question": "2+2?", "meta": {"answer": "4"}}]))
    text = refusal(path, fields={"prompt": "questoin"})
    assert ": fields.prompt: no row has a key 'questoin'; did you mean 'question'" in text
    wrong = {"prompt": "question", "ground_truth": "meta.anser"}
    assert "'meta.anser'; did you mean 'meta.answer'" in refusal(path, fields=wrong)
    refused: list[tuple[Any, str]] = [
        ({"promt": "question"}, "did you mean 'prompt'"),
        ({"prompt": 5}, "fields.prompt"),
        ({"prompt": ["question"]}, "fields.prompt"),
        ([], "fields: expected"),
    ]
    for fields, words in refused:
        with pytest.raises(UserError, match=words):
            read_source(path, fields=fields)
    mixed = write(tmp_path / "b.jsonl", lines([{"question": "2+2?"}, {"other": "x"}]))
    assert ":2: no 'question', which 'fields' names as the prompt" in refusal(mixed, fields={"prompt": "question"})


# Texts without a reasoning trace, which is kept apart (tests/schemas/test_reasoning.py).
anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: not text.isspace() and split_reasoning(text) == (None, text)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(anything, anything, anything), min_size=1, max_size=4), st.sampled_from(["jsonl", "json"]))
def test_messages_survive_as_they_are(tmp_path_factory, texts, ending):
    rows: list[dict[str, Any]] = [
        {
            "messages": [
                {"role": "user", "content": ask},
                {"role": "assistant", "content": reply},
                {"role": "user", "content": again},
            ],
            "completions": [reply, again],
            "id": index,
        }
        for index, (ask, reply, again) in enumerate(texts)
    ]
    content = lines(rows) if ending == "jsonl" else json.dumps(rows).encode()
    found = read_source(write(tmp_path_factory.mktemp("trip") / f"a.{ending}", content))
    first = {json.dumps(row["messages"]): row for row in reversed(rows)}
    kept = found.prompts.rows(named=True)
    assert len(kept) == len(first) == len(rows) - found.decisions.height
    for prompt in kept:
        row = first[json.dumps(json.loads(prompt["messages"]))]
        assert (prompt["prompt"], json.loads(prompt["metadata"])["id"]) == (row["messages"][-1]["content"], row["id"])
        answers = found.completions.filter(pl.col("prompt_id") == prompt["prompt_id"])["response"].to_list()
        assert answers == row["completions"]
