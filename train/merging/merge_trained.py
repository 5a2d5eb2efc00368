"""Merges a trained adapter into whole weights, and makes sure that they are the model that was trained."""

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from curate.models.chat.chat import Chat, chat_of
from curate.models.model_ref import ModelRef
from curate.models.stored_dtype import stored_dtype
from curate.models.weight_files import STARTS_FROM, note_start
from curate.models.weights import load, load_classifier
from schemas.errors import UserError
from train.examples.context import context_of
from train.job import TrainingJob
from train.merging.asked_prompts import LONGEST as LONGEST_PROMPT
from train.merging.asked_prompts import Asked, asked_answers, asked_prompts
from train.record import merged_line
from train.same_answers.compare import ROUNDING, Difference, compare
from train.same_answers.greedy import ends_of, greedy_answers
from train.same_answers.scores import compare_scores, scored

LONGEST = 32  # tokens of an answer
TOGETHER = 10  # prompts in a batch
OF_ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "README.md", "training_args.bin", STARTS_FROM)
UNMERGED = "adapter"  # the folder in a training's work folder that an adapter stays in if it can't be merged
Compared = Callable[[ModelRef, str], tuple[dict[str, Any], str]]  # counts of merged weights in a type; what differs


def merge_trained(job: TrainingJob, adapter: Path, folder: Path) -> dict[str, Any]:
    """Write whole weights with a trained adapter merged, once they answer as base + adapter do.

    Both are loaded one after the other, as every later use loads them, so it takes the memory of one model. The weights
    get the type that the base's files have; float32, where that has 16 bits and the answers are others.

    Args:
        job: The training.
        adapter: The folder of the stored adapter.
        folder: The folder for the whole weights, with the tokenizer.

    Returns:
        The type of the weights (``dtype``), and what was compared in numbers.

    Raises:
        UserError: The merged weights give other answers, or can't be written. The adapter is then in the training's
            work folder.
    """
    try:
        return _merge(job, adapter, folder)
    except Exception as error:  # of any kind: a full disk, memory, PEFT's; hours of training are not to be lost
        kept = job.work_folder / UNMERGED
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(adapter, kept)
        note_start(kept, job.ref)
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"train.{job.name}: merge: {said}; nothing is kept as merged, but the adapter is in {kept}"
        ) from error


def _merge(job: TrainingJob, adapter: Path, folder: Path) -> dict[str, Any]:
    gc.collect()  # the trainer and its model refer to each other
    ref = job.ref.trained(job.name, "merging", adapter, adapter=True)
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    classifier = config["task_type"] == "SEQ_CLS"
    job.progress.detail(f"train.{job.name}: merging the adapter; both are loaded, and their answers compared")
    compare_with = (_scores if classifier else _answers)(job, ref)
    differs = ""
    for dtype in dict.fromkeys((stored_dtype(job.ref), "float32")):
        write_merged(ref, adapter, folder, dtype, load_classifier if classifier else load)
        found, differs = compare_with(ModelRef(job.name, "merged", str(folder), settings=job.ref.settings), dtype)
        if not differs:
            found = {"dtype": dtype, **found}
            (adapter / "README.md").unlink(missing_ok=True)  # PEFT's, which says nothing; the model has its card
            job.progress.say(f"train {job.name}: merged: {merged_line(found)}")
            if job.quantize is not None:
                job.progress.say(
                    f"train {job.name}: it was trained over weights of {job.quantize}, and is merged into those that "
                    f"are not quantised: its answers may differ from the training's"
                )
            return found
        if dtype != "float32":
            job.progress.say(
                f"train {job.name}: merged into weights in {dtype}, which the base's files have, it is another model: "
                f"{differs}; so they are written in float32"
            )
    raise UserError(f"the merged weights are not the model that was trained: {differs}")


