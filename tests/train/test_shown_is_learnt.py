"""What ``check`` shows is what a trainer learns: samples against the real TRL trainer's token ids and labels.

The trainer is made by our own ``train``, which is stopped where it would begin to train. Texts are ASCII, so that each
token's text is what its id stands for.
"""

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from schemas.recipe import Training
from tests.optional import Lazy, needs
from tests.train.examples.templates import FORCED, MARKERS
from tests.train.tables import preference_rows, rl_rows, turns

chat = Lazy("curate.models.chat.chat")
styles = Lazy("tests.models.chat.styles")
preview = Lazy("train.preview")

pytestmark = [needs("trl"), pytest.mark.slow]

STYLES = ["chatml", "gemma", "qwen", "llama", "mistral", "deepseek", "hermes", "phi", "forced", "markers"]
TOOL = {"type": "function", "function": {"name": "read", "description": "reads", "parameters": {"type": "object"}}}
CALL = {"id": "a1b2c3d4e", "type": "function", "function": {"name": "read", "arguments": {"lines": 7}}}


def said(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def row(name: str, *messages: dict[str, Any], tools: bool = False) -> dict[str, Any]:
    """A row whose last message is the completion."""
    prompt, completion = json.dumps(messages[:-1]), json.dumps(messages[-1:])
    return {"row_id": name, "prompt": prompt, "completion": completion, "tools": json.dumps([TOOL]) if tools else None}


ASKED, ANSWER = said("user", "the cat sings"), said("assistant", "seven lines in lower case")
ROWS = [
    row("plain", ASKED, ANSWER),
    row("turns", ASKED, said("assistant", "red dog"), said("user", "answer now"), said("assistant", "the a")),
    row("weight", ASKED, said("assistant", "wrong", weight=0), said("user", "answer please"), ANSWER),
    row("system", said("system", "write without commas"), ASKED, said("assistant", "a blue dog")),
    row("call", ASKED, said("assistant", "", tool_calls=[CALL]), tools=True),
    row(
        "result",
        ASKED,
        said("assistant", "", tool_calls=[CALL]),
        said("tool", "red red", tool_call_id="a1b2c3d4e", name="read"),
        said("assistant", "red"),
        tools=True,
    ),
    row(
        "traces",
        ASKED,
        said("assistant", "blue", reasoning_content="a dog"),
        said("user", "and now"),
        said("assistant", "lower", reasoning_content="the case\nof dog"),
    ),
    row("nothing", ASKED, said("assistant", "wrong", weight=0)),
    row("cut", ASKED, said("assistant", "seven lines " * 120)),
    row("long", said("user", "answer " * 200), said("assistant", "seven")),
]
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "cut": {"max_length": 150},
    "end": {"max_length": 150, "truncation_mode": "keep_end"},
    "completion": {"completion_only_loss": True},
    "everything": {"completion_only_loss": False},
    "everything_cut": {"completion_only_loss": False, "max_length": 24},
    "assistant": {"assistant_only_loss": True},
    "assistant_too": {"assistant_only_loss": True, "completion_only_loss": False},
    "bfd": {"packing": True, "max_length": 96},
    "bfd_split": {"packing": True, "max_length": 96, "packing_strategy": "bfd_split"},
    "wrapped": {"packing": True, "max_length": 64, "packing_strategy": "wrapped"},
}
CASES = [(name, how) for name in STYLES for how in ("default", "cut")]
CASES += [(name, how) for name in ("chatml", "qwen", "mistral") for how in SETTINGS if how not in ("default", "cut")]


class Ready(Exception):
    """The trainer is ready to train."""


