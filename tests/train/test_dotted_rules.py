"""The type of dataset that a trainer of a dotted path reads, as far as it is known."""

import pytest

from schemas.errors import UserError
from tests.optional import needs
from train.finding.dotted_rules import READS, UNKNOWN_COLUMNS, check_dataset_type
from train.finding.dotted_trainer import find_dotted

pytestmark = needs("trl")

OWN = "from trl import {0}Trainer\n\nclass OwnTrainer({0}Trainer):\n    def {1}(self, *args, **more): ...\n"


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("trl.experimental.orpo", {"preference"}),
        ("trl.experimental.cpo", {"preference"}),
        ("trl.experimental.bema_for_ref_model", {"preference"}),
        ("trl.experimental.gkd", {"sft"}),
        ("trl.experimental.tpo", set()),
        ("trl.experimental.gold", {"sft", "preference", "unpaired", "prompt"}),
        ("trl.experimental.online_dpo", {"sft", "preference", "unpaired", "prompt"}),
    ],
)
def test_the_type_of_dataset_of_trls_trainers(name, right):
    found = find_dotted(name)
    for kind in ("sft", "preference", "unpaired", "prompt"):
        if kind in right:
            check_dataset_type(found, kind, "d", "r.yaml:3")
            continue
        with pytest.raises(
            UserError, match=r"^r.yaml:3: the trainer 'trl\.[\w.]+' .*(needs a dataset of type|'refere)"
        ):
            check_dataset_type(found, kind, "d", "r.yaml:3")


@pytest.mark.parametrize(
    ("base", "method", "checked"),
    [
        ("KTO", "compute_loss", True),
        ("DPO", "log", True),
        ("DPO", "_prepare_dataset", False),
        ("SFT", "__init__", False),
    ],
)
def test_a_users_class_is_checked_unless_it_may_read_other_rows(tmp_path, monkeypatch, base, method, checked):
    (tmp_path / "own.py").write_text(OWN.format(base, method))
    monkeypatch.chdir(tmp_path)
    found = find_dotted("own.OwnTrainer")
    if checked:
        with pytest.raises(
            UserError, match=rf"\({base}Trainer\) needs a dataset of type '\w+'; 'd' is of type 'prompt'"
        ):
            check_dataset_type(found, "prompt", "d", "r.yaml:3")
    else:
        check_dataset_type(found, "prompt", "d", "r.yaml:3")


@pytest.mark.slow
def test_trl_has_the_classes_that_are_named():
    import importlib

    import trl

    for name in (*READS, *UNKNOWN_COLUMNS):
        module = f"trl.experimental.{name.removesuffix('Trainer').lower()}"
        assert hasattr(trl, name) or hasattr(importlib.import_module(module), name)
