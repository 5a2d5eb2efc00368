"""The engine ``vllm`` where a reward is wanted: a vLLM server of its own that classifies (``--runner pooling``).

It is another process than the one that writes, and is asked as ``openai_reward`` asks any pooling server. vLLM reads
its output at the very last token of a conversation, transformers at the last that is not padding: a model whose padding
is its end token, and whose chat template ends with that, gets other rewards here than there.
"""

import json
from pathlib import Path

from curate.models.clients import openai_reward, vllm
from curate.models.model_ref import ModelRef
from schemas.progress import Progress


class Engine(openai_reward.Engine, vllm.Engine):
    """A vLLM server of our own, for one sequence-classification model."""

    POOLING = True

    def __init__(self, ref: ModelRef, progress: Progress) -> None:
        """Start the server and wait until it answers. Raises ``UserError``, with what its log says, if it does not."""
        super().__init__(ref, progress)
        config = Path(self.folder) / "config.json"
        names = json.loads(config.read_text(encoding="utf-8")).get("id2label") if config.exists() else None
        if names and not self.labels:
            self.labels = [str(names[index]) for index in sorted(names, key=int)]
