"""How a run applies each verb of a recipe."""
