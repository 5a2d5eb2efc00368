"""An estimate of the memory that a training takes, for LoRA and for full weights, before its first step.

The peak of a step is estimated as

    process + weights + further models + moments + max(activations x heap + head, gradients)

in bytes, with

- process: what Python and the libraries take beside the weights (on a GPU nothing: only its memory is counted);
- weights: 4 bytes a parameter in float32 (full weights, and all on a CPU), 2 in bfloat16, 1 or 0.56 where quantised
  to 8 or 4 bits;
- further models: the reference under full weights, a teacher, a critic with its gradients and moments;
- moments: of the optimizer, 8 bytes a trained parameter for AdamW, less for a few others (``MOMENTS``);
- gradients: 4 bytes a trained parameter. They are made while the activations are freed, so the larger of the two
  counts; both, if gradients are kept over several passes (``gradient_accumulation_steps``);
- activations: the tensors that one pass over the largest batch keeps (``train.reports.before.shapes``); each of its
  sequences is as long as the longest row;
- heap: 1; under an adapter on a CPU ``HEAP``, since glibc's heap cannot use again what many short-lived tensors between
  those that are kept have left free;
- head: the tiles of logits that TRL's fused head computes at a time, ``HEAD_COPIES`` of them, for all positions
  (``train.learnt_positions`` lets it compute fewer, which only lowers the peak). Where answers are sampled, the keys
  and values of the answers of one sampling count in the place of both, if they are larger.

Once an adapter is trained, it is loaded on a second copy of the weights and compared (``train.stored_adapter``), which
may be more.

Measured with all positions on SmolLM2-135M in float32 on two cores (peak of the resident set), rows of up to about 80
tokens, as estimate and peak in GB: SFT in batches of 8 with LoRA 3.9 and 4.04, with full weights 3.8 and 4.26; in
batches of 2 with LoRA 1.9 and 2.10, with full weights and accumulation 3.2 and 3.47; DPO on 4 pairs with LoRA 3.3 and
3.02, with full weights 4.0 and 4.06. On a GPU it has not been compared.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from train.examples.context import ANSWER
from train.options.lora_rules import task_of
from train.reports.before.shapes import Batch, Shapes

BYTES = {None: 4.0, "8bit": 1.0, "4bit": 0.56}  # of a weight; NF4 has a scale for each 64 weights
# The bytes that an optimizer keeps for each trained parameter, by the start of its name in transformers.
MOMENTS = {"adafactor": 0, "sgd": 0, "lion_8bit": 1, "lion": 4, "paged_lion_8bit": 1, "paged_lion": 4, "adagrad": 4,
           "rmsprop": 4, "adamw_8bit": 2, "adamw_bnb_8bit": 2, "paged_adamw_8bit": 2, "adamw_torch_4bit": 1,
           "adamw_torch_8bit": 2, "ademamix_8bit": 3, "ademamix": 12}  # fmt: skip
ADAMW = 8
HEAD_TOKENS, HEAD_WORDS, HEAD_COPIES = 4096, 32768, 8  # of a tile of logits (``trl.kernels``), in float32
HEAP = 1.5  # measured, with glibc's defaults
PROCESS = 650_000_000  # bytes of Python, torch and TRL; weights that are mapped from a file are not in memory at first
COMPARED = 400_000_000  # parameters: a larger model's stored adapter is not compared


class Setup(NamedTuple):
    """The settings that the memory of a training depends on, beside its model's shapes.

    Attributes:
        batch: The largest batch of a pass; None where its rows are not known.
        words: The size of the vocabulary; 0 for a model without logits for each token.
        half: Whether frozen weights are bfloat16, as on a GPU.
        quantize: The precision of frozen weights: '4bit', '8bit' or None.
        optimizer: The optimizer's name in transformers.
        accumulates: Whether gradients are kept over several passes.
        further: The bytes of a teacher.
        reference: Whether full weights need a second copy, the reference.
        critic: Whether a critic of the model's size is trained beside it; under an adapter it is a second adapter.
        answers: The bytes of the keys and values of the answers that are sampled at a time.
        process: The bytes that the process takes beside the weights.
    """

    batch: Batch | None
    words: int
    half: bool = False
    quantize: str | None = None
    optimizer: str = "adamw_torch_fused"
    accumulates: bool = False
    further: int = 0
    reference: bool = False
    critic: bool = False
    answers: int = 0
    process: int = 0


def setup_of(
    args: Any, config: Any, trainer: str, batch: Batch | None, *, quantize: str | None, further: int, process: int
) -> Setup:
    """Return what the memory of a training depends on.

    Args:
        args: TRL's config.
        config: The model's config, of its part for text.
        trainer: The trainer's name.
        batch: The largest batch of a pass; None where its rows are not known.
        quantize: The precision of frozen weights: '4bit', '8bit' or None.
        further: The bytes of a teacher.
        process: The bytes that the process takes beside the weights.
    """
    import torch

    half = torch.cuda.is_available()
    sampled = getattr(args, "steps_per_generation", None) or args.gradient_accumulation_steps
    answers = args.per_device_train_batch_size * sampled if getattr(args, ANSWER, None) else 0
    compared = trainer in ("dpo", "kto") and not args.precompute_ref_log_probs
    return Setup(
        batch=batch,
        words=0 if task_of(trainer) == "SEQ_CLS" else config.vocab_size,
        half=half,
        quantize=quantize,
        optimizer=str(getattr(args.optim, "value", args.optim)),
        accumulates=args.gradient_accumulation_steps > 1,
        further=further,
        reference=compared or (trainer in ("grpo", "rloo", "ppo") and bool(args.beta)),
        critic=getattr(args, "critic", None) == "copy",
        answers=answer_bytes(config, answers, batch.tokens, half=half) if batch is not None and answers else 0,
        process=0 if half else max(process, PROCESS),
    )


def peak(shapes: Shapes, setup: Setup, *, lora: bool) -> int | None:
    """Return the estimated peak in bytes; None where the activations are not known."""
    if shapes.saved is None or setup.batch is None:
        return None
    frozen = shapes.parameters - shapes.trainable
    each = (2.0 if setup.half and setup.quantize is None else BYTES[setup.quantize]) if lora else 4.0
    weights = each * frozen + 4 * shapes.trainable
    gradients = 4 * shapes.trainable
    copy = 4 * shapes.parameters if setup.reference and not lora else 0
    copy += (8 + ADAMW) * shapes.trainable if setup.critic else 0
    moments = moment_bytes(setup.optimizer) * shapes.trainable
    tokens = min(setup.batch.sequences * setup.batch.tokens, HEAD_TOKENS)
    head = HEAD_COPIES * 4 * tokens * min(setup.words, HEAD_WORDS)
    heap = HEAP if lora and not setup.half else 1.0
    passing = max(heap * shapes.saved + head, setup.answers)
    step = passing + gradients if setup.accumulates else max(passing, gradients)
    compared = weights if lora and shapes.parameters <= COMPARED and setup.quantize is None else 0
    return round(setup.process + weights + copy + setup.further + moments + max(step, compared))


def moment_bytes(optimizer: str) -> int:
    """Return the bytes that an optimizer keeps for each trained parameter; AdamW's where it is not known."""
    names = sorted((name for name in MOMENTS if optimizer.startswith(name)), key=len)
    return MOMENTS[names[-1]] if names else ADAMW


def answer_bytes(config: Any, answers: int, tokens: int, *, half: bool) -> int:
    """Return the bytes of the keys and values of answers that are sampled at a time, with their prompts."""
    heads = getattr(config, "num_key_value_heads", None) or getattr(config, "num_attention_heads", 0)
    size = getattr(config, "head_dim", None) or config.hidden_size // max(getattr(config, "num_attention_heads", 1), 1)
    return 2 * config.num_hidden_layers * heads * size * answers * tokens * (2 if half else 4)


def in_use() -> int | None:
    """Return the bytes of memory that this process holds; None where the system does not say."""
    return _status("VmRSS")


def most_held() -> int | None:
    """Return the most bytes that this process has held so far: of the GPU, where there is one."""
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _status("VmHWM")


def free_bytes() -> int | None:
    """Return the bytes that are free on the device; None where the system does not say."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0]
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _status(name: str) -> int | None:
    try:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
