"""Verifiers, which decide whether an answer is right: by constraints, by math, by unit tests in a sandbox."""
