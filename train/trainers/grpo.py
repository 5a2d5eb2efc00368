"""Group relative policy optimisation with ``trl.GRPOTrainer``: scorers reward the answers that the model samples."""

from pathlib import Path

from train.job import Outcome, TrainingJob

CONFIG = "GRPOConfig"
DATA = "prompt"
NEEDS = ("rewards",)


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's prompts and save the adapter or the weights, with the tokenizer, into ``folder``.

    An answer's advantage is its reward minus the mean of its prompt's answers, over their standard deviation (Shao et
    al. 2024, arXiv 2402.03300). With ``beta`` the divergence from the model it starts from is part of the loss.
    """
    from trl import GRPOConfig, GRPOTrainer

    from train.online.online_training import train_on_prompts

    return train_on_prompts(job, folder, config_class=GRPOConfig, trainer_class=GRPOTrainer)
