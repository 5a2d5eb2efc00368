"""Sets up TRL for a training: its config with our few defaults, the model and its tokenizer, the LoRA adapter.

An option that is not set here has TRL's own default; what the recipe gives wins over both. Importing this module turns
TRL's and MLflow's telemetry off, unless the user has decided about it.
"""

import contextlib
import copy
import importlib
import importlib.util
import os
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
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
from train.finding.dotted_trainer import DottedTrainer
from train.finding.find_trainer import find_trainer
from train.job import TrainingJob
from train.launch.ranks import first_before_others
from train.rows.unshown import no_template

# TRL reports each training to its makers (the model's architecture, the device ...) unless this variable is set. The
# constant is set too, since the library may have read the variable before.
if "HF_HUB_DISABLE_TELEMETRY" not in os.environ:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    constants.HF_HUB_DISABLE_TELEMETRY = True
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow (``report_to``) tells its makers too, once imported

# Tokenizers differ in what they do with spaces, lines, digits, cases, accents and other scripts.
PROBE = (
    "Hello  world 12345, don't!\n\n  def f(x):\treturn 1_000  # \u00e9e\u0301 \ufb01 \uff11 \u65e5\u672c\u8a9e\r\n end "
)


def config_type(trainer: str) -> type:
    """Return the config class of a trainer: TRL's, ours on top of one of TRL's, or the one of a dotted path."""
    found = find_trainer(trainer)
    if isinstance(found, DottedTrainer):
        return found.load()[1]
    own = importlib.util.find_spec(f"train.{trainer}")
    return getattr(importlib.import_module(f"train.{trainer}.config" if own else "trl"), found.CONFIG)


def for_processes(config: type, processes: int) -> type:
    """Return a config class of TRL whose objects take a training to have a number of processes, here in one."""
    return config if processes == 1 else type(config.__name__, (config,), {"world_size": processes})


def trl_config(job: TrainingJob, config_class: type) -> Any:
    """Build TRL's config of a training.

    Raises:
        UserError: TRL refuses an option.
    """
    return build_config(config_class, job.settings, job.seed, job.work_folder, f"train.{job.name}", job.quantize)


def build_config(
    config_class: type, settings: dict[str, Any], seed: int, folder: Path, where: str, quantize: str | None
) -> Any:
    """Build TRL's config of a training's options.

    Args:
        config_class: TRL's config class.
        settings: The options, as ``train.options.best_model.effective_settings`` returns them.
        seed: The recipe's seed.
        folder: The folder for checkpoints.
        where: The training's place, for errors.
        quantize: The precision of quantised weights, or None. TRL gives their adapters bfloat16, also on a CPU.

    Raises:
        UserError: TRL refuses an option; its whole message is shown.
    """
    defaults: dict[str, Any] = {
        "seed": seed,
        "disable_tqdm": True,  # ``train.fit`` reports the progress
        "logging_steps": 1,  # a short training would otherwise end without a single figure
        "save_strategy": "no",  # ``train.fit`` saves by the clock, which suits any size of model and of data
        "logging_nan_inf_filter": False,  # it logs the mean of earlier losses in the place of one that is no number
    }
    if not torch.cuda.is_available():
        defaults |= {"use_cpu": True, "gradient_checkpointing": False, "dataloader_pin_memory": False}
        defaults["bf16"] = quantize is not None and not settings.get("fp16")
    try:
        return config_class(output_dir=str(folder), **(defaults | settings))
    except Exception as error:  # of any kind: a missing library, a wrong type deep in a mapping
        raise UserError(f"{where}: {config_class.__name__}: {whole_message(error)}") from error


def load_model(job: TrainingJob, *, on_disk: bool = False) -> tuple[Any, Any]:
    """Load the model to start from, with the adapters of earlier trainings merged, and its tokenizer.

    Full weights are trained in float32 (TRL computes in bfloat16 on a GPU). Under LoRA the frozen weights have the
    device's usual type, or are quantised (``quantize``).

    Args:
        job: The training.
        on_disk: Save a merged model and name that folder in its config, for a trainer that loads the reference model
            from there.
    """
    if job.quantize is not None:
        return _load_quantized(job, load)
    model, tokenizer = load(job.ref, torch.float32 if job.lora is None else None)
    if on_disk and job.ref.adapters:
        start = job.work_folder / "start"
        with first_before_others() as first:
            if first:
                model.save_pretrained(start)
        model.config._name_or_path = str(start)
    return model.train(), tokenizer


