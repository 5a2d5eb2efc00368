"""SFT rows, preference pairs and RL prompts: choosing, pairing, the random control, rows for TRL."""
