"""Log-probabilities of the engine ``transformers``: how likely each token of a text is to a model.

The text is given as token ids, because whoever asks has to know which of the tokens are whose: lm-evaluation-harness
compares the continuations of one context.
"""

import json

import torch

from curate.models.clients.local.batching import Text, answer_in_batches, padded, refusal
from curate.models.clients.local.loss import LossEngine
from schemas.requests import Give, Reply, Request, Take

DECIMALS = 6


class TokenLogprobsEngine(LossEngine):
    """A loaded causal language model that says how likely the tokens of texts are."""

    def answer(self, take: Take, give: Give) -> None:
        """Answer requests of the task ``tokens`` until there are none left; ``Reply`` says in what form."""
        answer_in_batches(take, give, self._read, self._evaluate, self.batch_tokens)

    def _read(self, requests: list[Request]) -> list[Text | Reply]:
        """Return each request's tokens, or the reply that refuses it."""
        return [self._read_one(request, json.loads(request.messages)["ids"]) for request in requests]

    def _read_one(self, request: Request, ids: list[int]) -> Text | Reply:
        size = self.model.config.get_text_config().vocab_size
        wrong = next((token for token in ids if not 0 <= token < size), None)
        if wrong is not None:
            return Reply(request.key, error=f"the model has {size} tokens, and no token {wrong}")
        return refusal(request, len(ids), self.context) or Text(request, ids)

    @torch.inference_mode()
    def _evaluate(self, texts: list[Text]) -> list[Reply]:
        """Return the replies to a batch of texts."""
        device = self.model.device
        rows = [text.ids for text in texts]
        ids, mask = padded(rows, 0, device), padded([[1] * len(row) for row in rows], 0, device)
        row = torch.tensor([i for i, one in enumerate(rows) for _ in one], device=device)
        place = torch.tensor([p for one in rows for p in range(len(one))], device=device)
        # The token after the last one is the likeliest there, which is marked by -1.
        following = torch.tensor([token for one in rows for token in (*one[1:], -1)], device=device)
        parts, size = self._parts(ids, mask, row, place)
        found = [_log_probabilities(part, after) for part, after in zip(parts, following.split(size), strict=True)]
        own, best, same = (torch.cat(columns).tolist() for columns in zip(*found, strict=True))
        replies, end = [], 0
        for text in texts:
            begin, end = end, end + len(text.ids)
            logprobs = tuple(round(value, DECIMALS) for value in own[begin:end])
            likeliest = [
                None if is_own else round(value, DECIMALS)
                for value, is_own in zip(best[begin:end], same[begin:end], strict=True)
            ]
            size_of = len(text.ids)
            replies.append(
                Reply(
                    text.request.key,
                    prompt_tokens=size_of,
                    completion_tokens=0,
                    logprobs=logprobs,
                    top_logprobs=json.dumps(likeliest, separators=(",", ":")),
                )
            )
        return replies


def _log_probabilities(logits: torch.Tensor, following: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return the log-probabilities of the tokens that follow and of the likeliest ones, and whether these are the same.

    Args:
        logits: Float32 of shape ``[positions, vocabulary]``.
        following: The tokens that follow, of shape ``[positions]``; -1 stands for the likeliest one.
    """
    total = logits.logsumexp(-1)
    most, likeliest = logits.max(-1)
    following = torch.where(following < 0, likeliest, following)
    own = logits.gather(-1, following[:, None])[:, 0]
    return own - total, most - total, following == likeliest
