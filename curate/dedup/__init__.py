"""Deduplication, one method a file: ``dedup`` returns, for each row, the kept row that it duplicates."""
