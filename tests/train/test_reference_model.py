"""A training says which model it compares with."""

import pytest

from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from tests.optional import needs
from tests.train.tables import recipe_with
from train.options import options
from train.reference_model import compared_with

pytestmark = needs("trl")

STUDENT = ModelRef("student", "tiny@0+12345678", "/tiny")
START = "student (tiny), the model it starts from"


def told(tmp_path, training, trained=(), model="student"):
    """Return what is told of a training ``t``, whose model may be one of those trained before."""
    section = "".join(f"  {one}: {{trainer: sft, dataset: sft, model: {start}}}\n" for one, start in trained)
    recipe = recipe_with(tmp_path, f"train:\n{section}  t: {{model: {model}, {training}}}\n")
    ref = STUDENT
    for one, _ in trained:
        ref = ref.trained(one, f"id{one}", tmp_path, adapter=True)
    teacher = STUDENT if recipe.train["t"].teacher else None
    return compared_with(recipe, recipe.train["t"], ref, teacher)


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ("trainer: sft, dataset: sft, lora: true", None),
        ("trainer: reward, dataset: dpo", None),
        ("trainer: dpo, dataset: dpo", f"{START}, as a second copy that is not trained"),
        ("trainer: kto, dataset: kto, lora: true", f"{START}, with the new adapter switched off"),
        ("trainer: dpo, dataset: dpo, lora: {r: 2}, quantize: 4bit", f"{START}, with the new adapter switched off, its "
         "weights in 4bit"),
        ("trainer: dpo, dataset: dpo, precompute_ref_log_probs: true", f"{START}, asked before the first step "
         "(precompute_ref_log_probs)"),
        ("trainer: dpo, dataset: dpo, sync_ref_model: true", f"at first {START}; every 512 steps it takes 0.6 of the "
         "trained weights (sync_ref_model)"),
        ("trainer: grpo, dataset: rl, rewards: [length]", "none, as beta is 0"),
        ("trainer: grpo, dataset: rl, rewards: [length], beta: 0.1", f"{START}, as a second copy that is not trained"),
        ("trainer: rloo, dataset: rl, rewards: [length], lora: true", f"{START}, with the new adapter switched off"),
        ("trainer: ppo, dataset: rl, rewards: [length], beta: 0", "none, as beta is 0"),
        ("trainer: trl.experimental.gmpo, dataset: rl, rewards: [length], beta: 0.1",
         f"{START}, as a second copy that is not trained"),
        ("trainer: trl.experimental.online_dpo, dataset: rl, rewards: [length], lora: true",
         f"{START}, with the new adapter switched off"),
        ("trainer: trl.experimental.orpo, dataset: dpo", None),
    ],
)  # fmt: skip
def test_the_reference_of_each_trainer(tmp_path, training, expected):
    assert told(tmp_path, training).get("reference") == expected


def test_a_chain_is_named_from_its_base(tmp_path):
    found = told(tmp_path, "trainer: dpo, dataset: dpo, lora: true", [("a", "student"), ("b", "a")], "b")
    assert found["reference"].startswith("b (tiny + a + b), the model it starts from, with")


def test_an_adapter_of_elsewhere_is_named_as_one(tmp_path):
    recipe = recipe_with(tmp_path, "train:\n  t: {trainer: dpo, dataset: dpo, model: student}\n")
    ref = STUDENT.trained("student", "model@0123", tmp_path, adapter=True)
    found = compared_with(recipe, recipe.train["t"], ref, None)
    assert found["reference"].startswith("student (tiny + an adapter), the model it starts from")


def test_a_teacher_is_told(tmp_path):
    found = told(tmp_path, "trainer: distill, dataset: rl, teacher: student")
    assert found == {"teacher": "student (tiny), which is not trained"}


@pytest.mark.parametrize("option", ["ref_adapter_name", "model_adapter_name", "reference_free", "force_use_ref_model"])
def test_options_that_would_name_another_reference_are_refused(tmp_path, option):
    section = f"train:\n  t: {{trainer: dpo, dataset: dpo, model: student, lora: true, {option}: x}}\n"
    with pytest.raises(UserError, match=rf"no option of trl.DPOConfig called '{option}': "):
        options.check(recipe_with(tmp_path, section).train["t"], "r.yaml:9")


def test_merge_without_an_adapter_is_refused(tmp_path):
    for lora in ("", "lora: false, "):
        section = f"train:\n  t: {{trainer: sft, dataset: sft, model: student, {lora}merge: true}}\n"
        with pytest.raises(UserError, match=r"r.yaml:9: merge: true merges an adapter .* add lora: true, or remove"):
            options.check(recipe_with(tmp_path, section).train["t"], "r.yaml:9")
