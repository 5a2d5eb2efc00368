"""Scorers, one a file: ``score(columns, *, settings)`` returns a value for each row. Recipes name the file."""
