"""The type of the numbers in a model's weight files."""

from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.models.weights import weights_folder

DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}  # by the names in safetensors files


def stored_dtype(ref: ModelRef) -> str:
    """Return the type of the weights in the files of a model's base; float32 where it is another or not known."""
    from safetensors import safe_open
    from transformers import AutoConfig

    location = weights_folder(ref)
    config = AutoConfig.from_pretrained(location, trust_remote_code=bool(ref.setting("trust_remote_code", False)))
    stated = getattr(config, "dtype", None) or getattr(config.get_text_config(), "dtype", None)
    found = str(stated).removeprefix("torch.")
    if stated is None:  # configs of older models do not say it
        for file in sorted(Path(location).glob("*.safetensors"))[:1]:
            with safe_open(file, "pt") as held:
                found = DTYPES.get(held.get_slice(next(iter(held.keys()))).get_dtype(), "float32")
    return found if found in DTYPES.values() else "float32"
