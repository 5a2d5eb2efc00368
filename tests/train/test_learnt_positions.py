"""The head scores the learnt positions only, where that changes no bit of losses and gradients."""

from pathlib import Path
from typing import Any

import pytest

from tests.optional import needs

pytestmark = [needs("trl"), pytest.mark.slow]

PROMPT, ANSWER = 40, 24  # tokens of a row


def trained(tiny: Path, folder: Path, seen: list[int], *, only_learnt: bool, lora: bool = True, answer: int = ANSWER):
    """Train two steps by TRL; return its log. ``seen`` gets the positions of each call of the head."""
    import contextlib

    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
    from trl import SFTConfig, SFTTrainer
    from trl.trainer import utils

    from train.learnt_positions import head_on_learnt_positions

    class Seen:
        @staticmethod
        def apply(hidden: Any, *given: Any) -> Any:
            seen.append(hidden.shape[0])
            return head.apply(hidden, *given)

    set_seed(1)
    rows = [
        {
            "input_ids": [5 + (i * 7 + j) % 200 for j in range(PROMPT + answer)],
            "labels": [-100] * PROMPT + [5 + (i * 7 + j) % 200 for j in range(PROMPT, PROMPT + answer)],
        }
        for i in range(8)
    ]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny, dtype="float32"),
        args=SFTConfig(
            output_dir=str(folder), use_cpu=True, bf16=False, gradient_checkpointing=False,
            per_device_train_batch_size=4, max_steps=2, logging_steps=1, save_strategy="no", report_to="none",
            disable_tqdm=True, learning_rate=1e-2,
        ),
        processing_class=AutoTokenizer.from_pretrained(tiny),
        train_dataset=Dataset.from_list(rows),
        peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM") if lora else None,
    )  # fmt: skip
    head = utils._ChunkedLogProbFunction
    with (
        head_on_learnt_positions(trainer) if only_learnt else contextlib.nullcontext(),
        pytest.MonkeyPatch.context() as m,
    ):
        m.setattr(utils, "_ChunkedLogProbFunction", Seen)
        trainer.train()
    times = ("step_time", "runtime", "samples_per_second", "steps_per_second")
    return [
        {k: v for k, v in entry.items() if not k.endswith(times) and k != "total_flos"}
        for entry in trainer.state.log_history
    ]


def test_prompts_are_not_scored_and_no_bit_changes(tiny: Path, tmp_path: Path):
    all_positions, learnt = [], []
    plain = trained(tiny, tmp_path, all_positions, only_learnt=False)
    assert trained(tiny, tmp_path, learnt, only_learnt=True) == plain
    assert set(all_positions) == {4 * (PROMPT + ANSWER - 1)}
    assert set(learnt) == {4 * ANSWER}


@pytest.mark.parametrize(("lora", "answer"), [(True, 5), (False, ANSWER)])
def test_few_positions_and_trained_heads_go_trls_way(tiny: Path, tmp_path: Path, lora: bool, answer: int):
    seen: list[int] = []
    trained(tiny, tmp_path, seen, only_learnt=True, lora=lora, answer=answer)
    assert set(seen) == {4 * (PROMPT + answer - 1)}


def test_a_head_whose_bits_depend_on_other_rows_is_left(monkeypatch):
    import torch
    from trl.trainer import utils

    from train import learnt_positions

    def other(hidden: torch.Tensor, weight: torch.Tensor, bias: Any, targets: torch.Tensor, *given: Any):
        scores = hidden.sum(1) * (1 + 1e-6 * len(hidden))
        return scores, scores

    class Model:
        def get_output_embeddings(self) -> torch.nn.Linear:
            return torch.nn.Linear(8, 50, bias=False).requires_grad_(False)

    model = Model()
    assert learnt_positions._is_same_for_any_rows(model)
    monkeypatch.setattr(utils._ChunkedLogProbFunction, "apply", other)
    assert not learnt_positions._is_same_for_any_rows(model)
    monkeypatch.delattr(utils, "_ChunkedLogProbFunction")  # as a later TRL may have it
    assert not learnt_positions._is_same_for_any_rows(model)


def test_the_switch_is_put_back(tiny: Path, tmp_path: Path):
    from trl.trainer import utils

    before = utils._use_triton
    trained(tiny, tmp_path, [], only_learnt=True)
    assert utils._use_triton is before
