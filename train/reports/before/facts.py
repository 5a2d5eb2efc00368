"""The facts of a training before its first step: parameters, memory, tokens, steps, rows cut and left out."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from train.examples.context import ANSWER
from train.reports.before.given_rows import GivenRows
from train.reports.before.memory import Setup, free_bytes, in_use, peak
from train.reports.before.shapes import Batch, Shapes, shapes_of
from train.reports.words import in_bytes, share

NOUNS = {"sft": "row", "preference": "pair", "unpaired": "row", "prompt": "prompt"}
PACKED = "packed sequence"


@dataclass(frozen=True)
class Facts:
    """Sizes and counts of a training that has not begun. A memory is in bytes, and None where it is not known.

    Attributes:
        parameters: The parameters of the model, an adapter's included.
        trainable: Those that are trained.
        adapter: The adapter's rank and the number of modules that it is on, as text; empty for full weights.
        steps_per_epoch: The optimizer steps of an epoch, as the trainer takes them.
        steps: The steps of the training.
        per_step: The sequences of a step (answers, where they are sampled).
        rows: The rows that it is given.
        tokens_per_epoch: Their tokens, of prompts without the answers; 0 where they are not known.
        learnt_per_epoch: Those that are learnt.
        memory_lora: The estimated peak with an adapter: this one, or that of ``lora: true``.
        memory_full: The estimated peak with full weights.
    """

    parameters: int
    trainable: int
    adapter: str
    steps_per_epoch: int
    steps: int
    per_step: int
    rows: int
    tokens_per_epoch: int
    learnt_per_epoch: int
    memory_lora: int | None
    memory_full: int | None

    @property
    def memory(self) -> int | None:
        """The estimated peak of this training."""
        return self.memory_lora if self.adapter else self.memory_full

    def as_metrics(self) -> dict[str, Any]:
        """Return the facts as the table ``trainings`` keeps them."""
        return asdict(self) | {"memory": self.memory}


class Sizes(NamedTuple):
    """The shapes of a model with an adapter and with full weights; None where they can't be found."""

    lora: Shapes | None
    full: Shapes | None


def sizes_of(build: Callable[[], Any], adapter: Any, args: Any, batch: Batch | None) -> Sizes:
    """Return the shapes of a model with an adapter, and with full weights.

    Args:
        build: Makes the model.
        adapter: PEFT's config of the training's adapter, or that of ``lora: true``.
        args: TRL's config.
        batch: The largest batch of a pass; None where it is not known.
    """
    found: list[Shapes | None] = []
    for one in (adapter, None):
        try:
            half, checkpointing = bool(args.bf16 or args.fp16), bool(args.gradient_checkpointing)
            found.append(shapes_of(build, one, batch, half=half, checkpointing=checkpointing))
        except Exception:  # of any kind: a model's own code, or an adapter that is made of the weights
            found.append(None)
    return Sizes(*found)


def memories(sizes: Sizes, setup: Setup) -> dict[str, int | None]:
    """Return the estimated peaks, by the names of ``Facts``."""
    return {
        "memory_lora": sizes.lora and peak(sizes.lora, setup, lora=True),
        "memory_full": sizes.full and peak(sizes.full, setup, lora=False),
    }


def largest_batch(args: Any, kind: str, context: int | None, longest: int) -> Batch | None:
    """Return the shape of the largest batch of a pass; None where the rows' lengths are not known.

    Args:
        args: TRL's config.
        kind: The type of the rows: 'sft', 'preference', 'unpaired' or 'prompt'.
        context: The most tokens that the model reads; None where that is not known.
        longest: The tokens of the longest sequence before it is cut; 0 where that is not known.
    """
    if not longest:
        return None
    answer, limit = getattr(args, ANSWER, None) or 0, getattr(args, "max_length", None)
    tokens = limit or longest if getattr(args, "packing", False) else longest + answer
    most = min(tokens, limit or tokens, (context if answer else None) or tokens)
    return Batch((2 if kind == "preference" else 1) * args.per_device_train_batch_size, most)


def adapter_text(rank: int | None, shapes: Shapes | None) -> str:
    """Return ``LoRA of rank 16 on 210 modules``, as far as it is known."""
    on = f" on {shapes.modules:,} modules" if shapes is not None and shapes.modules else ""
    return f"LoRA of rank {rank}{on}" if rank else "LoRA"


def fact_lines(facts: Facts, given: GivenRows, kind: str, args: Any) -> list[str]:
    """Return the facts as lines, each without the training's name.

    Args:
        facts: The facts.
        given: The training's rows.
        kind: Their type: 'sft', 'preference', 'unpaired' or 'prompt'.
        args: TRL's config.
    """
    noun = NOUNS[kind]
    parts = [_number(facts.rows, noun)]
    if facts.tokens_per_epoch:
        learnt = f", {facts.learnt_per_epoch:,} of them learnt" if facts.learnt_per_epoch else ""
        parts.append(f"{_number(facts.tokens_per_epoch, 'token')} an epoch{learnt}")
    return [*size_lines(facts), f"{'; '.join(parts)}; {steps_text(facts, noun, args)}", *given.lines(noun)]


def size_lines(facts: Facts) -> list[str]:
    """Return the lines on a training's parameters and its memory, the latter with full weights and with LoRA."""
    of = f" ({share(facts.trainable, facts.parameters)})" if facts.trainable < facts.parameters else ""
    adapter = f": {facts.adapter}" if facts.adapter else ""
    lines = [f"{facts.parameters:,} parameters, {facts.trainable:,} trained{of}{adapter}"]
    named = [(facts.memory_full, "with full weights"), (facts.memory_lora, "with LoRA")]
    said = [f"about {in_bytes(count)} {how}" for count, how in named if count is not None]
    if facts.memory is not None:
        free = free_bytes()
        more = f"; {in_bytes(free)} are free" if free is not None else ""
        lines.append(f"memory: {', '.join(reversed(said) if facts.adapter else said)}{more}")
    return lines


def steps_text(facts: Facts, noun: str, args: Any) -> str:
    """Return ``32 steps of 8 rows an epoch, 64 in all``.

    Args:
        facts: The facts.
        noun: The name of a row.
        args: TRL's config.
    """
    of = _number(facts.per_step, PACKED if getattr(args, "packing", False) else noun)
    if num_generations := getattr(args, "num_generations", None):
        prompts = max(1, facts.per_step // num_generations)
        of = f"{_number(facts.per_step, 'answer')} to {_number(prompts, 'prompt')}"
    return f"{_number(facts.steps_per_epoch, 'step')} of {of} an epoch, {facts.steps:,} in all"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def too_little_memory(facts: Facts) -> str | None:
    """Return a warning where the estimated memory is more than there is; None where it is not."""
    free, held = free_bytes(), in_use()
    if facts.memory is None or free is None or held is None or facts.memory <= free + held:
        return None
    lora = " lora: true," if not facts.adapter else ""
    return (
        f"it needs about {in_bytes(facts.memory)} of memory, and {in_bytes(free + held)} are there; if it is killed, "
        f"set{lora} gradient_checkpointing: true, a smaller per_device_train_batch_size (with more "
        f"gradient_accumulation_steps), or a smaller max_length"
    )
