"""From prompts to curated datasets: sources, generate, score, dedup, select, filter, split, and the store."""
