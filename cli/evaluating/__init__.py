"""Prints an evaluation: its tables, each in a file of its own."""
