"""``why`` of rows that no table shows any more."""

import pytest

from curate.storage.row_history import row_history
from schemas.errors import UserError
from tests.storage.asked import candidate, prompt, record, write


def test_a_row_of_a_smoke_run_that_is_hidden_is_found(store):
    smoke = write(store, "prompts.source.s", "a", prompts=[prompt("p_1", "Why?")])
    whole = write(store, "prompts.source.s", "b", prompts=[prompt("p_2", "How?")])
    record(store, "1", smoke, recipe="a.limit1")
    record(store, "2", whole)
    held = store.runs()[0]
    store.save_run({**held, "limit_of": "a"})
    first, second = row_history(store, "p_1").parts[:2]
    assert first == ("not in the tables any more", ["the last run that had it: 1"])
    assert second[1][0] == "Why?"
    assert row_history(store, "p_2").parts[0][0] == "prompt"


def test_an_id_that_no_run_had_is_no_row(store):
    record(store, "1", write(store, "prompts.source.s", "a", prompts=[prompt("p_1")], completions=[candidate("c_1")]))
    for wrong in ("p_2", "r_1", "nothing", ""):
        with pytest.raises(UserError, match="no row|is the start of several ids"):
            row_history(store, wrong)
