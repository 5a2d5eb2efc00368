"""``gristmill evaluate``: models answer held-out prompts, scorers score the answers, and the models are compared."""
