"""The command ``chat``: lines read, answers printed as they are written, in columns or below each other."""
