"""Pure functions on arrays and texts; they know no stage, no store and no model."""
