"""Expressions in LaTeX or plain text: parsed into trees, and their values, exact or to many digits."""
