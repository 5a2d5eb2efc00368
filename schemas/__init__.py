"""What a row, a recipe and an error are. Imports nothing of ours."""
