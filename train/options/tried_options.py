"""Tries a training's options on a single weight, before a model is loaded: what they name is made once, and dropped.

The optimizer, the schedule of its learning rate, the reports and the way to sample are made by the functions that
TRL and transformers call later, so that a missing package and a wrong value are seen now.
"""

import contextlib
import math
from collections.abc import Callable, Generator
from typing import Any

import torch

from schemas.errors import UserError, short_repr
from train.options.option_names import near_names

STEPS = 100  # of the schedule that is tried; the true number is not known yet
# Optimizers and schedules that drop further arguments without a word.
WITHOUT_OPTIM_ARGS = (
    "adamw_torch", "adamw_torch_fused", "adamw_apex_fused", "adamw_8bit", "adamw_bnb_8bit", "paged_adamw_32bit",
    "paged_adamw_8bit", "lion_32bit", "lion_8bit", "paged_lion_32bit", "paged_lion_8bit",
)  # fmt: skip
WITHOUT_ARGUMENTS = ("constant", "constant_with_warmup")
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": [1]}


def try_options(config: Any, where: str) -> None:
    """Make what a config's options name: an optimizer and its schedule, reports, a way to sample, compiled code.

    Args:
        config: TRL's config.
        where: The training's place, for errors.

    Raises:
        UserError: A package is missing, or a value is not understood or out of its range.
    """
    tried: tuple[tuple[str, Callable[[Any], None]], ...] = (
        (f"optim: {_value(config.optim)}", _try_optimizer),
        (f"lr_scheduler_type: {_value(config.lr_scheduler_type)}", _try_schedule),
        ("report_to", _try_reports),
        ("gradient_checkpointing_kwargs", _try_checkpointing),
        ("torch_compile_backend", _try_compiler),
        ("use_liger_kernel", _try_liger),
        ("use_vllm", _try_vllm),
        ("activation_offloading", _try_offloading),
        ("", _try_sampling),
    )
    for name, make in tried:
        with _refused(f"{where}: {name}" if name else where):
            make(config)


@contextlib.contextmanager
def _refused(where: str) -> Generator[None]:
    try:
        yield
    except Exception as error:  # of any kind: what is tried are other packages
        message = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{where}: {message}") from error


def _value(option: Any) -> str:
    return str(getattr(option, "value", option))


def _weight() -> Any:
    return torch.nn.Linear(1, 1)


def _try_optimizer(config: Any) -> None:
    from transformers import Trainer

    _check_arguments(config)
    model = _weight()
    try:
        made, arguments = Trainer.get_optimizer_cls_and_kwargs(config, model)
    except (ValueError, TypeError):
        if config.optim_target_modules is None:
            raise
        return  # the weight has none of the names; a missing package raises an ImportError
    if isinstance(made, type) and not {"params", "model", "optimizer_dict"} & arguments.keys():
        made(model.parameters(), **arguments)


def _check_arguments(config: Any) -> None:
    """Raise ``ValueError`` where ``optim_args`` are not of the form ``name=value``, or would not be read."""
    given = config.optim_args
    if not given:
        return
    if not all(part.count("=") == 1 for part in given.split(",")):
        raise ValueError(f"optim_args: expected 'name=value, name=value', found {given!r}")
    if _value(config.optim) in WITHOUT_OPTIM_ARGS:
        raise ValueError(f"optim_args: {given!r} would not be read; remove it (there are adam_beta1, adam_beta2 ...)")


def _try_schedule(config: Any) -> None:
    from transformers import get_scheduler

    kind, arguments = _value(config.lr_scheduler_type), config.lr_scheduler_kwargs or {}
    if kind in WITHOUT_ARGUMENTS and arguments:
        raise ValueError(f"lr_scheduler_kwargs: {kind} takes none, found {short_repr(arguments)}; remove it")
    if kind in ("reduce_lr_on_plateau", "greedy"):  # made of the evaluations
        return
    optimizer = torch.optim.SGD(_weight().parameters(), lr=config.learning_rate)
    try:
        get_scheduler(
            kind,
            optimizer=optimizer,
            num_warmup_steps=config.get_warmup_steps(STEPS),
            num_training_steps=STEPS,
            scheduler_specific_kwargs=arguments,
        )
    except TypeError as error:
        said = str(error).split("() ")[-1]
        raise ValueError(f"lr_scheduler_kwargs: {said}; found {short_repr(arguments)}") from error


