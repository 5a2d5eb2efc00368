"""Classic PPO (Schulman et al. 2017, arXiv 1707.06347) for language models (Ziegler et al. 2019), on ``GRPOTrainer``.

TRL samples, scores, computes log-probabilities under policy and reference, and takes the steps with its clipped ratio.
This class replaces a group's advantages by those of each token, which a critic gives, and trains the critic.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from trl import GRPOTrainer
from trl.trainer.utils import disable_dropout_in_model

from train.ppo.config import PPOConfig
from train.ppo.critic import Critic, hidden_states, make_critic, policy_network
from train.ppo.gae import (
    advantages_and_returns,
    explained_variance,
    masked_mean,
    token_rewards,
    value_errors,
    whiten,
)

STATE = "critic.pt"  # in a checkpoint: the critic and its optimizer
HEAD_RATE = 0.5  # over the size of the hidden states: the learning rate of a head alone, if none is given


class PPOTrainer(GRPOTrainer):
    """TRL's GRPO trainer with a critic.

    The critic shares no trained weight with the policy, so its epochs over a batch of answers are done when the batch
    is sampled: that gives the weights that steps in turn would. The divergence from the reference is part of the
    reward, so TRL's ``beta``, which weights it in the loss, is 0 but while TRL computes the reference's
    log-probabilities.
    """

    args: PPOConfig
    model: Any
    lr_scheduler: Any
    _tag_names = ["trl", "ppo"]
    _name = "PPO"

    def __init__(self, model: Any, *others: Any, peft_config: Any = None, args: PPOConfig, **named: Any) -> None:
        """Set up TRL's trainer and the critic, which starts from the model before it gets its adapter.

        Raises:
            ValueError: TRL refuses an option, or there are several processes.
        """
        critic = make_critic(args.critic, model, peft_config, args.seed)
        super().__init__(model, *others, peft_config=peft_config, args=args, **named)
        if self.accelerator.num_processes > 1:
            raise ValueError("PPO trains its critic in one process; found several")
        self.beta = 0.0
        self.critic = self._prepare_critic(critic)
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.trained().values(),
            lr=self._critic_rate(),
            betas=(args.adam_beta1, args.adam_beta2),
            eps=args.adam_epsilon,
            weight_decay=args.weight_decay,
        )
        self._scores: Tensor | None = None  # of the batch that is being sampled

    def _prepare_critic(self, critic: Critic) -> Critic:
        """Return the critic on the policy's device, with its dropout and checkpointing as the options say."""
        critic = critic.to(self.accelerator.device).train()
        if self.args.disable_dropout:
            disable_dropout_in_model(critic)
        network = critic.backbone
        if network is not None and self.args.gradient_checkpointing:
            network.gradient_checkpointing_enable(self.args.gradient_checkpointing_kwargs)
            if hasattr(network, "peft_config"):
                network.enable_input_require_grads()
        return critic

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Tensor:
        """Return TRL's rewards, and keep each answer's score: their weighted sum; NaN where none could be given."""
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        scores = (rewards * self.reward_weights.to(rewards.device)).nansum(dim=1)
        self._scores = scores.masked_fill(torch.isnan(rewards).all(dim=1), torch.nan)
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Return TRL's batch of answers with an advantage for each token; in training, train the critic on it."""
        self.beta = self.args.beta
        try:
            batch = super()._generate_and_score_completions(inputs)
        finally:
            self.beta = 0.0
        training = self.model.training
        metrics = self._metrics["train" if training else "eval"]
        metrics.pop("frac_reward_zero_std", None)  # there are no groups
        scores = self._scores
        assert scores is not None
        # An answer without a score moves neither the policy nor the critic.
        mask = batch["completion_mask"].bool() & ~torch.isnan(scores)[:, None]
        with torch.no_grad():
            log_ratio = self._log_ratio(batch)
            parts = self._read(batch)
            values = torch.cat([self._values(part, mask.shape[1]) for part in parts])
            rewards = token_rewards(scores, log_ratio, mask, self.args.beta)
            advantages, returns = advantages_and_returns(rewards, values, mask, self.args.gamma, self.args.lam)
            kl = {"kl": masked_mean(log_ratio, mask)} if self.args.beta else {}
            for name, figure in {
                **kl,
                "advantage": masked_mean(advantages, mask),
                "return": masked_mean(returns, mask),
                "value": masked_mean(values, mask),
                "value/explained_variance": explained_variance(values, returns, mask),
            }.items():
                metrics[name].append(figure.item())
        if training and mask.any():
            loss, clipped = self._train_critic(parts, values, returns, mask)
            metrics["value/loss"].append(loss)
            metrics["value/clip_ratio"].append(clipped)
        batch["advantages"] = whiten(advantages, mask) if self.args.whiten_advantages else advantages
        return batch

    def _log_ratio(self, batch: dict[str, Any]) -> Tensor:
        """Return the log of how much likelier the sampling policy makes each token than the reference."""
        if "ref_per_token_logps" not in batch:
            return torch.zeros_like(batch["completion_ids"], dtype=torch.float32)
        sampled = batch.get("old_per_token_logps")
        if sampled is None:  # TRL leaves them out where the first step is the only one
            ids, attention_mask, tokens = whole_texts(batch)
            sampled = self._get_per_token_logps_and_entropies(
                self.model, ids, attention_mask, tokens, batch_size=self.args.per_device_train_batch_size
            )[0]
        return sampled - batch["ref_per_token_logps"]

    def _read(self, batch: dict[str, Any]) -> list[tuple[Tensor, ...]]:
        """Return what the critic reads of each micro-batch: texts and attention mask, or the policy's hidden states."""
        ids, attention_mask, tokens = whole_texts(batch)
        size = self.args.per_device_train_batch_size if self.model.training else self.args.per_device_eval_batch_size
        parts: list[tuple[Tensor, ...]] = [*zip(ids.split(size), attention_mask.split(size), strict=True)]
        if self.critic.backbone is not None:
            return parts
        network = policy_network(self.accelerator.unwrap_model(self.model))
        return [(hidden_states(network, *part, tokens, self.accelerator.autocast()),) for part in parts]

    def _values(self, part: tuple[Tensor, ...], tokens: int) -> Tensor:
        """Return the critic's values for a micro-batch that ``_read`` returned: shape (answers, tokens)."""
        if self.critic.backbone is None:
            return self.critic.values(*part)
        return self.critic.values(hidden_states(self.critic.backbone, *part, tokens, self.accelerator.autocast()))

    def _train_critic(
        self, parts: list[tuple[Tensor, ...]], values: Tensor, returns: Tensor, mask: Tensor
    ) -> tuple[float, float]:
        """Train the critic on a batch of answers, as many steps as the policy takes on it.

        Returns:
            The mean loss of its tokens in the first epoch, and the share of them in all epochs whose value was clipped.
        """
        sizes = [len(part[0]) for part in parts]
        old, target, learnt = (tensor.split(sizes) for tensor in (values, returns, mask))
        together = self.args.gradient_accumulation_steps
        first_losses, clipped = [], []
        for group in self.critic_optimizer.param_groups:
            group["lr"] = self._critic_rate()
        for epoch in range(self.num_iterations):
            order = torch.randperm(len(parts)).tolist()
            for start in range(0, len(order), together):
                step = order[start : start + together]
                count = sum(learnt[i].sum() for i in step)
                for i in step:
                    new = self._values(parts[i], mask.shape[1])
                    errors = value_errors(new, old[i], target[i], self.args.value_clip).masked_fill(~learnt[i], 0.0)
                    (errors.sum() / count.clamp(min=1)).backward()
                    if epoch == 0:
                        first_losses.append(errors.detach().sum())
                    clipped.append(((errors > value_errors(new, old[i], target[i], None)) & learnt[i]).sum())
                if self.args.max_grad_norm:
                    torch.nn.utils.clip_grad_norm_(self.critic.trained().values(), self.args.max_grad_norm)
                self.critic_optimizer.step()
                self.critic_optimizer.zero_grad()
        tokens = mask.sum().item()
        share = torch.stack(clipped).sum().item() / (tokens * self.num_iterations)
        return torch.stack(first_losses).sum().item() / tokens, share

    def _critic_rate(self) -> float:
        """Return the critic's learning rate now: it follows the policy's schedule."""
        own = self.args.learning_rate if self.critic.backbone is not None else HEAD_RATE / self.critic.head.in_features
        rate = self.args.critic_learning_rate or own
        if self.lr_scheduler is None or not self.args.learning_rate:
            return rate
        return rate * self.lr_scheduler.get_last_lr()[0] / self.args.learning_rate

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save TRL's checkpoint, with the critic and its optimizer."""
        super()._save_checkpoint(model, trial)
        state = {"critic": self.critic.trained(), "optimizer": self.critic_optimizer.state_dict()}
        torch.save(state, Path(self.args.output_dir or ".") / f"checkpoint-{self.state.global_step}" / STATE)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Load what ``_save_checkpoint`` saved."""
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            state = torch.load(Path(checkpoint) / STATE, map_location=self.args.device, weights_only=True)
            self.critic.restore(state["critic"])
            self.critic_optimizer.load_state_dict(state["optimizer"])


def whole_texts(batch: dict[str, Any]) -> tuple[Tensor, Tensor, int]:
    """Return a batch's prompts with their answers: token ids, attention mask, and the number of answer positions."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    attention_mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    return ids, attention_mask, batch["completion_ids"].shape[1]
