"""The section ``rounds`` of a recipe: each round is a recipe whose student is the model of the round before."""
