"""Chat templates: how a model's own template prints a conversation, without importing transformers."""
