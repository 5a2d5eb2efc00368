"""Checks the TRL internals that ``train`` relies on. After a failure here, check ``train`` against the new TRL."""

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.optional import needs

pytestmark = [needs("trl"), pytest.mark.slow]


def test_a_batch_of_pairs_holds_all_chosen_then_all_rejected():
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    examples = [
        {"prompt_ids": [1], "chosen_ids": [2, 3], "rejected_ids": [4], "row_index": 7},
        {"prompt_ids": [5], "chosen_ids": [6], "rejected_ids": [8, 9], "row_index": 8},
    ]
    batch = DataCollatorForPreference(pad_token_id=0)(examples)
    assert batch["input_ids"].tolist() == [[1, 2, 3], [5, 6, 0], [1, 4, 0], [5, 8, 9]]


def test_the_collators_ignore_columns_that_they_do_not_know():
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    row = {"input_ids": [1, 2], "labels": [-100, 2], "row_index": 7}
    batch = DataCollatorForLanguageModeling(pad_token_id=0)([row])
    assert sorted(batch) == ["attention_mask", "input_ids", "labels"]


def test_the_fused_head_equals_a_plain_forward_and_masks_to_zero(tiny: Path):
    import torch
    from trl.trainer.utils import add_fused_lm_head

    from curate.models.model_ref import ModelRef
    from curate.models.weights import load

    model, _ = load(ModelRef("student", "tiny@0", str(tiny)))
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 0]])
    labels = torch.tensor([[-100, -100, 7, 8], [-100, 10, 11, -100]])
    with torch.no_grad():
        plain = model(input_ids=ids).logits[:, :-1].log_softmax(-1)
        add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
        fused = model(input_ids=ids, labels=labels, fused_lm_head=True)
    mask = labels[:, 1:] != -100
    expected = plain.gather(2, labels[:, 1:].clamp(min=0)[..., None])[..., 0] * mask
    assert fused.log_probs.allclose(expected, atol=1e-5)
    assert fused.entropy.allclose(-(plain.exp() * plain).sum(-1) * mask, atol=1e-5)
    assert fused.label_mask.tolist() == mask.tolist()


def test_the_fused_head_asks_whether_to_leave_positions_out():
    from trl.trainer import utils

    source = inspect.getsource(utils.add_fused_lm_head)
    assert "compact = _use_triton(hidden_states.device)" in source
    assert "hidden_states[mask] if compact" in source
    assert "labels = labels[:, 1:]" in source
    assert callable(utils._ChunkedLogProbFunction.apply)


def test_the_methods_we_override_have_the_parameters_we_pass():
    from trl import DPOTrainer, SFTTrainer

    prepare = list(inspect.signature(SFTTrainer._prepare_dataset).parameters)
    assert prepare == ["self", "dataset", "processing_class", "args", "packing", "formatting_func", "dataset_name"]
    for trainer in (SFTTrainer, DPOTrainer):
        assert list(inspect.signature(trainer.compute_loss).parameters)[:3] == ["self", "model", "inputs"]
        assert list(inspect.signature(trainer._set_signature_columns_if_needed).parameters) == ["self"]


def test_the_dpo_signal_reads_names_that_the_trainer_has():
    from trl import DPOTrainer

    source = inspect.getsource(DPOTrainer)
    for name in (
        "self.beta",
        "self.loss_types",
        "self.loss_weights",
        "self.f_divergence_type",
        "self.ld_alpha",
        "self.use_weighting",
        "self.ref_model",
        '"ref_chosen_logps"',
        '"ref_rejected_logps"',
    ):
        assert name in source, name
    policy, reference = source.index("outputs = model(**model_kwargs"), source.index("ref_outputs = self.model(")
    assert policy < reference  # the policy is called first


@pytest.mark.parametrize("name", ["GRPOTrainer", "RLOOTrainer"])
def test_answers_are_buffered_by_the_names_that_we_read(name: str):
    import trl
    from transformers import Trainer

    trainer = getattr(trl, name)
    parameters = {
        "_generate_and_score_completions": ["self", "inputs"],
        "_save_checkpoint": ["self", "model", "trial"],
        "_load_optimizer_and_scheduler": ["self", "checkpoint"],
    }
    for method, expected in parameters.items():
        assert list(inspect.signature(getattr(trainer, method)).parameters) == expected
    prepare = inspect.getsource(trainer._prepare_inputs)
    assert "generate_every = self.args.steps_per_generation * self.num_iterations" in prepare
    assert "if self._step % generate_every == 0 or self._buffered_inputs is None:" in prepare
    assert "self._buffered_inputs[self._step % self.args.steps_per_generation]" in prepare
    score = inspect.getsource(trainer._generate_and_score_completions)
    assert '"advantages": advantages,' in score and '"completion_mask": completion_mask,' in score
    assert "eos_and_pad = [*self.eos_token_ids, self._tokenizer.pad_token_id]" in inspect.getsource(trainer._generate)
    resume = inspect.getsource(Trainer._prepare_for_training)
    assert "self._load_optimizer_and_scheduler(resume_from_checkpoint)" in resume


