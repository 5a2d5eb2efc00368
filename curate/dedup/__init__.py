"""Deduplication, one method a file: ``dedup(text, *, settings)`` names the kept row each dropped one duplicates."""
