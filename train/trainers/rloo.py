"""REINFORCE leave-one-out with ``trl.RLOOTrainer``: the usual choice where a reward model rewards the answers."""

from pathlib import Path

from train.job import Outcome, TrainingJob

CONFIG = "RLOOConfig"
DATA = "prompt"
NEEDS = ("rewards",)


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's prompts and save the adapter or the weights, with the tokenizer, into ``folder``.

    An answer's advantage is its reward minus the mean of its prompt's other answers (Ahmadian et al. 2024, arXiv
    2402.14740). The divergence from the model it starts from, times ``beta`` (0.05 if not set), is taken off the
    reward.
    """
    from trl import RLOOConfig, RLOOTrainer

    from train.online.online_training import train_on_prompts

    return train_on_prompts(job, folder, config_class=RLOOConfig, trainer_class=RLOOTrainer)
