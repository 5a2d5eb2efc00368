"""Finds the final answer of a response, and compares two answers."""
