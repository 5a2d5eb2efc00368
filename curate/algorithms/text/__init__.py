"""What is in texts: their bytes, words and n-grams, and what can be counted and found in them."""
