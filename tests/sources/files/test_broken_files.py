"""Files that are broken within: what can be read is read, and what is not read further is said."""

import gzip
import json
import random

import pytest

from curate.sources.read_source import read_source
from curate.sources.source_summary import source_summary, source_warnings
from schemas.errors import UserError

ITEMS = [f'{{"prompt": "p{i}", "messages_seen": [{{"role": "user"}}, {{"role": "bot"}}]}}' for i in range(6)]
PRETTY = [json.dumps({"prompt": f"p{i}", "extra": [{"prompt": "inner"}]}, indent=2) for i in range(3)]


def dropped(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_source(path, on_error="drop")


def prompts(found):
    return found.prompts["prompt"].to_list()


def said(found):
    """What a user sees of a source: its line, and its warnings."""
    return source_summary(found.facts), source_warnings(found.facts, None)


def test_a_quoted_field_without_an_end(tmp_path):
    lines = ["prompt,id", *(f"p{i},{i}" for i in range(1, 1000))]
    lines[100] = '"p100,100'
    found = dropped(tmp_path / "a.csv", "\n".join(lines))
    assert prompts(found) == [f"p{i}" for i in range(1, 100)]
    line, warnings = said(found)
    assert "1 row refused" in line and "nothing is read after line 100 of a.csv" in line
    assert warnings[0].startswith("nothing is read after line 100 of a.csv, for it is broken there (not CSV")
    assert "a quoted field that begins after line 100 does not end" in warnings[0]


def test_compressed_files_that_are_cut_off(tmp_path):
    lines = b"".join(b'{"prompt": "%d"}\n' % random.Random(i).getrandbits(90) for i in range(3000))
    found = dropped(tmp_path / "a.jsonl.gz", gzip.compress(lines)[:-900])
    assert 2000 < found.prompts.height < 3000
    assert found.facts.notes == (f"nothing is read after line {found.prompts.height:,} of a.jsonl.gz",)
    assert "the file looks cut off" in said(found)[1][0]
    (tmp_path / "d").mkdir()
    (tmp_path / "d/b.jsonl").write_text('{"prompt": "b"}')
    (tmp_path / "d/a.csv").write_text('prompt\n"x')
    assert prompts(read_source(tmp_path / "d", on_error="drop")) == ["b"]
    assert read_source(tmp_path / "d", on_error="drop").facts.notes == ("nothing is read after line 1 of d/a.csv",)


# (how the items are joined, the item that is broken, what stands in its place)
BROKEN = [
    ("[{}]", ", ", '{"prompt": "p2, "x": [}'),
    ("[{}]", ",\n", '{"prompt": p2}'),
    ("[\n  {}\n]", ",\n  ", '{"prompt": "p2}'),
    ("[\n{}\n]", ",\n", '{"prompt": "p2",'),
    ("[{}]", ", ", "oops"),
    ("[\n  {}\n]", ",\n  ", "oops"),
]


@pytest.mark.parametrize(("whole", "between", "broken"), BROKEN)
def test_a_list_goes_on_behind_a_broken_item(tmp_path, whole, between, broken):
    items = [*ITEMS[:2], broken, *ITEMS[3:]]
    found = dropped(tmp_path / "a.json", whole.replace("{}", between.join(items)))
    assert prompts(found) == ["p0", "p1", "p3", "p4", "p5"]
    assert found.decisions["row_id"].to_list() == ["a.json:3"] and not found.facts.warnings
    assert "; the next row is taken from line " in found.decisions["reason"][0]
    with pytest.raises(UserError, match="row 3: not JSON at line .*1 of 6 rows is bad"):
        read_source(tmp_path / "a.json")


def test_a_list_whose_rest_is_lost(tmp_path):
    found = dropped(tmp_path / "a.json", f"[{', '.join(ITEMS[:2])}, {{'x'}}, 5]")
    assert prompts(found) == ["p0", "p1"] and found.facts.notes == ("nothing is read after row 2 of a.json",)
    found = dropped(tmp_path / "b.json", f"[{', '.join(ITEMS)},\n]\n")
    assert len(prompts(found)) == 6 and found.facts.notes == ("a comma behind the last row",)
    found = dropped(tmp_path / "c.json", f"[{ITEMS[0]} {ITEMS[1]}, {ITEMS[2]}]")
    assert prompts(found) == ["p0", "p2"] and "expecting ',' or ']'" in found.decisions["reason"][0]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz"])
def test_rows_over_several_lines(tmp_path, name):
    for between in ("\n", ",\n", "\n\n"):
        text = between.join(PRETTY).encode()
        found = dropped(tmp_path / name, gzip.compress(text) if name.endswith("gz") else text)
        assert (prompts(found), found.facts.notes) == (["p0", "p1", "p2"], ("rows over several lines",))
        lines = [1, 2, 3] if name == "a.json" else [1, 9 + (between == "\n\n"), 17 + 2 * (between == "\n\n")]
        assert found.prompts["line"].to_list() == lines
    broken = "\n".join([PRETTY[0], PRETTY[1].replace('"p1"', "p1"), PRETTY[2]]).encode()
    found = dropped(tmp_path / name, gzip.compress(broken) if name.endswith("gz") else broken)
    assert prompts(found) == ["p0", "p2"] and not found.facts.warnings
    cut = "\n".join(PRETTY).encode()[:-5]
    found = dropped(tmp_path / name, gzip.compress(cut) if name.endswith("gz") else cut)
    assert prompts(found) == ["p0", "p1"] and "nothing is read after" in found.facts.notes[1]


def test_several_rows_or_a_comma_on_a_line(tmp_path):
    found = dropped(
        tmp_path / "a.jsonl", '{"prompt": "a"},\n{"prompt": "b"} {"prompt": "c"}{"prompt": "d"}\n{"prompt": "e"}'
    )
    assert prompts(found) == ["a", "b", "c", "d", "e"] and found.prompts["line"].to_list() == [1, 2, 2, 2, 3]
    assert found.facts.notes == ("commas at the ends of lines", "several rows on one line")
    found = dropped(tmp_path / "b.jsonl", '{"prompt": "a"} 5\n{"prompt": "b"}\n{"prompt": \n"c"}\n')
    assert prompts(found) == ["b"] and found.decisions.height == 3
    assert found.decisions["reason"][1].endswith("; expected the whole row on one line")
    found = dropped(tmp_path / "d.jsonl", '{"prompt": "a"},\n{"prompt": "b"},\n')
    assert found.facts.notes == ("commas at the ends of lines",)
    (tmp_path / "c.jsonl").write_text('[\n{"prompt": "a"}\n]\n')
    with pytest.raises(UserError, match=":1:1: not JSON.*a file that holds one list of rows is named .json"):
        read_source(tmp_path / "c.jsonl")
