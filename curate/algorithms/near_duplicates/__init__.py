"""Find near-duplicate texts, and decide which row of each cluster of duplicates stays.

``near_pairs`` finds the pairs of texts within a threshold (MinHash with bands; ``large_buckets`` and ``prefix_filter``
for buckets of very many rows). ``clusters`` decides, from any pairs, which rows stay: ``curate.dedup.semantic`` uses it
with pairs of embeddings.
"""
