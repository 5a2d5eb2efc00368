"""The contract of every step: its settings, its result for a row, for no row and for nulls.

No test names a step: a new file in ``curate/score`` is covered at once. Each test goes through all steps and names
those that fail. Steps that ask a model, and finding steps, have files of their own.
"""

import pytest

from curate.steps.find_step import FUNCTIONS, find_step, step_names, step_summary
from curate.steps.settings import check_settings
from schemas.errors import UserError
from tests.steps.contract_table import (
    EVERY,
    GIVEN,
    REQUIRED,
    TEXTS,
    check_shape,
    failing,
    outcome,
    outcome_of_rows,
    table,
    whole,
)

SCORERS = [(kind, name) for kind, name in EVERY if kind == "score"]


def test_every_kind_has_steps():
    assert all(step_names(kind) for kind in FUNCTIONS)
    assert set(REQUIRED) <= set(EVERY), "a step that is gone"
    assert len(EVERY) > 60


def test_a_check_that_fails_names_the_step_and_the_row():
    def check(kind, name, row):
        assert row != 3, f"row {row}"
        if name == "no_such":
            find_step(kind, name)
        with pytest.raises(UserError):
            assert row

    cases = [("score", "length", 3), ("score", "no_such", 1), ("score", "length", 2)]
    assert list(failing(check, cases)) == cases
    assert "row 3" in failing(check, cases)["score", "length", 3]


def test_each_has_docstrings_and_a_summary():
    def check(kind, name):
        found = find_step(kind, name)
        assert found.doc and found.function.__doc__, "the module and the function each need a docstring"
        assert step_summary(kind, name) == found.doc.splitlines()[0]
        assert len(step_summary(kind, name)) <= 120

    assert failing(check, EVERY) == {}


def test_each_reads_a_column_and_only_those_there_are():
    def check(kind, name):
        found = find_step(kind, name)
        assert found.reads and found.makes in FUNCTIONS[kind]
        assert set(found.reads) <= set(table()), "a column no table has"

    assert failing(check, EVERY) == {}


def test_settings_have_defaults_or_are_known_to_be_required():
    def check(kind, name):
        found = find_step(kind, name)
        assert set(found.required) == set(REQUIRED.get((kind, name), {}))
        given = GIVEN.get((kind, name), {})
        filled = check_settings(found, given, "r.yaml:1", seed=3)
        assert filled == {**found.defaults, **({"seed": 3} if "seed" in found.defaults else {}), **given}
        for setting in found.required:
            with pytest.raises(UserError, match=f"^r.yaml:1: {kind} '{name}' needs the setting '{setting}'$"):
                check_settings(found, {k: v for k, v in given.items() if k != setting}, "r.yaml:1")

    assert failing(check, EVERY) == {}


def test_each_refuses_an_unknown_setting():
    def check(kind, name):
        with pytest.raises(UserError, match=f"^r.yaml:1: no setting of {kind} '{name}' called 'no_such'"):
            check_settings(find_step(kind, name), {**REQUIRED.get((kind, name), {}), "no_such": 1}, "r.yaml:1")

    assert failing(check, EVERY) == {}


def test_each_refuses_a_setting_of_the_wrong_type():
    def check(kind, name, setting):
        wrong = {**REQUIRED.get((kind, name), {}), setting: {"a": object}}
        with pytest.raises(UserError, match=f"^r.yaml:1: {kind} '{name}': {setting}: expected .*found") as caught:
            check_settings(find_step(kind, name), wrong, "r.yaml:1")
        assert "\n" not in str(caught.value)

    steps = [(kind, name, find_step(kind, name)) for kind, name in EVERY]
    cases = [(kind, name, setting) for kind, name, step in steps for setting in (*step.required, *step.defaults)]
    assert len(cases) > 150 and failing(check, cases) == {}


def test_each_gives_a_row_for_a_row_and_never_a_nan():
    assert failing(lambda *step: check_shape(*step, outcome_of_rows(*step), table()), EVERY) == {}