@pytest.mark.parametrize("name", ["GRPOTrainer", "RLOOTrainer"])
def test_the_warning_that_we_leave_out_is_trls(caplog, name: str):
    import trl
    from accelerate import PartialState

    from train.online.online_training import NO_REWARD, without_trl_warnings

    trainer = getattr(trl, name)
    assert f'f"{NO_REWARD} for the following kwargs' in inspect.getsource(trainer._calculate_rewards)
    module = sys.modules[trainer.__module__]
    PartialState(cpu=True)
    with without_trl_warnings():
        module.logger.warning(f"{NO_REWARD} for the following kwargs: ...")
        module.logger.warning("Another one")
    module.logger.warning(f"{NO_REWARD} after the training")
    assert [record.getMessage().removeprefix("[RANK 0] ") for record in caplog.records] == [
        "Another one",
        f"{NO_REWARD} after the training",
    ]


def test_kto_pairs_rows_and_calls_models_as_we_take_it_to():
    from trl import KTOConfig, KTOTrainer

    prepare = inspect.getsource(KTOTrainer._prepare_dataset)
    assert list(inspect.signature(KTOTrainer._prepare_dataset).parameters) == [
        "self", "dataset", "processing_class", "args", "dataset_name",
    ]  # fmt: skip
    assert '[examples["completion_ids"][-1]] + examples["completion_ids"][:-1]' in prepare
    assert "batch_size=args.per_device_train_batch_size" in prepare
    source = inspect.getsource(KTOTrainer)
    for name in (
        "self.beta",
        "self.calculate_KL",
        "self.desirable_weight",
        "self.undesirable_weight",
        "self.ref_model",
    ):
        assert f"{name} = " in source, name
    assert source.index("self.calculate_KL = ") < source.index("train_dataset = self._prepare_dataset(")
    loss = inspect.getsource(KTOTrainer._compute_loss)
    of_policy = (
        loss.index("KL_logps = self._compute_kl_logps(model, batch)"),
        loss.index("outputs = model(**model_kwargs"),
    )
    of_adapter = loss.index("self._compute_kl_logps(self.model, batch)"), loss.index("self.model(**ref_model_kwargs")
    of_copy = (
        loss.index("self._compute_kl_logps(self.ref_model, batch)"),
        loss.index("self.ref_model(**ref_model_kwargs"),
    )
    for first, second in (of_policy, of_adapter, of_copy):
        assert first < second, "the KL's answers are asked for first"
    assert of_policy[1] < of_adapter[0], "the policy is called first"
    config = KTOConfig(output_dir="x", use_cpu=True, bf16=False)
    assert (config.train_sampling_strategy, config.per_device_train_batch_size) == ("sequential", 8)


@pytest.mark.parametrize(("variable", "off"), [(None, True), ("0", False)])
def test_telemetry_is_off_unless_the_user_turned_it_on(variable: str | None, off: bool):
    code = "import huggingface_hub.constants as c; import train.trl_setup; print(c.HF_HUB_DISABLE_TELEMETRY)"
    clean = {k: v for k, v in os.environ.items() if "TELEMETRY" not in k and k != "DO_NOT_TRACK"}
    given = {} if variable is None else {"HF_HUB_DISABLE_TELEMETRY": variable}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **given, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(off)


def test_the_parts_of_a_distillation_batch_stay_together():
    import torch
    from trl import DistillationTrainer
    from trl.trainer.utils import shuffle_sequence_dict, split_tensor_dict

    index, count = torch.arange(6), torch.tensor(6.0)
    batch: dict[str, Any] = {"completion_ids": 2 * index[:, None], "row_index": index, "num_items_in_batch": count}
    shuffled: dict[str, Any] = shuffle_sequence_dict(batch)
    parts: list[dict[str, Any]] = split_tensor_dict(shuffled, 3)
    for part in parts:
        assert part["completion_ids"][:, 0].tolist() == [2 * index for index in part["row_index"].tolist()]
    source = inspect.getsource(DistillationTrainer._prepare_inputs)
    assert source.index("_generate_and_score_completions(") < source.index("= shuffle_sequence_dict(")
    assert source.index("= shuffle_sequence_dict(") < source.index("= split_tensor_dict(")


