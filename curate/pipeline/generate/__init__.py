"""How a run applies ``generate``: candidates and new prompts."""
