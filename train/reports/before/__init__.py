"""Figures of a training before its first step: parameters, memory, tokens, steps, rows."""