def load_reward_model(job: TrainingJob) -> tuple[Any, Any]:
    """Load the model to start from with one output on top, and its tokenizer.

    The output's weights are drawn at random, by the job's seed, if the model has none.
    """
    torch.manual_seed(job.seed)
    with_head = partial(load_classifier, new_head=True)
    if job.quantize is not None:
        return _load_quantized(job, with_head)
    model, tokenizer = with_head(job.ref, torch.float32 if job.lora is None else None)
    return model.train(), tokenizer


def quantization(quantize: str | None, where: str) -> Any:
    """Return transformers' config of quantised weights, or None for none: NF4, or LLM.int8().

    QLoRA is of Dettmers et al. 2023 (arXiv 2305.14314): 4-bit NormalFloat, computed in bfloat16.

    Raises:
        UserError: bitsandbytes is missing, or does not run on this machine's device.
    """
    if quantize is None:
        return None
    from transformers import BitsAndBytesConfig

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        bitsandbytes: Any = importlib.import_module("bitsandbytes")
        supported = bitsandbytes.supported_torch_devices
    except Exception as error:  # it may fail as it loads its library
        raise UserError(f"{where}: quantize: {quantize}: bitsandbytes: {whole_message(error)}") from error
    if device not in supported:
        raise UserError(
            f"{where}: quantize: {quantize}: bitsandbytes {bitsandbytes.__version__} does not run on this machine's "
            f"device ({device}), only on {', '.join(sorted(supported))}; remove it, or train where there is such a one"
        )
    if quantize == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)


def _load_quantized(job: TrainingJob, load: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
    """Load a model whose frozen weights are quantised. Adapters of earlier trainings are merged at full precision."""
    ref, folder = job.ref, job.work_folder / "start"
    if ref.adapters:
        model, tokenizer = load(ref)
        with first_before_others() as first:
            if first:
                model.save_pretrained(folder)
                tokenizer.save_pretrained(folder)
        ref = replace(ref, location=str(folder), package="", adapters=())
    config = quantization(job.quantize, f"train.{job.name}")
    model, tokenizer = load(ref, quantization_config=config)
    return model.train(), tokenizer


def lora_config(job: TrainingJob, task: str = "CAUSAL_LM") -> Any:
    """Return PEFT's config of the adapter to train, or None for full weights.

    Args:
        job: The training.
        task: PEFT's name for the model's task. For a classifier (``SEQ_CLS``) the head is trained and saved too.

    Raises:
        UserError: PEFT refuses an option.
    """
    return build_lora_config(job.lora, f"train.{job.name}", task)


def build_lora_config(lora: dict[str, Any] | None, where: str, task: str = "CAUSAL_LM") -> Any:
    """Return PEFT's config of an adapter, or None for full weights.

    Defaults are TRL's, but every linear layer gets an adapter.

    Raises:
        UserError: PEFT refuses an option; its whole message is shown.
    """
    if lora is None:
        return None
    from peft import LoraConfig

    defaults: dict[str, Any] = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
    try:
        return LoraConfig(task_type=task, **(defaults | copy.deepcopy(lora)))  # PEFT adds to a list of modules
    except Exception as error:  # of any kind: a missing library, a wrong type deep in a mapping
        message = whole_message(error)
        ours = " (target_modules is 'all-linear' if not set)" if "target_modules" not in lora else ""
        raise UserError(f"{where}: lora: {message}{ours if 'target_modules' in message else ''}") from error


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
def trl_errors(job: TrainingJob, began: Callable[[], bool] = lambda: False) -> Generator[None]:
    """Turn an error that TRL or transformers raises before the first step into a ``UserError`` with the training.

    Args:
        job: The training.
        began: Returns whether its steps have begun: from then on an error is none of the options'.
    """
    try:
        yield
    except (ValueError, NotImplementedError, ImportError, RuntimeError, TypeError, OSError) as error:
        if began():
            raise
        raise UserError(f"train.{job.name}: {whole_message(error)}") from error


def whole_message(error: Exception) -> str:
    """Return an error's message on one line; the name of its class where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
