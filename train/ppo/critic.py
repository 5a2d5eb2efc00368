"""The critic: estimates the reward still to come before each token of an answer."""

import contextlib
import copy
from typing import Any

import torch
from torch import Tensor, nn


class Critic(nn.Module):
    """A value head on hidden states, and the network that makes them, if it is the critic's own.

    Attributes:
        backbone: The critic's copy of the start model; None if it reads the policy's hidden states.
        head: One output. It starts at zero, so that the first values are 0 (Ziegler et al. 2019).
    """

    backbone: Any
    head: nn.Linear

    def __init__(self, hidden_size: int, backbone: nn.Module | None = None) -> None:
        """Set up the head for hidden states of this size."""
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(hidden_size, 1, dtype=torch.float32)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def values(self, hidden: Tensor) -> Tensor:
        """Return the values of hidden states of shape (answers, tokens, size): shape (answers, tokens)."""
        return self.head(hidden.float()).squeeze(-1)

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the parameters that are trained, by name."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Take over the trained parameters of an earlier critic."""
        own = self.trained()
        with torch.no_grad():
            for name, weight in weights.items():
                own[name].copy_(weight)


def make_critic(kind: str, policy: Any, adapter: Any, seed: int) -> Critic:
    """Return a critic for a policy that is about to be trained.

    Args:
        kind: ``copy`` for a copy of the policy's network with a value head; under LoRA it shares the frozen weights and
            has an adapter of its own. ``head`` for a value head alone.
        policy: The causal language model that the training starts from, before it gets its adapter.
        adapter: PEFT's config of the policy's adapter, or None where all weights are trained.
        seed: Decides the adapter's start.
    """
    hidden_size = policy.config.get_text_config().hidden_size
    if kind == "head":
        return Critic(hidden_size)
    network = policy.base_model
    if adapter is None:
        return Critic(hidden_size, copy.deepcopy(network))
    from peft import get_peft_model

    shared = copy.deepcopy(network, {id(weight): weight for weight in network.parameters()})
    own = copy.deepcopy(adapter)
    own.task_type, own.modules_to_save = None, None  # the network has no head that these could mean
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Critic(hidden_size, get_peft_model(shared, own))


def policy_network(policy: Any) -> nn.Module:
    """Return the network of a causal language model, below its head and with its adapter, if it has one."""
    return (policy.get_base_model() if hasattr(policy, "peft_config") else policy).base_model


def hidden_states(network: nn.Module, ids: Tensor, attention_mask: Tensor, tokens: int, cast: Any) -> Tensor:
    """Return the last hidden states before each of a text's last tokens: shape (texts, tokens, size).

    Args:
        network: A network without a head.
        ids: Token ids of whole texts: shape (texts, length).
        attention_mask: 1 where there is a token.
        tokens: The number of last positions, those of the answers.
        cast: A context in which the network computes, such as ``accelerator.autocast()``.
    """
    with cast or contextlib.nullcontext():
        output = network(input_ids=ids, attention_mask=attention_mask, use_cache=False)
    return output.last_hidden_state[:, -tokens - 1 : -1]
