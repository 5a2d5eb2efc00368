"""A trainer's key covers all code that it trains with, and importing it imports no torch."""

import subprocess
import sys

import pytest

from curate.steps.code_hash import reachable
from train.finding.find_trainer import find_trainer, trainer_names, trainer_summary

SHARED = {"data.py", "fit.py", "job.py", "tables.py", "training_rows.py", "trl_setup.py", "weights.py"}
ROWS = {"row_losses.py", "row_training.py"}
ONLINE = {"online_training.py", "rewards.py", "rollouts.py", "answer_scorers.py"}
PPO = {"config.py", "critic.py", "gae.py", "ppo_trainer.py"}
OWN = {"grpo": ONLINE, "rloo": ONLINE, "ppo": ONLINE | PPO, "distill": {"distilled_answers.py", "same_vocabulary.py"}}


@pytest.mark.parametrize("name", trainer_names())
def test_its_key_covers_the_code_it_trains_with(name):
    files = {definition.file.name for definition in reachable(find_trainer(name).train)}
    assert SHARED | OWN.get(name, ROWS) | {f"{name}.py"} <= files
    assert "plan.py" not in files and "card.py" not in files


@pytest.mark.parametrize("name", trainer_names())
def test_its_summary_is_one_sentence(name):
    assert trainer_summary(name).endswith(".")


@pytest.mark.slow
def test_importing_every_trainer_imports_no_torch():
    code = (
        "import sys; from train.finding.find_trainer import find_trainer, trainer_names;"
        "[find_trainer(name) for name in trainer_names()];"
        "print([m for m in ('torch', 'transformers', 'trl', 'peft', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
