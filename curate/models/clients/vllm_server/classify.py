"""Rewards of the engine ``vllm``: a vLLM server that is started to classify (``--runner pooling``).

It is another process than the one that writes, and is asked as ``ClassifyEngine`` asks any pooling server. vLLM reads a
model's output at the very last token of a conversation, transformers at the last that is not padding: a model whose
padding is its end token, and whose chat template ends with that, gives other rewards here than with transformers.
"""

import json
from pathlib import Path

from curate.models.clients.http.classify import ClassifyEngine
from curate.models.clients.vllm_server.chat import Place, VllmChatEngine
from curate.models.model_ref import ModelRef
from schemas.progress import Progress


class VllmClassifyEngine(VllmChatEngine, ClassifyEngine):
    """A vLLM server of our own, for one sequence-classification model."""

    POOLING = True

    def __init__(self, ref: ModelRef, progress: Progress, place: Place | None = None) -> None:
        """Start the server as ``VllmChatEngine`` does; read the labels from the model's config."""
        super().__init__(ref, progress, place)
        config = Path(self.folder) / "config.json"
        names = json.loads(config.read_text(encoding="utf-8")).get("id2label") if config.exists() else None
        if names:
            self.labels = [str(names[index]) for index in sorted(names, key=int)]
