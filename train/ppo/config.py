"""The options of PPO: those of TRL's ``GRPOConfig``, with the values of classic PPO, and the critic's own."""

from dataclasses import dataclass, field
from typing import Any

from trl import GRPOConfig

CRITICS = ("copy", "head")
LOSSES = ("bnpo", "dapo", "grpo", "dr_grpo")
# Options of GRPO that PPO has no use for: the only value that they may have, and the reason.
FIXED: dict[str, tuple[Any, str]] = {
    "scale_rewards": ("none", "the critic is the baseline, and whiten_advantages scales"),
    "multi_objective_aggregation": ("sum_then_normalize", "the weighted sum of the rewards is the score of an answer"),
    "importance_sampling_level": ("token", "each token has an advantage of its own"),
    "off_policy_mask_threshold": (None, "it needs one advantage for each answer"),
    "use_bias_correction_kl": (True, "the divergence is part of the reward, not of the loss"),
    "fp16": (False, "the critic is trained without a scaled loss; use bf16"),
}


@dataclass
class PPOConfig(GRPOConfig):
    """The options of PPO. Those not listed here are TRL's, with TRL's meaning and default."""

    num_generations: int | None = field(
        default=1, metadata={"help": "Answers sampled for each prompt; they are not compared with each other."}
    )
    num_iterations: int = field(default=4, metadata={"help": "Epochs over each batch of answers, the critic's too."})
    beta: float = field(
        default=0.05, metadata={"help": "Weight of the divergence from the reference, taken off each token's reward."}
    )
    loss_type: str = field(
        default="bnpo", metadata={"help": "How the tokens' losses are averaged: bnpo, dapo, grpo or dr_grpo."}
    )
    scale_rewards: str = field(default="none", metadata={"help": "Not used: there are no groups of answers."})
    disable_dropout: bool = field(
        default=True, metadata={"help": "Dropout would change the probabilities that are compared with each other."}
    )
    critic: str = field(
        default="copy",
        metadata={
            "help": "'copy': a copy of the start model with a value head (under LoRA: its frozen weights, shared, and "
            "an adapter of its own); 'head': a value head alone, on the policy's hidden states."
        },
    )
    critic_learning_rate: float | None = field(
        default=None,
        metadata={
            "help": "The critic's, scheduled as the policy's; None: the same for a copy, 0.5 / hidden size for a head."
        },
    )
    gamma: float = field(default=1.0, metadata={"help": "Discount of rewards, by token."})
    lam: float = field(default=0.95, metadata={"help": "Lambda of generalised advantage estimation."})
    value_clip: float | None = field(
        default=0.2, metadata={"help": "How far a batch may move a value; None for no limit."}
    )
    whiten_advantages: bool = field(
        default=True, metadata={"help": "Give the advantages of a batch mean 0 and variance 1."}
    )

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ValueError: An option is out of its range, or makes no sense with PPO.
        """
        self._check_ranges()
        self._check_groups()
        for name, (value, reason) in FIXED.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} cannot be set for PPO: {reason}; remove it")

    def _check_ranges(self) -> None:
        if self.critic not in CRITICS:
            raise ValueError(f"critic: expected {' or '.join(CRITICS)}, found {self.critic!r}")
        if self.loss_type not in LOSSES:
            raise ValueError(
                f"loss_type: expected {', '.join(LOSSES)}, which clip the ratio as PPO does, found {self.loss_type!r}"
            )
        for name in ("gamma", "lam"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a number from 0 to 1, found {getattr(self, name)}")
        for name in ("value_clip", "critic_learning_rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name}: expected a number above 0, or null, found {value}")
        if not 0 <= self.beta < float("inf"):
            raise ValueError(f"beta: expected a number from 0, found {self.beta}")
        if not self.num_iterations or self.num_iterations < 1:
            raise ValueError(f"num_iterations: expected 1 or more epochs, found {self.num_iterations}")

    def _check_groups(self) -> None:
        """Let GRPO's config check itself, which refuses one answer for a prompt: it has no critic."""
        given, given_eval = self.num_generations, self.num_generations_eval
        if given == 1:
            steps = self.steps_per_generation or self.gradient_accumulation_steps
            batch = self.generation_batch_size or self.per_device_train_batch_size * steps
            if batch < 2:
                raise ValueError(f"PPO needs 2 or more answers in a batch, to scale their advantages; found {batch}")
            self.num_generations, self.num_generations_eval = batch, given_eval or 1
        super().__post_init__()
        self.num_generations, self.num_generations_eval = given, given_eval
