"""Proximal policy optimisation, on TRL's GRPO trainer: its options, the critic, and the equations of advantages."""
