"""The mark of a file is another where its size, its beginning, its middle or its end is another."""

from pathlib import Path

import pytest

from curate.sources.files.same_file import LOOK, check_mark, mark_of
from curate.sources.files.spans import LINES_OF, ROWS_OF, WHOLE, Span
from schemas.errors import UserError

SIZE = 40 * LOOK


def span(path: Path, kind: str = WHOLE, begin: int = 0, end: int = SIZE) -> Span:
    return Span(str(path), "", kind, begin, end, 0, 1, end - begin)


def changed(content: bytes, place: int) -> bytes:
    return content[:place] + b"x" + content[place + 1 :]


@pytest.mark.parametrize("place", [0, 13 * LOOK, SIZE - 1])
def test_a_copy_with_other_bytes_is_refused(tmp_path, place):
    path, content = tmp_path / "rows.jsonl", bytes(SIZE)
    path.write_bytes(content)
    mark = mark_of(span(path))
    check_mark(span(path), mark)
    for other in (changed(content, place), content[:-1], content + b"x"):
        path.write_bytes(other)
        with pytest.raises(UserError, match=r"rows\.jsonl: on .* it is not the file that the run found"):
            check_mark(span(path), mark)


def test_a_small_file_is_looked_at_as_a_whole(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(bytes(500))
    mark = mark_of(span(path))
    for place in range(500):
        path.write_bytes(changed(bytes(500), place))
        assert mark_of(span(path)) != mark
    path.write_bytes(b"")
    assert mark_of(span(path)) == mark_of(span(path))


def test_a_range_of_bytes_is_looked_at_alone(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(bytes(SIZE))
    lines, rows = span(path, LINES_OF, LOOK, 2 * LOOK), span(path, ROWS_OF, 10, 20)
    before = mark_of(lines), mark_of(rows)
    path.write_bytes(changed(bytes(SIZE), 0))
    assert mark_of(lines) == before[0] and mark_of(rows) != before[1]
