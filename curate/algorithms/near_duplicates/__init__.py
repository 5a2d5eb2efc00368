"""Which rows are near-duplicates, and which row of each cluster stays."""
