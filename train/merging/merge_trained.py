"""Merges a trained adapter into whole weights, and makes sure that they are the model that was trained."""

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from curate.models.chat.chat import chat_of
from curate.models.model_ref import ModelRef
from curate.models.weight_files import STARTS_FROM, note_start
from curate.models.weights import load, load_classifier, weights_folder
from schemas.errors import UserError
from train.examples.context import context_of
from train.job import TrainingJob
from train.merging.asked_prompts import LONGEST as LONGEST_PROMPT
from train.merging.asked_prompts import Asked, asked_answers, asked_prompts
from train.merging.greedy_answers import LONGEST, ROUNDING, greedy_answers
from train.merging.same_answers import scored, scores_compared, tokens_compared
from train.record import merged_line

OF_ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "README.md", "training_args.bin", STARTS_FROM)
STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}  # as safetensors writes them
UNMERGED = "adapter"  # the folder in a training's work folder that an adapter stays in if it can't be merged


def merge_trained(job: TrainingJob, adapter: Path, folder: Path) -> dict[str, Any]:
    """Write whole weights with a trained adapter merged, once they answer as base + adapter do.

    Both are loaded one after the other, as every later use loads them, so it takes the memory of one model. The weights
    get the type that the base's files have; float32, where that has 16 bits and the answers are others.

    Args:
        job: The training.
        adapter: The folder of the stored adapter.
        folder: The folder for the whole weights, with the tokenizer.

    Returns:
        The type of the weights (``dtype``), and what was compared (``train.merging.same_answers``).

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
    loaded = load_classifier if config["task_type"] == "SEQ_CLS" else load
    job.progress.detail(f"train.{job.name}: merging the adapter; both are loaded, and their answers compared")
    compare = _comparison(job, ref, loaded)
    differs = ""
    for dtype in dict.fromkeys((file_dtype(job.ref), torch.float32)):
        write_merged(ref, adapter, folder, dtype, loaded)
        found, differs = compare(ModelRef(job.name, "merged", str(folder), settings=job.ref.settings), dtype)
        name = str(dtype).removeprefix("torch.")
        if not differs:
            found = {"dtype": name, **found}
            (adapter / "README.md").unlink(missing_ok=True)  # PEFT's, which says nothing; the model has its card
            job.progress.say(f"train {job.name}: merged: {merged_line(found)}")
            if job.quantize is not None:
                job.progress.say(
                    f"train {job.name}: it was trained over weights of {job.quantize}, and is merged into those that "
                    f"are not quantised: its answers may differ from the training's"
                )
            return found
        if dtype is not torch.float32:
            job.progress.say(
                f"train {job.name}: merged into weights in {name}, which the base's files have, it is another model: "
                f"{differs}; so they are written in float32"
            )
    raise UserError(f"the merged weights are not the model that was trained: {differs}")


def _comparison(
    job: TrainingJob, ref: ModelRef, loaded: Callable[..., tuple[Any, Any]]
) -> Callable[[ModelRef, torch.dtype], tuple[dict[str, Any], str]]:
    """Ask the base with the adapter beside its weights; return a function that asks merged weights and compares."""
    model, tokenizer = loaded(ref, merged=False)
    chat = chat_of(tokenizer)
    assert chat is not None  # it was trained with
    room = max((context_of(job.ref).tokens or LONGEST_PROMPT + LONGEST) - LONGEST, 1)
    if loaded is load_classifier:
        texts = asked_answers(job, chat, room)
        scores = scored(model, texts.tokens)
        return lambda merged, dtype: _scores_compared(texts, scores, merged, dtype)
    asked, ends = asked_prompts(job, chat, room), _ends(model, tokenizer)
    if not asked.tokens:
        raise UserError("the chat template prints no prompt of its rows for an answer, so nothing can be compared")
    expected = greedy_answers(model, asked.tokens, tokenizer.pad_token_id, ends)

    def compare(merged: ModelRef, dtype: torch.dtype) -> tuple[dict[str, Any], str]:
        whole, its_tokenizer = load(merged)
        found = greedy_answers(whole, asked.tokens, tokenizer.pad_token_id, ends)
        coarser = max(dtype, whole.dtype, key=ROUNDING.__getitem__)
        return tokens_compared(asked, expected, found, coarser, its_tokenizer)

    return compare


def _scores_compared(
    texts: Asked, expected: list[torch.Tensor], merged: ModelRef, dtype: torch.dtype
) -> tuple[dict[str, Any], str]:
    whole, _ = load_classifier(merged)
    coarser = max(dtype, whole.dtype, key=ROUNDING.__getitem__)
    return scores_compared(texts, expected, scored(whole, texts.tokens), coarser)


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end an answer, of the model's generation config and of its tokenizer."""
    found = model.generation_config.eos_token_id
    return sorted({*(found if isinstance(found, list) else [found]), tokenizer.eos_token_id} - {None})


def write_merged(
    ref: ModelRef, adapter: Path, folder: Path, dtype: torch.dtype, loaded: Callable[..., tuple[Any, Any]] = load
) -> None:
    """Write whole weights in one type, with the tokenizer that was stored with the last adapter.

    The adapters are merged in the type that a training or a generation loads the model in.

    Args:
        ref: The model, with all its adapters.
        adapter: The folder of the last one.
        folder: The folder to write; what it holds is replaced.
        dtype: The type of the weights.
        loaded: Loads the model: ``load``, or ``load_classifier`` for a reward model.

    Raises:
        UserError: A merged weight is not a finite number.
    """
    gc.collect()  # of a model before
    shutil.rmtree(folder, ignore_errors=True)
    model, _ = loaded(ref, None if dtype is torch.bfloat16 else torch.float32)
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise UserError(f"the merged weight {name} has a number that is not finite (NaN or infinite)")
    model.to(dtype).save_pretrained(folder)
    for file in sorted(adapter.iterdir()):
        if file.name not in OF_ADAPTER:
            (shutil.copytree if file.is_dir() else shutil.copy2)(file, folder / file.name)


def file_dtype(ref: ModelRef) -> torch.dtype:
    """Return the type of the weights in the files of a model's base: float32, float16 or bfloat16."""
    from safetensors import safe_open
    from transformers import AutoConfig

    location = weights_folder(ref)
    config = AutoConfig.from_pretrained(location, trust_remote_code=bool(ref.setting("trust_remote_code", False)))
    found = getattr(config, "dtype", None) or getattr(config.get_text_config(), "dtype", None)
    if found is None:  # configs of older models do not say it
        for file in sorted(Path(location).glob("*.safetensors"))[:1]:
            with safe_open(file, "pt") as held:
                found = STORED.get(held.get_slice(next(iter(held.keys()))).get_dtype())
    return found if found in ROUNDING else torch.float32