def _answers(job: TrainingJob, ref: ModelRef) -> Compared:
    """Ask the base with the adapter beside its weights; return a function that asks merged weights and compares."""
    model, tokenizer = load(ref, merged=False)
    asked, ends = asked_prompts(job, _chat(tokenizer), _room(job)), ends_of(model, tokenizer)
    if not asked.tokens:
        raise UserError("the chat template prints no prompt of its rows for an answer, so nothing can be compared")
    expected = greedy_answers(model, asked.tokens, ends, LONGEST, TOGETHER)

    def compare_with(merged: ModelRef, dtype: str) -> tuple[dict[str, Any], str]:
        whole, its_tokenizer = load(merged)
        answers = greedy_answers(whole, asked.tokens, ends, LONGEST, TOGETHER)
        found = compare(expected, [one.tokens for one in answers], _coarser(dtype, whole))
        differs = "" if found.difference is None else _in_words(found.difference, found.rounding, asked, its_tokenizer)
        tokens = found.shared + found.prompts - found.equal  # those compared: the first that differs, too
        return {"prompts": found.prompts, "tokens": tokens, "ties": found.ties}, differs

    return compare_with


def _scores(job: TrainingJob, ref: ModelRef) -> Compared:
    """Score answers by the base with the adapter beside its weights; return a function as ``_answers`` does."""
    model, tokenizer = load_classifier(ref, merged=False)
    asked = asked_answers(job, _chat(tokenizer), _room(job))
    expected = scored(model, asked.tokens)

    def compare_with(merged: ModelRef, dtype: str) -> tuple[dict[str, Any], str]:
        whole, _ = load_classifier(merged)
        scores = scored(whole, asked.tokens)
        found, differs = compare_scores(expected, scores, _coarser(dtype, whole)), ""
        if found.differs is not None:
            one, other = float(expected[found.differs][0]), float(scores[found.differs][0])
            differs = f"an answer of {asked.row_ids[found.differs]} is scored {other:.4g} instead of {one:.4g}"
        return {"answers": len(expected), "difference": found.largest}, differs

    return compare_with


def _chat(tokenizer: Any) -> Chat:
    chat = chat_of(tokenizer)
    assert chat is not None  # it was trained with
    return chat


def _room(job: TrainingJob) -> int:
    """Return how many tokens a prompt may have, so that its answer fits the context too."""
    return max((context_of(job.ref).tokens or LONGEST_PROMPT + LONGEST) - LONGEST, 1)


def _coarser(dtype: str, model: Any) -> str:
    """Return the type of stored weights, or the one that they were loaded in, where that is coarser."""
    return max(dtype, str(model.dtype).removeprefix("torch."), key=ROUNDING.__getitem__)


def _in_words(difference: Difference, rounding: float, asked: Asked, tokenizer: Any) -> str:
    first, second = (
        "the end" if token is None else repr(tokenizer.decode([token]))
        for token in (difference.first, difference.second)
    )
    return (
        f"to the prompt of {asked.row_ids[difference.prompt]} token {difference.place + 1} is {second} instead of "
        f"{first}, whose logit lies {difference.gap:.2g} of their spread higher (up to {rounding:.2g} is rounding)"
    )


def write_merged(
    ref: ModelRef, adapter: Path, folder: Path, dtype: str, loaded: Callable[..., tuple[Any, Any]] = load
) -> None:
    """Write whole weights in one type, with the tokenizer that was stored with the last adapter.

    The adapters are merged in the type that a training or a generation loads the model in.

    Args:
        ref: The model, with all its adapters.
        adapter: The folder of the last one.
        folder: The folder to write; what it holds is replaced.
        dtype: The type of the weights: ``float32``, ``float16`` or ``bfloat16``.
        loaded: Loads the model: ``load``, or ``load_classifier`` for a reward model.

    Raises:
        UserError: A merged weight is not a finite number.
    """
    gc.collect()  # of a model before
    shutil.rmtree(folder, ignore_errors=True)
    model, _ = loaded(ref, None if dtype == "bfloat16" else torch.float32)
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise UserError(f"the merged weight {name} has a number that is not finite (NaN or infinite)")
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    for file in sorted(adapter.iterdir()):
        if file.name not in OF_ADAPTER:
            (shutil.copytree if file.is_dir() else shutil.copy2)(file, folder / file.name)
