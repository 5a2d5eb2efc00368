"""Classic PPO on ``trl.GRPOTrainer``: as rloo, but a critic says which tokens of an answer earned its reward."""

from pathlib import Path

from train.job import Outcome, TrainingJob

CONFIG = "PPOConfig"
DATA = "prompt"
NEEDS = ("rewards",)


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's prompts and save the adapter or the weights, with the tokenizer, into ``folder``.

    TRL has no PPO any more; ``train.ppo`` is a small subclass of its GRPO trainer. The critic is saved in checkpoints,
    and not with the model. ``rollouts`` has an answer's advantage as the mean over its tokens.
    """
    from train.online.online_training import train_on_prompts
    from train.ppo.config import PPOConfig
    from train.ppo.ppo_trainer import PPOTrainer

    return train_on_prompts(job, folder, config_class=PPOConfig, trainer_class=PPOTrainer, groups=False)
