"""The trainer does what the published PPO for language models does, to the last digits of single precision.

The plain loop here follows the equations of TRL's PPO trainer up to version 0.11 (``compute_rewards``, ``loss``), which
follows Ziegler et al. 2019's code.
"""

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.optional import needs
from tests.train.ppo.toy import model_and_tokenizer, ppo_trainer, share_of_a

pytestmark = [needs("trl"), pytest.mark.slow]

EPOCHS, BETA, GAMMA, LAM, CLIP, VALUE_CLIP, RATE, CRITIC_RATE = 4, 0.3, 0.97, 0.9, 0.2, 0.05, 0.02, 0.01


def masked_mean(values: Any, mask: Any) -> Any:
    return (values * mask).sum() / mask.sum()


def masked_whiten(values: Any, mask: Any) -> Any:
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask) * mask.sum() / (mask.sum() - 1)
    return (values - mean) / (variance + 1e-8) ** 0.5


def log_probabilities(model: Any, ids: Any, attention_mask: Any, tokens: int) -> Any:
    """Return those of a text's last tokens, from plain logits."""
    logits = model(input_ids=ids, attention_mask=attention_mask).logits[:, :-1]
    return logits.log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(-1)[:, -tokens:]


def critic_values(network: Any, head: Any, ids: Any, attention_mask: Any, tokens: int) -> Any:
    return head(network(input_ids=ids, attention_mask=attention_mask).last_hidden_state)[:, -tokens - 1 : -1, 0]


def published(models: dict[str, Any], batch: dict[str, Any], scores: Any) -> dict[str, Any]:
    """Train ``policy``, ``network`` and ``head`` on one batch; return the figures that the trainer has too."""
    import torch

    mask = batch["completion_mask"]
    texts = (
        torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1),
        torch.cat([batch["prompt_mask"], mask], 1),
        mask.shape[1],
    )
    with torch.no_grad():
        old = log_probabilities(models["policy"], *texts)
        kl = old - log_probabilities(models["reference"], *texts)
        values = critic_values(models["network"], models["head"], *texts) * mask
        rewards = -BETA * kl * mask
        for row, score in enumerate(scores):
            rewards[row, mask[row].nonzero()[-1]] += score
        last, backwards = 0, []
        for t in reversed(range(mask.shape[1])):
            after = values[:, t + 1] if t < mask.shape[1] - 1 else 0.0
            last = rewards[:, t] + GAMMA * after - values[:, t] + GAMMA * LAM * last
            backwards.append(last)
        advantages = torch.stack(backwards[::-1]).transpose(0, 1)
        returns = advantages + values
        advantages = masked_whiten(advantages, mask)

    policy_weights = list(models["policy"].parameters())
    critic_weights = [*models["network"].parameters(), *models["head"].parameters()]
    optimizers = [torch.optim.AdamW(policy_weights, lr=RATE, weight_decay=0.0)]
    optimizers += [torch.optim.AdamW(critic_weights, lr=CRITIC_RATE, weight_decay=0.0)]
    policy_losses, value_losses = [], []
    for _ in range(EPOCHS):
        ratio = torch.exp(log_probabilities(models["policy"], *texts) - old)
        clipped = torch.clamp(ratio, 1 - CLIP, 1 + CLIP)
        policy_losses.append(masked_mean(torch.max(-advantages * ratio, -advantages * clipped), mask))
        new = critic_values(models["network"], models["head"], *texts)
        near = torch.clamp(new, values - VALUE_CLIP, values + VALUE_CLIP)
        value_losses.append(0.5 * masked_mean(torch.max((new - returns) ** 2, (near - returns) ** 2), mask))
        (policy_losses[-1] + value_losses[-1]).backward()
        for optimizer, weights in zip(optimizers, (policy_weights, critic_weights), strict=True):
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return {
        "advantages": advantages * mask,
        "losses": [loss.item() for loss in policy_losses],
        "value_loss": value_losses[0].item(),
        "return": masked_mean(returns, mask).item(),
        "kl": masked_mean(kl, mask).item(),
        "value": masked_mean(values, mask).item(),
    }


def test_a_batch_trains_as_the_published_equations_say(tmp_path: Path):
    import torch

    trainer = ppo_trainer(
        tmp_path,
        share_of_a,
        num_iterations=EPOCHS,
        max_steps=EPOCHS,
        beta=BETA,
        gamma=GAMMA,
        lam=LAM,
        epsilon=CLIP,
        value_clip=VALUE_CLIP,
        learning_rate=RATE,
        critic_learning_rate=CRITIC_RATE,
        lr_scheduler_type="constant",
        generation_kwargs=None,  # answers end by themselves, too
    )
    trainer.ref_model.load_state_dict(model_and_tokenizer(seed=1)[0].state_dict())  # else the divergence would be 0
    torch.manual_seed(2)
    torch.nn.init.normal_(trainer.critic.head.weight)  # else the first values would be 0
    models = {
        "policy": model_and_tokenizer()[0],
        "reference": model_and_tokenizer(seed=1)[0],
        "network": copy.deepcopy(trainer.critic.backbone),
        "head": copy.deepcopy(trainer.critic.head),
    }
    trainer.train()
    batch = trainer._buffered_inputs[0]
    assert 1 < batch["completion_mask"].sum(1).unique().numel()  # answers of several lengths
    texts = trainer.processing_class.batch_decode(batch["completion_ids"], skip_special_tokens=True)
    expected = published(models, batch, share_of_a(texts))

    torch.testing.assert_close(batch["advantages"], expected["advantages"], atol=2e-6, rtol=2e-6)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert [entry["loss"] for entry in logged] == pytest.approx(expected["losses"], abs=5e-6)
    assert max(abs(entry["loss"]) for entry in logged) > 0.05  # the steps move it
    assert max(entry["clip_ratio/region_mean"] for entry in logged) > 0.05
    assert logged[0]["value/clip_ratio"] > 0.05
    for name, key in {"value/loss": "value_loss", "return": "return", "kl": "kl", "value": "value"}.items():
        assert logged[0][name] == pytest.approx(expected[key], rel=2e-6), name
    for one, other in (
        (trainer.model, models["policy"]),
        (trainer.critic.backbone, models["network"]),
        (trainer.critic.head, models["head"]),
    ):
        for name, weight in other.state_dict().items():
            torch.testing.assert_close(one.state_dict()[name], weight, atol=2e-4, rtol=1e-3, msg=name)
