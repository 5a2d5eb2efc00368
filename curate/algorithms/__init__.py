"""Pure functions on arrays and texts: no tables of ours, no disk, no model."""
