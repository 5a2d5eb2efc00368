"""What a store's comparisons of arms say of one training, for its card."""

from curate.storage.store import Store
from tests.train.arms.test_expected import write
from train.arms.of_training import comparisons_of


def test_a_training_of_an_arm_has_its_verdicts_with_intervals(store: Store):
    write(store, "demo")
    rows = next(one for one in store.whole_stages() if one.rows("comparisons")).read("comparisons")
    one = rows.drop_nulls("training_id").row(0, named=True)
    found = comparisons_of(store, one["training_id"])
    assert found and all(one["arm"] in line for line in found)
    assert any(" to " in line and "t over 5 seeds" in line for line in found), found


def test_a_training_of_no_arm_has_none(store: Store):
    assert comparisons_of(store, "0" * 12) == []
    write(store, "demo")
    assert comparisons_of(store, "0" * 12) == []
