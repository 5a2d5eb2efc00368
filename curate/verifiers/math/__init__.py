"""Find the final answer of a text, and compare two answers."""
