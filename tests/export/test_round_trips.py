"""What is exported and read again is the same: rows, ids, tool calls byte for byte."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.export.export import export_dataset
from tests.exporting import KINDS, PROMPTS, SFT, UNPAIRED, again, content, exported, of_kind

pytestmark = pytest.mark.slow  # makes stores: seconds for the file

UNEMPTY = [{"prompt": "你好", "ground_truth": "=1", "metadata": {"a": {"b": None}}}]  # CSV has no empty texts
OWN = ("hub", "jsonl", "datasets", "csv", "trl")

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
filled = text.map(lambda one: f"w{one}")
value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
mapping = st.dictionaries(text, value, max_size=4)
call = st.builds(
    lambda name, arguments, number: {
        "id": f"call{number:05d}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    },
    filled,
    mapping,
    st.integers(0, 9999),
)
tool = st.builds(
    lambda name, parameters: {"type": "function", "function": {"name": name, "parameters": parameters}}, filled, mapping
)


@st.composite
def sft_row(draw, further=True):
    """A conversation whose answer may have a trace, calls and their results, and odd keys."""
    turns = [{"role": "system", "content": draw(filled)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        turns += [{"role": "user", "content": draw(filled)}, {"role": "assistant", "content": draw(filled)}]
    turns.append({"role": "user", "content": draw(filled) * draw(st.sampled_from((1, 1, 300)))})
    turns[-1] |= {f"odd {draw(text)}": draw(value)} if further and draw(st.booleans()) else {}
    answer = {"role": "assistant", "content": draw(filled)}
    if draw(st.booleans()):
        answer["reasoning_content"] = draw(filled)
    row = {"prompt": turns, "completion": [answer], "metadata": draw(mapping)}
    if draw(st.booleans()):
        row["ground_truth"] = draw(text)
    if draw(st.booleans()):
        calls = [draw(call)]
        caller = {"role": "assistant", "content": draw(st.just("") | filled), "tool_calls": calls}
        result = {"role": "tool", "content": draw(text), "tool_call_id": calls[0]["id"]}
        row |= {"completion": [caller, result, answer], "tools": [draw(tool)]}
    return row


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", OWN)
def test_our_formats_give_back_rows_and_ids(tmp_path, kind, format):
    rows = PROMPTS[:1] + UNEMPTY if (format, kind) == ("csv", "prompt") else None
    first = of_kind(tmp_path / "first", kind, rows)
    export_dataset(first, "d", tmp_path / "out", format=format)
    read = again(tmp_path / "second", kind, tmp_path / "out")
    expected, found = content(first), content(read)
    assert found == expected and len(expected["prompts"]) > 1


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(sft_row(), min_size=1, max_size=8))
def test_any_rows_come_back(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("rows")
    first = of_kind(folder / "first", "sft", rows)
    expected = content(first)
    for format in ("hub", "jsonl", "datasets"):
        export_dataset(first, "d", folder / format, format=format)
        assert content(again(folder / f"from-{format}", "sft", folder / format)) == expected, format


def test_an_edited_row_gets_ids_of_its_own(tmp_path):
    folder = exported(tmp_path, "unpaired", "jsonl")
    lines = [json.loads(line) for line in (folder / "data/train.jsonl").read_text().splitlines()]
    lines[0]["completion"][0]["content"] = "The Nile."
    source = tmp_path / "edited.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    read = content(again(tmp_path / "second", "unpaired", source))["completions"]
    ids = [line["completion_id"] for line in lines]
    assert read[0][0] not in ids and read[1][0] == ids[1]


def test_an_exported_id_is_given_once(tmp_path):
    folder = exported(tmp_path, "unpaired", "jsonl")
    text = (folder / "data/train.jsonl").read_text()
    source = tmp_path / "twice.jsonl"
    source.write_text(text + text)
    read = content(again(tmp_path / "second", "unpaired", source))["completions"]
    assert len({row[0] for row in read}) == len(read) == 2


def test_a_broken_exported_row_is_read_like_any_other(tmp_path):
    folder = exported(tmp_path, "unpaired", "jsonl")
    line = json.loads((folder / "data/train.jsonl").read_text().splitlines()[0])
    source = tmp_path / "broken.jsonl"
    source.write_text(json.dumps({**line, "prompt": [{"from": "human", "value": "A hill?"}]}) + "\n")
    rows = content(again(tmp_path / "second", "unpaired", source))["prompts"]
    assert json.loads(rows[0][1]) == [{"role": "user", "content": "A hill?"}]


PLAIN = {
    "sft": [{"prompt": "Name a river.", "completion": "The Po."}, {"prompt": "你好", "completion": "好。"}],
    "preference": [{"prompt": "Name a river.", "chosen": "The Po.", "rejected": "Rome"}],
    "unpaired": UNPAIRED,
    "prompt": [{"prompt": "2 + 2?", "ground_truth": "4"}],
}
HELD = {
    "openai": ("sft", "preference"),
    "llamafactory": ("sft", "preference", "unpaired"),
    "axolotl": ("sft", "preference", "unpaired"),
    "ms-swift": ("sft", "preference", "unpaired", "prompt"),
    "verl": ("sft", "prompt"),
}


@pytest.mark.parametrize(("format", "kind"), [(format, kind) for format, kinds in HELD.items() for kind in kinds])
def test_other_formats_give_back_the_texts(tmp_path, format, kind):
    first = of_kind(tmp_path / "first", kind, PLAIN[kind])
    export_dataset(first, "d", tmp_path / "out", format=format)
    read = content(again(tmp_path / "second", kind, tmp_path / "out"), ids=False, truths=False)
    assert read == content(first, ids=False, truths=False)


# What does not come back of the made set, with its tools, calls, traces, marks and Chinese: keys of turns, and columns.
LOSES = {
    "openai": ("reasoning_content",),
    "llamafactory": ("weight", "id", "tool_call_id", "name"),
    "axolotl": (),
    "ms-swift": (),
    "verl": ("weight", "tools"),
}


@pytest.mark.parametrize("format", LOSES)
def test_the_made_set_comes_back_but_for_what_is_said(tmp_path, format):
    first = of_kind(tmp_path / "first", "sft")
    export_dataset(first, "d", tmp_path / "out", format=format)
    read = again(tmp_path / "second", "sft", tmp_path / "out")
    talks, expected = (without(conversations(store), LOSES[format]) for store in (read, first))
    assert talks == expected and len(talks) == len(SFT)


def conversations(store):
    """The turns of each row, with the tools: where a prompt ends is not in the formats of others."""
    rows = content(store, ids=False)["sft"]
    return [
        {"turns": json.loads(prompt) + json.loads(completion), "tools": json.loads(tools) if tools else None}
        for prompt, completion, tools in rows
    ]


def without(value, keys):
    """A value without keys of mappings; a name is one of a turn."""
    if isinstance(value, list):
        return [without(one, keys) for one in value]
    if not isinstance(value, dict):
        return value
    gone = [key for key in keys if key in value and not (key == "name" and "role" not in value)]
    return {key: without(one, keys) for key, one in sorted(value.items()) if key not in gone}


@pytest.mark.parametrize("format", ("openai", "axolotl", "ms-swift", "verl"))
@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(sft_row(further=False), min_size=1, max_size=5))
def test_their_tool_calls_come_back_byte_for_byte(tmp_path_factory, format, rows):
    folder = tmp_path_factory.mktemp("rows")
    for row in rows:
        for turn in row["completion"]:
            turn.pop("reasoning_content", None)
    first = of_kind(folder / "first", "sft", rows)
    export_dataset(first, "d", folder / "out", format=format)
    read = content(again(folder / "second", "sft", folder / "out"), ids=False, truths=False)
    turns = [json.loads(row[0]) + json.loads(row[1]) for row in read["sft"]]
    expected = [json.loads(row[0]) + json.loads(row[1]) for row in content(first, ids=False)["sft"]]
    assert [json.dumps(one) for one in turns] == [json.dumps(one) for one in expected]
