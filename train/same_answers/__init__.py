"""Whether two forms of a model are the same model: their greedy answers or scores, compared up to rounding."""
