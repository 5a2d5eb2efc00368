"""The contract of every step: its settings, its result for a row, for no row and for nulls.

No test names a step: a new file in ``curate/score`` is covered at once. Steps that ask a model, and finding steps, have
files of their own.
"""

import pytest

from curate.steps.find_step import FUNCTIONS, find_step, step_names, step_summary
from curate.steps.settings import check_settings
from schemas.errors import UserError
from tests.steps.contract_table import EVERY, GIVEN, REQUIRED, TEXTS, check_shape, outcome, table, whole


@pytest.fixture(params=EVERY, ids=".".join)
def step(request):
    return request.param


def test_every_kind_has_steps():
    assert all(step_names(kind) for kind in FUNCTIONS)
    assert set(REQUIRED) <= set(EVERY), "a step that is gone"


def test_has_docstrings_and_a_summary(step):
    found = find_step(*step)
    assert found.doc and found.function.__doc__, "the module and the function each need a docstring"
    assert step_summary(*step) == found.doc.splitlines()[0]
    assert len(step_summary(*step)) <= 120


def test_reads_at_least_one_column_and_only_those_there_are(step):
    found = find_step(*step)
    assert found.reads and found.makes in FUNCTIONS[step[0]]
    assert set(found.reads) <= set(table()), "a column no table has"


def test_its_settings_have_defaults_or_are_known_to_be_required(step):
    found = find_step(*step)
    assert set(found.required) == set(REQUIRED.get(step, {}))
    given = GIVEN.get(step, {})
    filled = check_settings(found, given, "r.yaml:1", seed=3)
    assert filled == {**found.defaults, **({"seed": 3} if "seed" in found.defaults else {}), **given}
    for name in found.required:
        with pytest.raises(UserError, match=f"^r.yaml:1: {step[0]} '{step[1]}' needs the setting '{name}'$"):
            check_settings(found, {k: v for k, v in given.items() if k != name}, "r.yaml:1")


def test_refuses_an_unknown_setting(step):
    found = find_step(*step)
    with pytest.raises(UserError, match=f"^r.yaml:1: no setting of {step[0]} '{step[1]}' called 'no_such'"):
        check_settings(found, {**REQUIRED.get(step, {}), "no_such": 1}, "r.yaml:1")


def test_refuses_a_setting_of_the_wrong_type(step):
    found = find_step(*step)
    for name in (*found.required, *found.defaults):
        with pytest.raises(UserError, match=f"^r.yaml:1: {step[0]} '{step[1]}': {name}: expected .*found") as caught:
            check_settings(found, {**REQUIRED.get(step, {}), name: {"a": object}}, "r.yaml:1")
        assert "\n" not in str(caught.value)


def test_gives_a_row_for_a_row_and_never_a_nan(step):
    columns = table()
    check_shape(*step, outcome(*step, columns), columns)


def test_gives_the_same_twice(step):
    assert outcome(*step, table()).equals(outcome(*step, table()), null_equal=True)


def test_takes_an_empty_table(step):
    result = outcome(*step, table([]))
    check_shape(*step, result, table([]))
    assert result.height == 0


@pytest.mark.parametrize("row", range(len(TEXTS)))
def test_takes_a_table_of_one_row(step, row):
    columns = table([row])
    check_shape(*step, outcome(*step, columns), columns)


def test_takes_nothing_but_nulls(step):
    columns = {n: s.clear(4) if n not in ("prompt_id", "completion_id") else s.head(4) for n, s in table().items()}
    result = outcome(*step, columns)
    check_shape(*step, result, columns)
    if find_step(*step).makes in ("score", "ask", "write", "candidates"):
        assert result["value"].is_null().all(), "a value out of nothing"
    if find_step(*step).makes == "dedup":
        assert result["duplicate_of"].is_null().all(), "nothing duplicates nothing"
    if find_step(*step).makes in ("pair", "prompts"):
        assert result.is_empty()


def test_leaves_its_input_alone(step):
    columns = table()
    outcome(*step, columns)
    assert all(columns[n].equals(s, null_equal=True) for n, s in table().items())


@pytest.mark.parametrize("name", [n for n in step_names("score")])
def test_a_scorer_says_why_a_row_has_no_value_and_gives_no_value_with_an_error(name):
    result = outcome("score", name, table())
    if "error" in result.columns:
        assert (result["value"].is_null() == result["error"].is_not_null()).all()


@pytest.mark.parametrize("name", [n for n in step_names("score")])
def test_a_score_does_not_depend_on_the_other_rows(name):
    if whole(name):
        pytest.skip("it reads the other rows")
    all_ = outcome("score", name, table())["value"].to_list()
    alone = [outcome("score", name, table([r]))["value"][0] for r in range(len(TEXTS))]
    assert all_ == alone


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, n in EVERY if k in ("dedup", "select")])
def test_a_row_left_out_has_a_reason_and_names_a_row_that_is_kept(kind, name):
    result = outcome(kind, name, table())
    ids = table()["completion_id"].to_list()
    if "duplicate_of" in result.columns:
        assert result["duplicate_of"].drop_nulls().len() >= 1, "the table has an exact copy"
        kept = result["duplicate_of"].is_null()
        assert all(kept[row] for row in result["duplicate_of"].drop_nulls())
        assert (kept == result["similarity"].is_null()).all()
    elif "kept" in result.columns:
        kept = result["kept"]
        assert kept.null_count() == 0 and kept.any()
        for column in {"reason", "evidence", "nearest", "similarity"} & set(result.columns):
            assert result[column].filter(kept).is_null().all(), column
        if "reason" in result.columns:
            assert result["reason"].filter(~kept).is_not_null().all()
        if "nearest" in result.columns:
            assert all(kept[row] for row in result["nearest"].drop_nulls())
    else:
        assert set(result["chosen_id"]) | set(result["rejected_id"]) <= set(ids)
        assert (result["chosen_id"] != result["rejected_id"]).all() and result.height >= 1
        assert result.n_unique() == result.height
