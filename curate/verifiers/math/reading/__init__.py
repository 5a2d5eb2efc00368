"""Reads an answer as the kind that it is: number, quantity, tuple, set, matrix, relation, date, choice, words."""
