"""SQL of a recipe (``where``, ``filter``, ``combine``) sees the rows and nothing else: no file, no setting."""

import polars as pl
import pytest

from curate.score.combine import score
from curate.steps.sql_conditions import holds, values
from schemas.errors import UserError

pytestmark = pytest.mark.slow  # seconds for the file

SECRET = "a secret that no score may tell"
REFUSED = (
    "disabled|does not exist|Cannot change|cannot be changed|not supported|syntax error|locked|not found|no table|"
    "not in the catalog"
)
READS = [
    "(SELECT count(*) FROM read_csv('{file}.csv'))",
    "(SELECT length(content) FROM read_text('{file}.txt'))",
    "(SELECT length(content) FROM read_blob('{file}.txt'))",
    "(SELECT count(*) FROM read_json('{file}.json'))",
    "(SELECT count(*) FROM read_parquet('{file}.parquet'))",
    "(SELECT count(*) FROM parquet_scan('{file}.parquet'))",
    "(SELECT count(*) FROM glob('{folder}/*'))",
    "(SELECT count(*) FROM '{file}.parquet')",
    "(SELECT count(*) FROM '{file}.csv')",
    '(SELECT count(*) FROM "{file}.csv")',
    "(SELECT count(*) FROM sniff_csv('{file}.csv'))",
    "(SELECT count(*) FROM sqlite_scan('{file}.db', 't'))",
    "length(getenv('HOME'))",
    "(SELECT count(*) FROM 'https://example.invalid/rows.csv')",
]
STATEMENTS = [
    "ATTACH '{file}.duckdb' AS other",
    "COPY (SELECT 1) TO '{folder}/written.csv'",
    "EXPORT DATABASE '{folder}/written'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{file}.txt'",
    "SET enable_external_access = true",
    "SET allow_unsigned_extensions = true",
    "PRAGMA enable_external_access = true",
]


@pytest.fixture
def place(tmp_path):
    """The folder of files with a secret, and a line to fill ``{file}`` and ``{folder}`` in."""
    rows = pl.DataFrame({"text": [SECRET], "m": [1.0]})
    (tmp_path / "secret.txt").write_text(SECRET)
    rows.write_csv(tmp_path / "secret.csv")
    rows.write_ndjson(tmp_path / "secret.json")
    rows.write_parquet(tmp_path / "secret.parquet")
    return {"file": str(tmp_path / "secret"), "folder": str(tmp_path)}


def scores(*more):
    return pl.DataFrame({"m": [1.0, 0.5], "response": ["a", "b"], **{name: [0.1, 0.2] for name in more}})


@pytest.mark.parametrize("sql", READS)
def test_combine_with_a_score_named_reads_no_file(sql, place):
    with pytest.raises(UserError, match=REFUSED):
        score(scores(), sql=f"m + {sql.format(**place)}")


@pytest.mark.parametrize("sql", READS)
def test_a_condition_reads_no_file(sql, place):
    with pytest.raises(UserError, match=REFUSED):
        holds(scores(), f"m + {sql.format(**place)} > 0", "r.yaml:3")


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("around", ["m) AS value FROM rows; {}; SELECT __row, (m", "m > 0) FROM rows; {}; SELECT (1"])
def test_no_statement_gets_in(statement, around, place, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError):
        values(scores(), around.format(statement.format(**place)), "sql")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "txt"])
def test_a_score_named_after_a_path_is_that_score(ending, place):
    named = f"{place['file']}.{ending}"
    found = score(scores(named), sql=f'm + "{named}"')
    assert found["value"].to_list() == [1.1, 0.7]
    with pytest.raises(UserError, match=REFUSED):
        score(scores(named), sql=f"m + (SELECT count(*) FROM '{named}')")


@pytest.mark.parametrize("named", ["read_text", "glob", "getenv", "rows", "duckdb_settings"])
def test_a_score_named_after_a_function_is_that_score(named, place):
    assert score(scores(named), sql=f'm + "{named}"')["value"].to_list() == [1.1, 0.7]
    with pytest.raises(UserError, match=REFUSED):
        score(scores(named), sql=f"{named} + (SELECT count(*) FROM read_text('{place['file']}.txt'))")


def test_no_variable_of_python_is_a_table():
    hidden = pl.DataFrame({"text": [SECRET]})
    assert hidden.height == 1
    for name in ("hidden", "SECRET", "rows_of_python", "con"):
        with pytest.raises(UserError, match="no table"):
            values(scores(), f"m + (SELECT count(*) FROM {name})", "sql")
