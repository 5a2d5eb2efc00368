"""Models in this process: batches, decoding, losses, rewards and embeddings (torch and transformers)."""