def test_distillation_computes_the_divergence_of_each_token():
    import torch
    from trl import DistillationTrainer
    from trl.trainer import distillation_trainer
    from trl.trainer.utils import identity

    source = inspect.getsource(distillation_trainer._chunked_divergence_loss)
    assert source.count("per_token_divergence, per_token_entropy = ChunkedDivergenceFunction.apply(") == 1
    assert inspect.getsource(DistillationTrainer._compute_loss).count("= _chunked_divergence_loss(") == 1
    torch.manual_seed(0)
    hidden, head = torch.randn(4, 8), torch.randn(11, 8)
    other_hidden, other_head = torch.randn(4, 8), torch.randn(11, 8)
    given = (hidden, head, None, other_hidden, other_head, None, 1.0, 1.0, 1.0, None, 1.0, None)
    divergence, entropy = distillation_trainer.ChunkedDivergenceFunction.apply(*given)
    student, teacher = ((h @ w.T).log_softmax(-1) for h, w in ((hidden, head), (other_hidden, other_head)))
    assert divergence.allclose((student.exp() * (student - teacher)).sum(-1), atol=1e-4)  # the reverse KL
    assert entropy.allclose(-(student.exp() * student).sum(-1), atol=1e-4)
    assert identity([{"row_index": 7}]) == [{"row_index": 7}]  # its collator: a batch is a list of rows
    assert list(inspect.signature(DistillationTrainer._generate_and_score_completions).parameters) == ["self", "inputs"]


def test_trainers_of_dotted_paths_are_where_they_are_sought():
    from importlib.util import find_spec

    from trl.trainer.base_trainer import _BaseTrainer

    experimental = find_spec("trl.experimental")
    assert experimental is not None and experimental.origin is not None
    assert "TRL_EXPERIMENTAL_SILENCE" in Path(experimental.origin).read_text()
    assert [one.__name__ for one in _BaseTrainer.__mro__[:2]] == ["_BaseTrainer", "Trainer"]


def test_what_a_resumed_training_restores_has_its_name():
    from transformers import EarlyStoppingCallback, TrainerControl
    from trl import DPOTrainer, KTOTrainer, RewardTrainer, SFTTrainer

    for trainer in (SFTTrainer, DPOTrainer, RewardTrainer, KTOTrainer):
        source = inspect.getsource(trainer)
        assert "self._total_train_tokens = 0" in source
        assert '["num_tokens"] = [self._total_train_tokens]' in source
    assert "should_training_stop" in TrainerControl().state()["args"]
    assert EarlyStoppingCallback(2).state()["attributes"] == {"early_stopping_patience_counter": 0}


def test_bars_of_references_are_off_as_the_environment_says():
    from trl import DPOTrainer, KTOTrainer

    for trainer in (DPOTrainer, KTOTrainer):
        assert 'os.environ.get("TQDM_DISABLE"' in inspect.getsource(trainer._precompute_ref_logps)


def test_training_begins_with_the_loader_of_its_batches_known():
    from transformers.trainer_callback import CallbackHandler

    assert "train_dataloader=self.train_dataloader" in inspect.getsource(CallbackHandler.call_event)


def test_trackers_read_their_settings_from_the_environment():
    """``train.reports.trackers`` sets these variables, and guards the callbacks that it finds by their classes."""
    from transformers.integrations import get_reporting_integration_callbacks, integration_utils

    source = inspect.getsource(integration_utils)
    for name in ("TENSORBOARD_LOGGING_DIR", "WANDB_PROJECT", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID",
                 "SWANLAB_PROJECT", "SWANLAB_RUN_ID", "SWANLAB_RESUME", "CLEARML_PROJECT", "CLEARML_TASK"):  # fmt: skip
        assert f'getenv("{name}"' in source or f'"{name}",' in source, name
    kinds = get_reporting_integration_callbacks(["wandb", "trackio"])
    assert [kind.__name__ for kind in kinds] == ["WandbCallback", "TrackioCallback"]
    assert "EmissionsTracker(output_dir=args.output_dir)" in source  # so ``emissions.csv`` is in the work folder
    trackio = inspect.getsource(integration_utils.TrackioCallback.setup)
    assert "project=args.project" in trackio and "name=args.run_name" in trackio and 'resume="allow"' in trackio
