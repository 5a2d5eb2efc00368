"""Find which rows belong together: by keys that they share, and by texts that are near-duplicates."""
