"""Sets up TRL for a training: its config with our few defaults, the model and its tokenizer, the LoRA adapter.

An option that is not set here has TRL's own default; what the recipe gives wins over both. Importing this module turns
TRL's telemetry off, unless the user has decided about it.
"""

import contextlib
import os
from collections.abc import Generator
from typing import Any

import torch
from huggingface_hub import constants

from curate.models.chat.chat import Chat, chat_for, chat_of
from curate.models.chat.chat_template import ChatTemplate
from curate.models.chat.template_support import support_of
from curate.models.weights import load, load_classifier
from schemas.errors import UserError
from train.examples.examples import Examples
from train.examples.missing_marks import missing_marks
from train.job import TrainingJob
from train.unshown import no_template

# TRL reports each training to its makers (the model's architecture, the device ...) unless this variable is set. The
# constant is set too, since the library may have read the variable before.
if "HF_HUB_DISABLE_TELEMETRY" not in os.environ:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    constants.HF_HUB_DISABLE_TELEMETRY = True

# Tokenizers differ in what they do with spaces, lines, digits, cases, accents and other scripts.
PROBE = (
    "Hello  world 12345, don't!\n\n  def f(x):\treturn 1_000  # \u00e9e\u0301 \ufb01 \uff11 \u65e5\u672c\u8a9e\r\n end "
)


def trl_config(job: TrainingJob, config_class: type) -> Any:
    """Build TRL's config of a training.

    Raises:
        UserError: TRL refuses an option.
    """
    defaults: dict[str, Any] = {
        "seed": job.seed,
        "disable_tqdm": True,  # ``train.fit`` reports the progress
        "logging_steps": 1,  # a short training would otherwise end without a single figure
        "save_strategy": "no",  # ``train.fit`` saves by the clock, which suits any size of model and of data
    }
    if not torch.cuda.is_available():
        defaults |= {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False}
    try:
        return config_class(output_dir=str(job.work_folder), **(defaults | job.settings))
    except (ValueError, TypeError) as error:
        raise UserError(f"train.{job.name}: {config_class.__name__}: {_first_line(error)}") from error


def load_model(job: TrainingJob, *, on_disk: bool = False) -> tuple[Any, Any]:
    """Load the model to start from, with the adapters of earlier trainings merged, and its tokenizer.

    Full weights are trained in float32 (TRL computes in bfloat16 on a GPU). Under LoRA the frozen weights have the
    device's usual type.

    Args:
        job: The training.
        on_disk: Save a merged model and name that folder in its config, for a trainer that loads the reference model
            from there.
    """
    model, tokenizer = load(job.ref, torch.float32 if job.lora is None else None)
    if on_disk and job.ref.adapters:
        start = job.work_folder / "start"
        model.save_pretrained(start)
        model.config._name_or_path = str(start)
    return model.train(), tokenizer


def load_reward_model(job: TrainingJob) -> tuple[Any, Any]:
    """Load the model to start from with one output on top, and its tokenizer.

    The output's weights are drawn at random, by the job's seed, if the model has none.
    """
    torch.manual_seed(job.seed)
    model, tokenizer = load_classifier(job.ref, torch.float32 if job.lora is None else None, new_head=True)
    return model.train(), tokenizer


def lora_config(job: TrainingJob, task: str = "CAUSAL_LM") -> Any:
    """Return PEFT's config of the adapter to train, or None for full weights.

    Defaults are TRL's, but every linear layer gets an adapter.

    Args:
        job: The training.
        task: PEFT's name for the model's task. For a classifier (``SEQ_CLS``) the head is trained and saved too.

    Raises:
        UserError: PEFT refuses an option.
    """
    if job.lora is None:
        return None
    from peft import LoraConfig

    defaults: dict[str, Any] = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
    try:
        return LoraConfig(task_type=task, **(defaults | job.lora))
    except (ValueError, TypeError) as error:
        raise UserError(f"train.{job.name}.lora: {_first_line(error)}") from error


def model_chat(job: TrainingJob, tokenizer: Any) -> Chat:
    """Return the chat template and the tokenizer of the loaded model.

    Raises:
        UserError: The model has no chat template, or a tokenizer that is not one of the library ``tokenizers``.
    """
    chat = chat_of(tokenizer)
    if chat is None and tokenizer.chat_template is None:
        raise no_template(f"train.{job.name}", job.ref.name)
    if chat is None:
        raise UserError(
            f"train.{job.name}: the tokenizer of {job.ref.name!r} ({type(tokenizer).__name__}) can't say where its "
            f"tokens stand in a text; gristmill needs one with a tokenizer.json"
        )
    shown = chat_for(job.ref)
    if shown is not None and shown.encode(PROBE).ids != chat.encode(PROBE).ids:
        job.progress.say(
            f"train {job.name}: the tokens are others than check shows: transformers builds the tokenizer of "
            f"{job.ref.name!r} anew ({type(tokenizer).__name__}), and not as the file tokenizer.json has it"
        )
    return chat


def say_changes(job: TrainingJob, examples: Examples, template: ChatTemplate) -> None:
    """Say once what was changed in the rows so that the chat template can print them, and what it lacks."""
    for line in missing_marks(support_of(template), calls=examples.counts["calls"] > 0):
        job.progress.say(f"train {job.name}: {line}")
    for change, count in sorted(examples.changes.items()):
        job.progress.say(f"train {job.name}: {change} ({count:,} rows), as the chat template needs it")


@contextlib.contextmanager
def trl_errors(job: TrainingJob) -> Generator[None]:
    """Turn an error that TRL raises while its trainer is built into a ``UserError`` that names the training."""
    try:
        yield
    except (ValueError, NotImplementedError) as error:
        raise UserError(f"train.{job.name}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
