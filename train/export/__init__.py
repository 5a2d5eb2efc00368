"""A model passed on: as merged weights, as a LoRA adapter, as GGUF; each checked by the tokens that it writes."""
