"""Algorithms on columns of texts: words, n-grams, counts, languages, personal items and secrets."""
