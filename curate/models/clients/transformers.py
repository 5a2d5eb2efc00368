"""The engine ``transformers``: a model in this process, run by torch.

It writes, gives rewards, losses and log-probabilities of tokens, and makes embeddings. The classes are in
``curate.models.clients.local``.
"""

from curate.models.engine import Engine, EngineSpec, Setting, Streamer, TextEmbedder
from curate.models.model_ref import ModelRef
from curate.models.weight_files import resolve_weights
from curate.models.weights import libraries
from schemas.progress import Progress

BATCH_TOKENS = Setting(
    "batch_tokens",
    int,
    "tokens of a batch at most, padding and new tokens included; by the task and the device",
    above_zero=True,
)
TRUST_REMOTE_CODE = Setting("trust_remote_code", bool, "run code that comes with the model", False)
CHAT_TEMPLATE = Setting(
    "chat_template", str, "a chat template in place of the model's own: a file of Jinja, or the Jinja itself"
)
BACKEND = Setting("backend", str, "what computes embeddings", "torch", choices=("torch", "onnx", "openvino"))


def _start_generate(ref: ModelRef, progress: Progress) -> Engine:
    libraries(ref)
    from curate.models.clients.local.generate import GenerateEngine

    return GenerateEngine(ref, progress)


def _start_reward(ref: ModelRef, progress: Progress) -> Engine:
    libraries(ref)
    from curate.models.clients.local.reward import RewardEngine

    return RewardEngine(ref, progress)


def _start_loss(ref: ModelRef, progress: Progress) -> Engine:
    libraries(ref)
    from curate.models.clients.local.loss import LossEngine

    return LossEngine(ref, progress)


def _start_tokens(ref: ModelRef, progress: Progress) -> Engine:
    libraries(ref)
    from curate.models.clients.local.token_logprobs import TokenLogprobsEngine

    return TokenLogprobsEngine(ref, progress)


def _start_stream(ref: ModelRef, progress: Progress) -> Streamer:
    libraries(ref)
    from curate.models.clients.local.stream import LocalStreamer

    return LocalStreamer(ref, progress)


def _load_embedder(ref: ModelRef) -> TextEmbedder:
    from curate.models.clients.local.embedder import Embedder

    return Embedder(ref)


SPEC = EngineSpec(
    tasks={"generate": _start_generate, "reward": _start_reward, "loss": _start_loss, "tokens": _start_tokens},
    resolve=resolve_weights,
    settings=(BATCH_TOKENS, TRUST_REMOTE_CODE, CHAT_TEMPLATE, BACKEND),
    embedder=_load_embedder,
    spreads=("reward", "loss"),
    streamer=_start_stream,
)
