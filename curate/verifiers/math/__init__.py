"""The final answer of a text, and whether two answers are equal."""
