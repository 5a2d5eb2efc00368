"""The tokenizer that an exported model gets."""

from typing import Any

from curate.models.model_ref import ModelRef
from curate.models.weight_files import given_template
from curate.models.weights import weights_folder


def tokenizer_of(ref: ModelRef) -> Any:
    """Return a model's tokenizer as its folder has it, with the chat template that its rows were printed with."""
    import transformers

    trust = bool(ref.setting("trust_remote_code", False))
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(weights_folder(ref), trust_remote_code=trust)
    template = given_template(ref)
    if template is not None:
        tokenizer.chat_template = template
    return tokenizer
