"""Figures with 95% intervals: how two ratings agree, and mean differences over prompts and seeds, all by clusters."""
