"""Constraints that a program can check: what a row asks for (``truths``), and a verdict a kind, over columns of texts.

``kinds`` names them all; ``layout`` has those about lines and sections, ``ifeval`` IFEval's own; ``forms`` says what a
kind is.
"""
