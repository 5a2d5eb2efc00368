"""Examples: dataset rows as the token ids and labels that a trainer learns from, and that ``check`` shows."""
