"""Scorers, one a file: ``score(columns, *, settings)`` gives each row a value. Found by file name."""