def _try_reports(config: Any) -> None:
    from transformers.integrations import get_reporting_integration_callbacks

    for report in get_reporting_integration_callbacks(config.report_to):
        report()


def _try_checkpointing(config: Any) -> None:
    from torch.utils.checkpoint import checkpoint

    given: dict[str, Any] = config.gradient_checkpointing_kwargs or {}
    if config.gradient_checkpointing and given:
        arguments: dict[str, Any] = {"use_reentrant": True} | given
        checkpoint(torch.nn.Identity(), torch.ones(1, requires_grad=True), **arguments)


def _try_compiler(config: Any) -> None:
    from accelerate.utils import DynamoBackend

    backend = config.torch_compile_backend
    if config.torch_compile and backend is not None:
        known = [one.value for one in DynamoBackend]
        if backend.upper() not in known:
            near = [one.lower() for one in near_names(backend, [one.lower() for one in known])]
            raise ValueError(f"no value called {backend!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _try_liger(config: Any) -> None:
    from transformers.utils import is_liger_kernel_available

    if config.use_liger_kernel and not is_liger_kernel_available():
        raise ValueError("liger-kernel is not installed: pip install liger-kernel; or remove it")


def _try_vllm(config: Any) -> None:
    if not getattr(config, "use_vllm", False):
        return
    from trl.import_utils import is_vllm_available

    if not is_vllm_available():
        raise ValueError("vLLM is not installed: pip install trl[vllm]; or remove it")


def _try_offloading(config: Any) -> None:
    if getattr(config, "activation_offloading", False) and config.use_cpu:
        raise ValueError("a CPU training has no accelerator whose memory it would spare; remove it")


def _try_sampling(config: Any) -> None:
    """Make the generation config that TRL makes, and the functions that change the distribution of a token."""
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "cache_implementation")
    if not all(hasattr(config, name) for name in (*names, "generation_kwargs", "max_completion_length")):
        return
    from transformers import GenerationConfig, generation

    further = config.generation_kwargs or {}
    known = vars(GenerationConfig())
    for name in further:
        if name not in known:
            near = near_names(name, known)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"generation_kwargs: no option of transformers' GenerationConfig called {name!r}{hint}")
    given = {name: getattr(config, name) for name in names} | further
    GenerationConfig(**({"do_sample": True, "max_new_tokens": config.max_completion_length} | TOKENS | given))
    _check_sampling(given)
    for name, made in (
        ("temperature", generation.TemperatureLogitsWarper),
        ("top_p", generation.TopPLogitsWarper),
        ("min_p", generation.MinPLogitsWarper),
        ("repetition_penalty", generation.RepetitionPenaltyLogitsProcessor),
    ):
        if given[name] is not None:
            made(float(given[name]))


def _check_sampling(given: dict[str, Any]) -> None:
    """Check the ranges: what transformers would leave out without a word, such as ``top_p: 1.5``, is refused too."""
    for name, low, high in (
        ("top_p", 0.0, 1.0),
        ("min_p", -1e-12, 1.0),
        ("repetition_penalty", 0.0, math.inf),
        ("top_k", -0.5, math.inf),
    ):
        value = given[name]
        if value is not None and not low < value <= high:
            shown = {"top_p": "above 0, at most 1", "min_p": "from 0 to 1", "top_k": "from 1, or 0 for all tokens"}
            raise ValueError(f"{name}: expected a number {shown.get(name, 'above 0')}, found {value}")