def test_each_gives_the_same_twice():
    def check(*step):
        assert outcome(*step, table()).equals(outcome_of_rows(*step), null_equal=True)

    assert failing(check, EVERY) == {}


def test_each_takes_an_empty_table():
    def check(*step):
        result = outcome(*step, table([]))
        check_shape(*step, result, table([]))
        assert result.height == 0

    assert failing(check, EVERY) == {}


@pytest.mark.slow
def test_each_takes_a_table_of_one_row():
    def check(kind, name, row):
        check_shape(kind, name, outcome_of_rows(kind, name, (row,)), table([row]))

    assert failing(check, [(*step, row) for step in EVERY for row in range(len(TEXTS))]) == {}


def test_each_takes_nothing_but_nulls():
    columns = {n: s.clear(4) if n not in ("prompt_id", "completion_id") else s.head(4) for n, s in table().items()}

    def check(*step):
        result = outcome(*step, columns)
        check_shape(*step, result, columns)
        if find_step(*step).makes in ("score", "ask", "write", "candidates"):
            assert result["value"].is_null().all(), "a value out of nothing"
        if find_step(*step).makes == "dedup":
            assert result["duplicate_of"].is_null().all(), "nothing duplicates nothing"
        if find_step(*step).makes in ("pair", "prompts", "write_prompts"):
            assert result.is_empty()

    assert failing(check, EVERY) == {}


def test_each_leaves_its_input_alone():
    def check(*step):
        columns = table()
        outcome(*step, columns)
        assert all(columns[n].equals(s, null_equal=True) for n, s in table().items())

    assert failing(check, EVERY) == {}


def test_a_scorer_gives_a_row_a_value_or_an_error():
    def check(*step):
        result = outcome_of_rows(*step)
        if "error" in result.columns:
            assert (result["value"].is_null() == result["error"].is_not_null()).all()

    assert failing(check, SCORERS) == {}


@pytest.mark.slow
def test_a_score_does_not_depend_on_the_other_rows():
    def check(*step):
        alone = [outcome_of_rows(*step, (row,))["value"][0] for row in range(len(TEXTS))]
        assert outcome_of_rows(*step)["value"].to_list() == alone

    by_row = [(kind, name) for kind, name in SCORERS if not whole(name)]
    assert len(by_row) > 20 and failing(check, by_row) == {}


def test_a_row_left_out_has_a_reason_and_names_a_kept_row():
    def check(*step):
        result = outcome_of_rows(*step)
        if "duplicate_of" in result.columns:
            check_duplicates(result)
        elif "kept" in result.columns:
            check_kept(result)
        else:
            ids = table()["completion_id"].to_list()
            assert set(result["chosen_id"]) | set(result["rejected_id"]) <= set(ids)
            assert (result["chosen_id"] != result["rejected_id"]).all() and result.height >= 1
            assert result.n_unique() == result.height

    assert failing(check, [(kind, name) for kind, name in EVERY if kind in ("dedup", "select")]) == {}


def check_duplicates(result):
    """A duplicate's original is kept, and its similarity is given."""
    assert result["duplicate_of"].drop_nulls().len() >= 1, "the table has an exact copy"
    kept = result["duplicate_of"].is_null()
    assert all(kept[row] for row in result["duplicate_of"].drop_nulls())
    assert (kept == result["similarity"].is_null()).all()


def check_kept(result):
    """A row that is left out, and no other, has a reason; the nearest row it names is kept."""
    kept = result["kept"]
    assert kept.null_count() == 0 and kept.any()
    for column in {"reason", "evidence", "nearest", "similarity"} & set(result.columns):
        assert result[column].filter(kept).is_null().all(), column
    if "reason" in result.columns:
        assert result["reason"].filter(~kept).is_not_null().all()
    if "nearest" in result.columns:
        assert all(kept[row] for row in result["nearest"].drop_nulls())
