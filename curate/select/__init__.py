"""Choosing, one rule a file: ``select`` picks candidates, ``pair`` makes preference pairs, ``subset`` keeps some."""
