"""Curves and a card in a real store: the card's lines load the model, and a failure costs no model."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.progress import Progress, StageWarning
from tests.optional import needs
from tests.train.tables import preference_rows, recipe_with, sft_rows, write_stage
from train.api import TrainedModel
from train.reports import write_reports
from train.reports.card.card import card
from train.reports.card.card_facts import stored_facts
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

STEPS = "per_device_train_batch_size: 2, max_steps: 1, learning_rate: 1e-2"


class Warned(Progress):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, warning: StageWarning) -> None:
        self.lines.append(str(warning))


def train(
    folder: Path, store: Store, ref: ModelRef, trainings: str, tables: dict[str, pl.DataFrame], progress: Progress
) -> list[Stage]:
    names = {"sft": "sft", "dpo": "preferences"}
    datasets = {name: write_stage(store, names[name], rows) for name, rows in tables.items()}
    recipe = recipe_with(folder / "recipes", f"train:\n{trainings}")
    return train_recipe(recipe, store, datasets, {"student": ref}, None, progress)


def asked(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the Python lines of a card in its folder; return what they print."""
    (lines,) = re.findall(r"```python\n(.*?)```", stage.text("model/README.md") or "", re.DOTALL)
    monkeypatch.chdir(stage.folder("model"))
    capsys.readouterr()
    exec(compile(lines.replace("=64", "=3"), "README.md", "exec"), {})
    return capsys.readouterr().out


def test_the_lines_of_a_card_load_the_model(tmp_path, store, ref, monkeypatch, capsys):
    trainings = (
        f"  s: {{trainer: sft, dataset: sft, model: student, lora: {{r: 4}}, {STEPS}}}\n"
        f"  on: {{trainer: sft, dataset: sft, model: s, lora: {{r: 4}}, {STEPS}}}\n"
        f"  whole: {{trainer: sft, dataset: sft, model: s, {STEPS}}}\n"
        f"  judge: {{trainer: reward, dataset: dpo, model: student, lora: {{r: 4}}, {STEPS}}}\n"
    )
    tables = {"sft": sft_rows(4), "dpo": preference_rows(4)}
    s, on, whole, judge = train(tmp_path, store, ref, trainings, tables, Progress())
    for stage in (s, on, whole):
        assert asked(stage, monkeypatch, capsys).endswith("\n")
    float(asked(judge, monkeypatch, capsys))
    facts = {stage.manifest["name"]: stored_facts(stage) for stage in (s, on, whole, judge)}
    assert {name: (one["adapter"], one["adapters_below"], one["classifier"]) for name, one in facts.items() if one} == {
        "s": (True, 0, False), "on": (True, 1, False), "whole": (False, 0, False), "judge": (True, 0, True)
    }  # fmt: skip
    assert facts["on"] and facts["on"]["chain"] == [["s", s.stage_id]]
    for stage in (s, on, whole, judge):
        assert stage.text("model/README.md") == card(stored_facts(stage) or {})


def test_a_report_that_fails_is_said_and_costs_no_training(tmp_path, store, ref, monkeypatch):
    def broken(*_: object) -> str:
        raise ZeroDivisionError("no\nscale")

    for name in ("curves", "card"):
        monkeypatch.setattr(write_reports, name, broken)
    warned = Warned()
    trainings = f"  s: {{trainer: sft, dataset: sft, model: student, {STEPS}}}\n"
    (stage,) = train(tmp_path, store, ref, trainings, {"sft": sft_rows(4)}, warned)
    assert (stage.path / "model" / "model.safetensors").exists() and TrainedModel("s", stage).curves is None
    assert json.loads(stage.read("trainings")["metrics"][0])["history"]
    assert warned.lines == [
        "train.s: the curves could not be drawn: ZeroDivisionError: no scale",
        "train.s: the model card could not be written: ZeroDivisionError: no scale",
    ]
