"""How rows of one split are written: ``write(rows)`` takes some, ``close()`` ends the files."""