@pytest.fixture
def styled(tiny: Path, tmp_path: Path):
    """A function that returns the folder of the tiny model with another chat template."""

    def with_template(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in tiny.iterdir():
            (folder / file.name).symlink_to(file)
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        template = {"forced": FORCED, "markers": MARKERS}.get(name) or styles.STYLES[name]
        (folder / "chat_template.jinja").write_text(template)
        return folder

    return with_template


def made_trainer(monkeypatch: Any, training: Training, rows: pl.DataFrame, folder: Path, work: Path) -> Any:
    """Return the TRL trainer of a training, just before its first step."""
    import trl

    from train.job import TrainingJob

    name = {"sft": "SFTTrainer", "dpo": "DPOTrainer", "reward": "RewardTrainer", "grpo": "GRPOTrainer"}
    base = getattr(trl, name[training.trainer])

    def stop(trainer: Any, **others: Any) -> None:
        raise Ready(trainer)

    monkeypatch.setattr(trl, base.__name__, type("Stopped", (base,), {"train": stop}))
    rewards = {}
    if training.rewards:
        from tests.train.tables import recipe_with
        from train.answer_scorers import answer_scorers

        recipe = recipe_with(work, "")
        rewards = answer_scorers(recipe, training.rewards, "here")
    job = TrainingJob(
        name="one",
        trainer=training.trainer,
        ref=ModelRef("student", "tiny@0", str(folder)),
        rows=rows,
        eval_rows=rows.clear(),
        settings=training.settings,
        lora=None,
        rewards=rewards,
        seed=3,
        work_folder=work / "work",
        progress=Progress(),
        unshown=training.unshown,
    )
    with pytest.raises(Ready) as ready:
        importlib.import_module(f"train.trainers.{training.trainer}").train(job, work / "model")
    return ready.value.args[0]


def samples_of(training: Training, rows: pl.DataFrame, kind: str, folder: Path) -> tuple[list[Any], Any]:
    """Return the samples as ``check`` makes them, and the counts."""
    found = chat.chat_for(ModelRef("student", "tiny@0", str(folder)))
    examples = preview.training_examples(rows, training, kind, found, "here")
    return preview.preview(rows, training, kind, found, examples.dropped), examples


def training_of(trainer: str, settings: dict[str, Any]) -> Training:
    return Training(trainer=trainer, dataset="d", model="student", unshown="ignore", **settings)


def texts(trainer: Any, ids: list[int]) -> list[str]:
    """Return the text of each token."""
    backend = trainer.processing_class.backend_tokenizer
    return [backend.decode([i], skip_special_tokens=False) for i in ids]


def learnt_by(trainer: Any, example: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return the tokens of an example with whether each is learnt, from the batch that the trainer's loss gets."""
    batch = trainer.data_collator([example])
    flags = [label != -100 for label in batch["labels"][0].tolist()]
    return list(zip(texts(trainer, batch["input_ids"][0].tolist()), flags, strict=True))


def shown(sample: Any) -> list[tuple[str, bool]]:
    return list(zip(sample.tokens, sample.learnt, strict=True))


@pytest.mark.parametrize(("name", "how"), CASES)
def test_sft(monkeypatch, styled, tmp_path: Path, name: str, how: str):
    training, rows, folder = training_of("sft", SETTINGS[how]), pl.DataFrame(ROWS), styled(name)
    trainer = made_trainer(monkeypatch, training, rows, folder, tmp_path)
    samples, examples = samples_of(training, rows, "sft", folder)
    kept = [sample for sample in samples if sample.reason is None]
    assert {"plain", "turns"} <= {sample.row_id for sample in kept}
    assert "nothing" in {sample.row_id for sample in samples if sample.reason}
    if training.settings.get("packing"):
        assert_packed(trainer, [shown(sample) for sample in kept])
    else:
        trained = [learnt_by(trainer, example) for example in trainer.train_dataset.to_list()]
        assert trained == [shown(sample) for sample in kept]
    assert examples.counts["tokens"] == sum(sum(sample.learnt) for sample in kept)
    assert examples.counts["all_tokens"] == sum(len(sample.tokens) for sample in kept)


def assert_packed(trainer: Any, sequences: list[list[tuple[str, bool]]]) -> None:
    """Assert that packed blocks hold these sequences, one after the other in some order, and nothing else."""
    blocks = [
        list(zip(texts(trainer, one["input_ids"]), [label != -100 for label in one["labels"]], strict=True))
        for one in trainer.train_dataset.to_list()
    ]
    assert max(len(block) for block in blocks) <= trainer.args.max_length
    if trainer.args.packing_strategy == "bfd_split":  # the rest of a split sequence stands anywhere
        assert sorted(pair for block in blocks for pair in block) == sorted(pair for one in sequences for pair in one)
        return
    left, stream = sorted(sequences, key=len, reverse=True), [pair for block in blocks for pair in block]
    while stream:
        found = next((one for one in left if stream[: len(one)] == one), None)
        assert found is not None, stream[:20]
        left.remove(found)
        stream = stream[len(found) :]
    assert left == []


@pytest.mark.parametrize("settings", [{}, {"max_length": 80}, {"max_length": 80, "truncation_mode": "keep_end"}])
@pytest.mark.parametrize("name", ["chatml", "qwen", "mistral", "forced"])
def test_dpo(monkeypatch, styled, tmp_path: Path, name: str, settings: dict[str, Any]):
    long = pl.when(pl.col("row_id") == "r_1").then(pl.lit(turns("user", "answer " * 90))).otherwise("prompt")
    several = [
        said("assistant", "", tool_calls=[CALL]),
        said("tool", "7", tool_call_id="a1b2c3d4e", name="read"),
        ANSWER,
    ]
    chosen = pl.when(pl.col("row_id") == "r_2").then(pl.lit(json.dumps(several))).otherwise("chosen")
    rows = preference_rows(4).with_columns(prompt=long, chosen=chosen, tools=pl.lit(None, pl.String))
    training, folder = training_of("dpo", settings), styled(name)
    trainer = made_trainer(monkeypatch, training, rows, folder, tmp_path)
    samples, _ = samples_of(training, rows, "preference", folder)
    assert {sample.row_id for sample in samples if sample.reason} == ({"r_1"} if len(settings) == 1 else set())
    trained = []
    for example in trainer.train_dataset.to_list():
        batch = trainer.data_collator([example])
        for ids, present, counted in zip(
            batch["input_ids"], batch["attention_mask"], batch["completion_mask"], strict=True
        ):
            kept = present.bool()
            trained.append(list(zip(texts(trainer, ids[kept].tolist()), counted[kept].bool().tolist(), strict=True)))
    assert trained == [shown(sample) for sample in samples if sample.reason is None]


@pytest.mark.parametrize("settings", [{}, {"max_length": 80}])
@pytest.mark.parametrize("name", ["chatml", "gemma", "forced"])
def test_reward(monkeypatch, styled, tmp_path: Path, name: str, settings: dict[str, Any]):
    long = pl.when(pl.col("row_id") == "r_1").then(pl.lit(turns("user", "answer " * 90))).otherwise("prompt")
    rows = preference_rows(4).with_columns(prompt=long)
    training, folder = training_of("reward", settings), styled(name)
    trainer = made_trainer(monkeypatch, training, rows, folder, tmp_path)
    samples, _ = samples_of(training, rows, "preference", folder)
    assert {sample.row_id for sample in samples if sample.reason} == ({"r_1"} if settings else set())
    trained = [
        texts(trainer, example[f"{side}_ids"])
        for example in trainer.train_dataset.to_list()
        for side in ("chosen", "rejected")
    ]
    assert trained == [sample.tokens for sample in samples if sample.reason is None]


@pytest.mark.parametrize("name", ["chatml", "gemma", "forced"])
def test_grpo(monkeypatch, styled, tmp_path: Path, name: str):
    system = json.dumps([said("system", "write"), ASKED])
    prompt = pl.when(pl.col("row_id") == "r_1").then(pl.lit(system)).otherwise("prompt")
    rows = rl_rows(3).with_columns(prompt=prompt)
    small = {"num_generations": 2, "per_device_train_batch_size": 2, "max_completion_length": 8}
    training, folder = training_of("grpo", {"rewards": ["length"], **small}), styled(name)
    trainer = made_trainer(monkeypatch, training, rows, folder, tmp_path)
    samples, _ = samples_of(training, rows, "prompt", folder)
    printed = [
        trainer.processing_class.apply_chat_template(example["prompt"], add_generation_prompt=True, tokenize=False)
        for example in trainer.train_dataset
    ]
    assert printed == ["".join(sample.tokens) for sample in samples] and not any(any(s.learnt) for s in samples)


@pytest.mark.parametrize(("built", "differs"), [("PreTrainedTokenizerFast", False), ("Qwen2Tokenizer", True)])
def test_a_tokenizer_that_is_built_anew_is_said(tiny: Path, tmp_path: Path, built: str, differs: bool):
    from transformers import AutoTokenizer

    from train.job import TrainingJob
    from train.trl_setup import model_chat

    class Lines(Progress):
        lines: list[str] = []

        def say(self, message: str) -> None:
            self.lines.append(message)

    folder, progress = tmp_path / "model", Lines()
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text()) | {"tokenizer_class": built}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    progress.lines, nothing = [], pl.DataFrame()
    ref = ModelRef("student", "tiny@0", str(folder))
    job = TrainingJob("one", "sft", ref, nothing, nothing, {}, None, {}, 3, tmp_path, progress)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model_chat(job, tokenizer)
    assert [line.startswith("train one: the tokens are others than check shows: ") for line in progress.lines] == (
        [True] if differs else []
    )
