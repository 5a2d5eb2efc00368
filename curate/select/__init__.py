"""Selection rules, one a file: ``select`` picks candidates, ``pair`` makes pairs, ``subset`` keeps diverse rows."""
