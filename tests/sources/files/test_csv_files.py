"""CSV files of every kind: separators, Excel's first line, marks of UTF-8, quoted line ends."""

import pytest

from curate.sources.read_source import read_source
from schemas.errors import UserError

# (name, content, prompts, notes)
KINDS = [
    ("a.csv", "prompt;completion\nx;y\n", ["x"], ("fields separated by ';'",)),
    ("a.csv", "prompt\tcompletion\nx\ty\n", ["x"], ("fields separated by a tab",)),
    ("a.csv", "prompt|completion\nx|y\n", ["x"], ("fields separated by '|'",)),
    ("a.csv", '\ufeffprompt;completion\r\n"x;\r\n""z""";y\r\n', ['x;\r\n"z"'], ("fields separated by ';'",)),
    ("a.csv", "sep=;\r\nprompt;completion\r\nx;y\r\n", ["x"], ("fields separated by ';'",)),
    ("a.csv", "prompt\nx;y|z\n", ["x;y|z"], ()),
    ("a.csv", "prompt,completion\nx;y,z\n", ["x;y"], ()),
    ("a.tsv", "prompt\tcompletion\nx, y\tz\n", ["x, y"], ()),
    ("a.TSV", "prompt,completion\nx,y\n", ["x"], ("fields separated by a comma",)),
    ("a.tsv", "prompt\nx, y\n", ["x, y"], ()),
]


@pytest.mark.parametrize(("name", "content", "prompts", "notes"), KINDS, ids=range(len(KINDS)))
def test_kinds_of_csv(tmp_path, name, content, prompts, notes):
    (tmp_path / name).write_bytes(content.encode())
    found = read_source(tmp_path / name)
    assert (found.prompts["prompt"].to_list(), found.facts.notes) == (prompts, notes)


def test_a_file_of_blank_lines_has_no_header(tmp_path):
    (tmp_path / "a.csv").write_text("\n\n,\n")
    with pytest.raises(UserError, match=":3: the header names no column"):
        read_source(tmp_path / "a.csv")


def test_a_note_counts_the_files_it_is_true_of(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text(f"prompt;completion\n{name};y\n")
    assert read_source(tmp_path).facts.notes == ("fields separated by ';' (3 files)",)


# (content, prompts)
SPREADSHEETS = [
    ("prompt,completion,,\nx,y,,\nz,w,,\n", ["x", "z"]),
    ("prompt,completion,,\nx,y\nz,w,\n", ["x", "z"]),
    ("prompt,completion\nx,y,,,\nz,w\n", ["x", "z"]),
    ("prompt,completion,,\nx,y,,\n,,,\nz,w,,\n,,,\n\n", ["x", "z"]),
    (",prompt,,completion\n,x,,y\n", ["x"]),
    (",prompt\n0,x\n1,z\n", ["x", "z"]),
]


@pytest.mark.parametrize(("content", "prompts"), SPREADSHEETS)
def test_separators_at_the_ends_of_lines(tmp_path, content, prompts):
    (tmp_path / "a.csv").write_text(content)
    found = read_source(tmp_path / "a.csv")
    assert found.prompts["prompt"].to_list() == prompts


def test_several_columns_without_a_name(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,,\nx,1,\nx,,2\n")
    with pytest.raises(UserError, match="a.csv:3: the columns 2 and 3 hold values, and have no name; name each"):
        read_source(tmp_path / "a.csv")
